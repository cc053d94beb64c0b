package org.dhsa.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.dhsa.forward.Probe;
import org.dhsa.model.LayerKind;
import org.dhsa.policy.LayerSelection;
import org.dhsa.policy.LayerState;
import org.dhsa.policy.SelectionPolicy;
import org.dhsa.reference.labels.MeanAttention;
import org.dhsa.tensor.DoubleTensor;

/// What the selections of other methods have in common: one prompt, no batch, no soft cap, no window, scale 1/√headDim.
abstract class SelectionRecordingCheck extends ReferenceFunctionCheck {

    /// Scores that differ by less are equal, in FP64.
    private static final double SLACK = 1e-12;

    /// The recorded queries and keys as a layer's prompt.
    static LayerState layer(CaseCheck check, DoubleTensor query, DoubleTensor key) {
        int length = query.shape().extent("queryLen");
        return new LayerState(0, 1, new LayerKind.Global(), query, key, MeanAttention.upstreamRule(query.shape().extent("headDim")), length, false, check.backend());
    }

    static DoubleTensor query(CaseCheck check) throws GoldenFormatException {
        check.input("query");
        return check.golden().tensor("query").row(0, "heads", "queryLen", "headDim");
    }

    static DoubleTensor key(CaseCheck check) throws GoldenFormatException {
        check.input("key");
        return check.golden().tensor("key").row(0, "kvHeads", "keyLen", "headDim");
    }

    /// What one of our policies selects.
    static LayerSelection select(SelectionPolicy policy, LayerState layer) {
        return policy.open(new int[0]).select(layer);
    }

    /// Pairs that each head reads.
    static int[] pairs(LayerSelection selection, LayerState layer) {
        return IntStream.range(0, layer.heads())
                .map(h -> Math.toIntExact(new LayerSelection(List.of(selection.of(h)), 1, 0).pairs(layer.rule(), layer.end()))).toArray();
    }

    /// Causal pairs inside kept blocks, the first row at position `start`.
    static int pairs(boolean[][] kept, int blockSize, int start, int length) {
        int pairs = 0;
        for (int i = start; i < length; i++) {
            boolean[] row = kept[(i - start) / blockSize];
            int position = i;
            pairs += IntStream.rangeClosed(0, i).filter(j -> row[j / blockSize] && j <= position).count();
        }
        return pairs;
    }

    static int blocks(boolean[][] kept) {
        return (int) Arrays.stream(kept).mapToLong(row -> IntStream.range(0, row.length).filter(c -> row[c]).count()).sum();
    }

    /// A list of whole numbers in `case.json`, or a single one.
    static void numbers(CaseCheck check, String function, String result, int... actual) {
        JsonNode recorded = check.golden().results().path(result);
        int[] expected = recorded.isArray() ? IntStream.range(0, recorded.size()).map(i -> recorded.get(i).asInt()).toArray() : new int[] {recorded.asInt(-1)};
        check.exact(function, Probe.NO_LAYER, "results." + result, "value", expected, actual);
    }

    /// How many causal pairs there are in all.
    static void total(CaseCheck check, String function, int start, int length) {
        numbers(check, function, "causal_pairs_total_per_head", IntStream.range(start, length).map(i -> i + 1).sum());
    }

    /// Score of an entry of a set.
    interface Score {
        double of(int set, int entry);
    }

    /// Sets of indices, up to ties: entries may be exchanged if all of them score the same.
    static void sets(CaseCheck check, String function, String tensor, int[][] expected, int[][] actual, Score score) {
        sets(check, function, tensor, expected, actual, score, set -> false);
    }

    /// @param allEqual sets that are a choice among equals, of which any is right: another one is not even a near tie
    static void sets(CaseCheck check, String function, String tensor, int[][] expected, int[][] actual, Score score, IntPredicate allEqual) {
        Compare.Place place = check.place(function, Probe.NO_LAYER, tensor);
        if (expected.length != actual.length) {
            check.add(place.wrong(actual.length + " sets where " + expected.length + " are recorded"));
            return;
        }
        Verdict verdict = Verdict.PASS;
        String where = "";
        for (int s = 0; s < expected.length; s++) {
            int set = s;
            Verdict here = Compare.keys(expected[s], actual[s], entry -> score.of(set, entry), entry -> true, SLACK);
            if (here.compareTo(verdict) > 0 && !(here == Verdict.NEAR_TIE && allEqual.test(s))) {
                verdict = here;
                where = "set " + s + ": " + Arrays.toString(actual[s]) + " where " + Arrays.toString(expected[s]) + " is recorded";
            }
        }
        double error = verdict == Verdict.FAIL ? Double.POSITIVE_INFINITY : 0;
        check.add(place.result(verdict, error, error, 1, 0, "[]", 0, 0, where));
    }

    /// The kept columns of every row of recorded masks `[heads, rows, columns]`, head by head.
    static int[][] maskRows(GoldenTensor mask) throws GoldenFormatException {
        mask.requireRank(3);
        int columns = mask.extent(2);
        double[] values = mask.values();
        return IntStream.range(0, mask.extent(0) * mask.extent(1))
                .mapToObj(r -> IntStream.range(0, columns).filter(c -> values[r * columns + c] != 0).toArray()).toArray(int[][]::new);
    }

    /// The same of computed ones, cut to the recorded size.
    static int[][] maskRows(List<boolean[][]> masks, GoldenTensor like) {
        return masks.stream().flatMap(mask -> Arrays.stream(mask).limit(like.extent(1)))
                .map(row -> IntStream.range(0, Math.min(row.length, like.extent(2))).filter(c -> row[c]).toArray()).toArray(int[][]::new);
    }

    /// The rows of a tensor `[heads, rows, width]` or `[rows, width]` without the padding value.
    static int[][] rows(GoldenTensor tensor, int padding) throws GoldenFormatException {
        int width = tensor.extent(tensor.rank() - 1);
        int[] values = tensor.ints();
        int rows = width == 0 ? 0 : values.length / width;
        return IntStream.range(0, rows).mapToObj(r -> Arrays.stream(values, r * width, (r + 1) * width).filter(v -> v != padding).toArray()).toArray(int[][]::new);
    }

    /// Kept blocks of every row of a policy's lists.
    static boolean[][] blocks(LayerSelection selection, int head, int blockSize, int length) {
        int blocks = (length + blockSize - 1) / blockSize;
        boolean[][] kept = new boolean[blocks][blocks];
        selection.of(head).queryBlocks().blocks().forEach(rows -> Arrays.stream(selection.of(head).blocks().get(rows.segment()).keys())
                .forEach(j -> kept[rows.segment()][j / blockSize] = true));
        return kept;
    }
}
