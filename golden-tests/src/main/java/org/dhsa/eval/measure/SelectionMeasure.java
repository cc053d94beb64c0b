package org.dhsa.eval.measure;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dhsa.model.LayerKind;
import org.dhsa.policy.AttentionWeights;
import org.dhsa.policy.LayerSelection;
import org.dhsa.stage.AttentionRule;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Compares what a selection reads with the true attention of the layer, row by row and head by head.
///
///     keys K of a row, n = |K|, true weights a, best n keys T
///     recall = |{ j in K : a_j ≥ min a(T) }| / n      mass = Σ_K a      oracleMass = Σ_T a
///     o = Σ_K a v / Σ_K a                             o_dense = Σ a v
///
/// **Shapes** query `[heads, queryLen, headDim]`, key and value `[kvHeads, keyLen, headDim]` (read), one record per head (new).
/// **Reading** one row of weights at a time in FP64: the memory is that of the states, whatever the length. The time is that of dense
/// attention, so long prompts are sampled: `maxRows` rows at equal distances.
/// **Pitfall** the weights are the model's own, with its soft cap and window. A policy that attends by another rule (DHSA's upstream
/// profile) is judged by what it selects, not by how it then attends; keys outside the model's window count nothing.
public final class SelectionMeasure {

    private SelectionMeasure() {}

    /// @param rule      of the model
    /// @param maxRows   most rows per head; Integer.MAX_VALUE for all
    /// @return one measure per query head; empty if no row is sparse
    public static List<HeadMeasure> of(int layer, LayerKind kind, Tensor query, Tensor key, Tensor value, AttentionRule rule,
                                       LayerSelection selection, int maxRows) {
        if (maxRows <= 0) {
            throw new IllegalArgumentException("maxRows must be positive, was " + maxRows);
        }
        int[] rows = sample(rule.queryStart(), selection.of(0).queryBlocks().denseFrom(), maxRows);
        if (rows.length == 0) {
            return List.of();
        }
        AttentionWeights weights = new AttentionWeights(query, key, rule);
        DoubleTensor values = value.toDouble();
        int heads = query.shape().extent("heads");
        int group = heads / key.shape().extent("kvHeads");
        List<HeadMeasure> measures = new ArrayList<>();
        for (int head = 0; head < heads; head++) {
            Sums sums = new Sums();
            for (int row : rows) {
                add(sums, weights.row(head, row), weights.first(row), distinct(selection.keysOf(head, row, rule, key.shape().extent("keyLen"))),
                        values, head / group, rule.keyStart());
            }
            double n = rows.length;
            measures.add(new HeadMeasure(layer, kind, head, rows.length, sums.full, sums.recall / n, sums.mass / n, sums.oracle / n, sums.error / n));
        }
        return measures;
    }

    private static final class Sums {
        long full;
        double recall;
        double mass;
        double oracle;
        double error;
    }

    /// At most `maxRows` positions of `[from, to)` at equal distances, the last one among them.
    static int[] sample(int from, int to, int maxRows) {
        int count = Math.min(maxRows, to - from);
        return IntStream.rangeClosed(1, Math.max(0, count)).map(i -> from + (int) ((long) i * (to - from) / count) - 1).toArray();
    }

    private static int[] distinct(int[] keys) {
        return Arrays.stream(keys).sorted().distinct().toArray();
    }

    private static void add(Sums sums, double[] weights, int first, int[] keys, DoubleTensor values, int kvHead, int keyStart) {
        sums.full += keys.length == weights.length ? 1 : 0;
        double[] ascending = weights.clone();
        Arrays.sort(ascending);
        double best = 0;
        for (int n = 1; n <= keys.length; n++) {
            best += ascending[weights.length - n];
        }
        double threshold = keys.length == 0 ? 0 : ascending[weights.length - keys.length];
        double mass = 0;
        int hits = 0;
        for (int j : keys) {
            mass += weights[j - first];
            hits += weights[j - first] >= threshold ? 1 : 0;
        }
        sums.recall += keys.length == 0 ? 0 : (double) hits / keys.length;
        sums.mass += mass;
        sums.oracle += best;
        sums.error += outputError(weights, first, keys, mass, values, kvHead, keyStart);
    }

    /// A row without a key gives zeros, an error of 1.
    private static double outputError(double[] weights, int first, int[] keys, double mass, DoubleTensor values, int kvHead, int keyStart) {
        int headDim = values.shape().extent("headDim");
        int base = (kvHead * values.shape().extent("keyLen") - keyStart) * headDim;
        double[] dense = new double[headDim];
        double[] sparse = new double[headDim];
        for (int n = 0; n < weights.length; n++) {
            for (int d = 0; d < headDim; d++) {
                dense[d] += weights[n] * values.data()[base + (first + n) * headDim + d];
            }
        }
        for (int j : keys) {
            for (int d = 0; d < headDim; d++) {
                sparse[d] += weights[j - first] / mass * values.data()[base + j * headDim + d];
            }
        }
        double difference = 0;
        double norm = 0;
        for (int d = 0; d < headDim; d++) {
            difference += (sparse[d] - dense[d]) * (sparse[d] - dense[d]);
            norm += dense[d] * dense[d];
        }
        return norm == 0 ? 0 : Math.sqrt(difference / norm);
    }
}
