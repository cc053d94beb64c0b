package org.dhsa.policy;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dhsa.model.GateWeights;
import org.dhsa.model.GateWeights.Pool;
import org.dhsa.reference.labels.MeanAttention;
import org.dhsa.stage.Boundaries;
import org.dhsa.tensor.DoubleTensor;

/// The gate of SeerAttention: which blocks of keys a block of queries will look at.
///
///     q̂(i) = rotate( pool(queries of block i) · W_q )      k̂(j) = rotate( pool(keys of block j) · W_k )
///     S(i, j) = q̂(i) · k̂(j) / √hidden,   j ≤ i
///
/// `pool` joins the maximum, minimum and mean over the rows of a block, in the order of the gate's type. Queries and keys are those BEFORE the rotary
/// embedding; the pooled vectors are turned to the position of their block's first row.
///
/// **Golden** `seerattention_prefill/*`, `seerattention_decode/*`.
/// **Pitfall** without a map of queries, the map of keys exists per QUERY head; with one, per key head.
public final class SeerGate {

    private SeerGate() {}

    /// Scores of one head, `[blocks][blocks]`, −∞ above the diagonal.
    ///
    /// @param query `[heads, length, headDim]`, before the rotary embedding
    /// @param key   `[kvHeads, length, headDim]`, before the rotary embedding
    public static double[][] logits(GateWeights.SeerAttention gate, int layer, DoubleTensor query, DoubleTensor key, int head) {
        int kvHead = head / (query.shape().extent(0) / key.shape().extent(0));
        GateWeights.SeerAttention.Layer weights = gate.layers().get(layer);
        double[][] queries = pooled(query, head, gate.queryPools(), gate.block());
        double[][] keys = pooled(key, kvHead, gate.keyPools(), gate.block());
        int blocks = keys.length;
        int mapOfKeys = weights.query().isPresent() ? kvHead : head;
        for (int b = 0; b < blocks; b++) {
            if (weights.query().isPresent()) {
                queries[b] = mapped(queries[b], weights.query().get().rows(head, head + 1));
            }
            keys[b] = mapped(keys[b], weights.key().rows(mapOfKeys, mapOfKeys + 1));
            if (gate.rotate()) {
                queries[b] = Rotation.turned(queries[b], b * gate.block(), gate.theta());
                keys[b] = Rotation.turned(keys[b], b * gate.block(), gate.theta());
            }
        }
        double[][] logits = new double[blocks][blocks];
        for (int i = 0; i < blocks; i++) {
            Arrays.fill(logits[i], Double.NEGATIVE_INFINITY);
            for (int j = 0; j <= i; j++) {
                logits[i][j] = IcmlBlocks.dot(queries[i], keys[j]) / Math.sqrt(queries[i].length);
            }
        }
        return logits;
    }

    /// Softmax of each row.
    public static double[][] weights(double[][] logits) {
        double[][] weights = Arrays.stream(logits).map(double[]::clone).toArray(double[][]::new);
        Arrays.stream(weights).forEach(MeanAttention::softmax);
        return weights;
    }

    /// Blocks whose softmax weight is above a threshold, strictly.
    public static boolean[][] above(double[][] logits, double threshold) {
        return Arrays.stream(weights(logits)).map(row -> above(row, threshold)).toArray(boolean[][]::new);
    }

    /// The same for the scores of one decoded token, which are weights already.
    public static boolean[] above(double[] weights, double threshold) {
        boolean[] above = new boolean[weights.length];
        for (int j = 0; j < above.length; j++) {
            above[j] = weights[j] > threshold;
        }
        return above;
    }

    /// The `count` best blocks of every row; those of the future are the worst, and are never kept.
    public static boolean[][] best(double[][] logits, int count) {
        boolean[][] kept = new boolean[logits.length][];
        for (int i = 0; i < kept.length; i++) {
            kept[i] = best(Arrays.copyOf(logits[i], i + 1), null, count, logits[i].length);
        }
        return kept;
    }

    /// The same for one decoded token.
    ///
    /// @param valid blocks that the sequence has
    public static boolean[] best(double[] scores, boolean[] valid, int count) {
        return best(scores, valid, count, scores.length);
    }

    private static boolean[] best(double[] scores, boolean[] valid, int count, int length) {
        boolean[] kept = new boolean[length];
        for (int j : Lists.best(scores, 0, count).keys()) {
            kept[j] = valid == null || valid[j];
        }
        return kept;
    }

    /// Blocks per row for a wanted share of the causal blocks: ⌊(1 − √(1 − nzRatio)) · blocks⌋, at least one.
    ///
    /// @param nzRatio share of the causal blocks that is wanted
    public static int blocksFor(double nzRatio, int blocks) {
        return Math.max(1, (int) Math.floor((1 - Math.sqrt(1 - nzRatio)) * blocks));
    }

    /// `[blocks][pools · headDim]`; the last block may be shorter.
    private static double[][] pooled(DoubleTensor states, int head, List<Pool> pools, int block) {
        int length = states.shape().extent(1);
        int dim = states.shape().extent(2);
        Boundaries bounds = Boundaries.uniform(length, block);
        double[][] pooled = new double[bounds.chunks()][pools.size() * dim];
        for (int b = 0; b < pooled.length; b++) {
            int from = bounds.start(b);
            int to = bounds.end(b);
            for (int d = 0; d < dim; d++) {
                int channel = d;
                double[] values = IntStream.range(from, to).mapToDouble(t -> states.data()[(head * length + t) * dim + channel]).toArray();
                for (int p = 0; p < pools.size(); p++) {
                    pooled[b][p * dim + d] = switch (pools.get(p)) {
                        case MAX -> Arrays.stream(values).max().orElseThrow();
                        case MIN -> Arrays.stream(values).min().orElseThrow();
                        case AVG -> Arrays.stream(values).sum() / values.length;
                    };
                }
            }
        }
        return pooled;
    }

    /// @param map `[in, out]`, row-major
    private static double[] mapped(double[] row, double[] map) {
        int out = map.length / row.length;
        double[] mapped = new double[out];
        for (int d = 0; d < row.length; d++) {
            for (int o = 0; o < out; o++) {
                mapped[o] += row[d] * map[d * out + o];
            }
        }
        return mapped;
    }
}
