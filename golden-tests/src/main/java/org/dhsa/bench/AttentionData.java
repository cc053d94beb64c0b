package org.dhsa.bench;

import java.util.OptionalDouble;
import java.util.function.IntPredicate;
import org.dhsa.backend.Backend;
import org.dhsa.backend.LayerCache;
import org.dhsa.model.LayerKind;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Queries, keys and values of one global layer of the 2B shape, with a soft cap of 50.
///
/// @param query the backend's own tensor, so that nothing is converted while the clock runs
/// @param wideQuery the same values in FP64, for checking; also of keys and values
record AttentionData(Tensor query, Tensor key, Tensor value, AttentionRule rule, double[] wideQuery, double[] wideKey, double[] wideValue, int length) {

    static final int HEADS = 8;
    static final int KV_HEADS = 4;
    static final int HEAD_DIM = 256;
    private static final double CAP = 50;

    static AttentionData random(Backend backend, int length) {
        BenchData data = new BenchData();
        double[] query = data.doubles(HEADS * length * HEAD_DIM, 2);
        double[] key = data.doubles(KV_HEADS * length * HEAD_DIM, 2);
        double[] value = data.doubles(KV_HEADS * length * HEAD_DIM, 1);
        Shape keys = Shape.of("kvHeads", KV_HEADS, "keyLen", length, "headDim", HEAD_DIM);
        LayerCache cache = backend.newLayerCache(KV_HEADS, HEAD_DIM, new LayerKind.Global());
        cache.append(DoubleTensor.of(keys, key), DoubleTensor.of(keys, value));
        Tensor own = backend.rows(DoubleTensor.of(Shape.of("heads", HEADS, "queryLen", length, "headDim", HEAD_DIM), query), 0, HEADS);
        AttentionRule rule = new AttentionRule(1 / Math.sqrt(HEAD_DIM), OptionalDouble.of(CAP), Visibility.GLOBAL, 0, 0);
        return new AttentionData(own, cache.keys(), cache.values(), rule, query, key, value, length);
    }

    /// Pairs of a causal pass, every query head counted.
    static long causalPairs(int length) {
        return (long) HEADS * length * (length + 1L) / 2;
    }

    /// Operations of a pair: `2 headDim` for its score, `2 headDim` for its value.
    static double flops(long pairs) {
        return 4.0 * HEAD_DIM * pairs;
    }

    /// Compares one row of a context `[heads, queryLen, headDim]` with softmax and sum in FP64.
    ///
    /// @param reads whether the row reads a key at or before its position
    void checkRow(double[] context, int head, int row, IntPredicate reads) {
        int kvHead = head / (HEADS / KV_HEADS);
        double[] expected = new double[HEAD_DIM];
        double sum = 0;
        for (int j = 0; j <= row; j++) {
            if (!reads.test(j)) {
                continue;
            }
            double dot = 0;
            for (int d = 0; d < HEAD_DIM; d++) {
                dot += wideQuery[(head * length + row) * HEAD_DIM + d] * wideKey[(kvHead * length + j) * HEAD_DIM + d];
            }
            double weight = Math.exp(rule.logit(dot));
            sum += weight;
            for (int d = 0; d < HEAD_DIM; d++) {
                expected[d] += weight * wideValue[(kvHead * length + j) * HEAD_DIM + d];
            }
        }
        for (int d = 0; d < HEAD_DIM; d++) {
            WrongResultException.unlessNear("context [head " + head + ", query " + row + ", " + d + "]", expected[d] / sum,
                    context[(head * length + row) * HEAD_DIM + d], 1e-5);
        }
    }

    /// Rows worth looking at: the first, one in the middle of a tile, the last.
    int[] someRows() {
        return new int[] {0, length / 2 + 7, length - 1};
    }
}
