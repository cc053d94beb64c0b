package org.dhsa.golden.vector;

import static org.dhsa.golden.vector.CaseList.keys;
import static org.dhsa.golden.vector.CaseList.queries;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.Shape;

/// Attention over given lists of keys.
final class SparseCases {

    private SparseCases() {}

    private static CaseDraft sparse(CaseList list, String name, String comment, int heads, int kvHeads, int length, int headDim) {
        return list.dhsa("sparse-attention", name, "L5", comment).random("query", queries(heads, length, headDim), 2).random("key", keys(kvHeads, length, headDim), 2)
                .random("value", keys(kvHeads, length, headDim), 1);
    }

    private static CaseDraft rule(CaseDraft draft, double scalar, Double cap, Integer window, int queryStart, int keyStart, int denseFrom) {
        return AttentionCases.rule(draft, scalar, cap, window, queryStart, keyStart).with("extraWindowKey", false).with("denseFrom", denseFrom);
    }

    private static CaseDraft lists(CaseDraft draft, QueryBlocks blocks, int[]... lists) {
        double[] flat = Selections.blocks(blocks).data();
        double[] matrix = Selections.matrix("queryBlocks", "budget", List.of(lists)).data();
        return draft.ints("blocks", Shape.of("queryBlocks", blocks.blocks().size(), "columns", 4), Arrays.stream(flat).mapToInt(v -> (int) v).toArray())
                .ints("selectedKeys", Shape.of("queryBlocks", lists.length, "budget", matrix.length / lists.length), Arrays.stream(matrix).mapToInt(v -> (int) v).toArray());
    }

    /// Every block reads itself and each n-th key before it.
    private static int[][] strided(QueryBlocks blocks, int stride) {
        return blocks.blocks().stream().map(b -> IntStream.range(0, b.end()).filter(j -> j >= b.start() || j % stride == b.segment() % stride).toArray()).toArray(int[][]::new);
    }

    static void add(CaseList list) {
        double[] zeros = new double[8];
        int[][] corrected = {{0, 1}, {0, 1, 2, 3}, {0, 1, 2, 3, 4, 5}, {0, 1, 4, 5, 6, 7}};
        int[][] upstream = {{0, 1, 7, 7, 7, 7}, {0, 1, 2, 3, 7, 7}, {0, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 4, 7}};
        double[] values = {0, 1, 2, 3, 4, 5, 6, 7};
        QueryBlocks four = QueryBlocks.fixed(8, 8, 2);
        rule(lists(list.dhsa("sparse-attention", "toy", "L5", "by hand: zero queries, so rows are means: row 6 is 3.2, row 7 is 23/6").flags("HAND_CHECKABLE").given("query", queries(1, 8, 1), zeros).given("key", keys(1, 8, 1), zeros)
                .given("value", keys(1, 8, 1), values), four, corrected), 1, 50.0, null, 0, 0, 8);
        rule(lists(list.dhsa("sparse-attention", "toy-upstream", "L5", "by hand: the authors' lists; row 7 counts no key twice, row 6 misses itself").upstream().flags("HAND_CHECKABLE", "UPSTREAM_QUIRK").given("query", queries(1, 8, 1), zeros).given("key", keys(1, 8, 1), zeros)
                .given("value", keys(1, 8, 1), values), four, upstream), 1, null, null, 0, 0, 8);
        rule(lists(list.dhsa("sparse-attention", "toy-repeated-key", "L5", "by hand: the list 0, 1, 1, 1 counts key 1 three times: 3/4").upstream().flags("HAND_CHECKABLE", "DUPLICATE_KEYS").given("query", queries(1, 2, 1), 0, 0).given("key", keys(1, 2, 1), 0, 0)
                .given("value", keys(1, 2, 1), 0, 1), QueryBlocks.fixed(2, 2, 2), new int[] {0, 1, 1, 1}), 1, 50.0, null, 0, 0, 2);
        QueryBlocks b4 = QueryBlocks.fixed(16, 16, 4);
        rule(lists(sparse(list, "small", "16 queries in blocks of 4, a third of the keys", 2, 1, 16, 8), b4, strided(b4, 3)), 8, 50.0, null, 0, 0, 16);
        rule(lists(sparse(list, "all-keys", "lists of everything before: dense attention", 2, 1, 16, 8).flags("EQUALS_DENSE"), b4, strided(b4, 1)), 8, 50.0, null, 0, 0, 16);
        rule(lists(sparse(list, "cap-bites", "logits of several hundred", 2, 1, 16, 8).random("query", queries(2, 16, 8), 12).random("key", keys(1, 16, 8), 12).flags("CAP_BITES"), b4, strided(b4, 3)), 8, 50.0, null, 0, 0, 16);
        rule(lists(sparse(list, "cap-small", "a cap of 5", 2, 1, 16, 8).flags("CAP_BITES"), b4, strided(b4, 3)), 8, 5.0, null, 0, 0, 16);
        rule(lists(sparse(list, "no-cap-upstream", "upstream: no cap", 2, 1, 16, 8).random("query", queries(2, 16, 8), 6).random("key", keys(1, 16, 8), 6).upstream().flags("UPSTREAM_QUIRK"), b4, strided(b4, 3)), 8, null, null, 0, 0, 16);
        rule(lists(sparse(list, "causal-inside-block", "one block of 8: each row hides its block's future", 2, 1, 8, 8).flags("FUTURE_KEYS"), QueryBlocks.fixed(8, 8, 8), new int[] {0, 1, 2, 3, 4, 5, 6, 7}), 8, 50.0, null, 0, 0, 8);
        for (int window : new int[] {2, 3, 4, 5, 9}) {
            rule(lists(sparse(list, "window-" + window, "a local layer, window " + window + ": rows of one block see different keys of one list", 2, 1, 16, 8).flags("WINDOW_EDGE"), b4, strided(b4, 2)), 8, 50.0, window, 0, 0, 16);
        }
        rule(lists(sparse(list, "extra-window-key-upstream", "upstream: one key more than the window", 2, 1, 16, 8).upstream().flags("WINDOW_EDGE", "UPSTREAM_QUIRK"), b4, strided(b4, 2)), 8, null, 4, 0, 0, 16).with("extraWindowKey", true);
        rule(lists(sparse(list, "rows-without-keys", "rows whose lists hold only their future give zeros", 2, 1, 8, 4).flags("FULLY_MASKED_ROW"), QueryBlocks.fixed(8, 8, 4), new int[] {2, 3}, new int[] {7}), 4, 50.0, null, 0, 0, 8);
        rule(lists(sparse(list, "empty-list", "a block with no key at all", 2, 1, 8, 4).flags("FULLY_MASKED_ROW"), QueryBlocks.fixed(8, 8, 4), new int[] {0, 1, 2, 3}, new int[0]), 4, 50.0, null, 0, 0, 8);
        rule(lists(sparse(list, "window-hides-list", "a list that the window of later rows hides", 2, 1, 8, 4).flags("FULLY_MASKED_ROW", "WINDOW_EDGE"), QueryBlocks.fixed(8, 8, 4), new int[] {0}, new int[] {0, 4}), 4, 50.0, 2, 0, 0, 8);
        for (int[] hg : new int[][] {{4, 4}, {4, 2}, {8, 1}, {8, 4}}) {
            rule(lists(sparse(list, "heads-" + hg[0] + "-kv-" + hg[1], hg[0] / hg[1] + " query heads to a key/value head, one list for all", hg[0], hg[1], 8, 4).flags(hg[0] / hg[1] > 1 && hg[1] > 1 ? new String[] {"GQA", "GQA_ORDER"} : new String[] {"GQA"}),
                    QueryBlocks.fixed(8, 8, 4), new int[] {0, 1, 2, 3}, new int[] {0, 3, 4, 5, 6, 7}), 4, 50.0, null, 0, 0, 8);
        }
        QueryBlocks tail = QueryBlocks.fixed(12, 17, 4);
        rule(lists(sparse(list, "instruction-tail", "the last 5 tokens attend densely", 2, 1, 17, 8).flags("INSTRUCTION"), tail, strided(tail, 4)), 8, 50.0, null, 0, 0, 12);
        rule(lists(sparse(list, "instruction-tail-window", "the last 5 tokens attend densely, inside the window", 2, 1, 17, 8).flags("INSTRUCTION", "WINDOW_EDGE"), tail, strided(tail, 4)), 8, 50.0, 3, 0, 0, 12);
        QueryBlocks partial = QueryBlocks.fixed(11, 11, 4);
        rule(lists(sparse(list, "partial-last-block", "11 queries in blocks of 4", 3, 1, 11, 6).flags("PARTIAL_BLOCK", "ODD_SIZE"), partial, strided(partial, 2)), 6, 50.0, null, 0, 0, 11);
        rule(lists(sparse(list, "scalar-not-head-dim", "queryPreAttnScalar 20, headDim 8", 2, 1, 16, 8).flags("SCALE_STATED"), b4, strided(b4, 3)), 20, 50.0, null, 0, 0, 16);
        CaseDraft decode = list.dhsa("sparse-attention", "decode", "L5", "one token at position 12 reads 5 of 13 keys").flags("DECODE").random("query", queries(4, 1, 8), 2).random("key", keys(2, 13, 8), 2).random("value", keys(2, 13, 8), 1);
        rule(lists(decode, QueryBlocks.single(12), new int[] {0, 4, 5, 11, 12}), 8, 50.0, null, 12, 0, 13);
        CaseDraft rolled = list.dhsa("sparse-attention", "decode-rolled-cache", "L5", "a local layer's cache that starts at position 8: lists hold absolute positions").flags("DECODE", "WINDOW_EDGE").random("query", queries(4, 1, 8), 2).random("key", keys(2, 5, 8), 2).random("value", keys(2, 5, 8), 1);
        rule(lists(rolled, QueryBlocks.single(12), new int[] {9, 11, 12}), 8, 50.0, 4, 12, 8, 13);
        rule(lists(sparse(list, "cancelling-values", "values of 10000 with both signs", 2, 1, 16, 8).random("query", queries(2, 16, 8), 0.01).random("value", keys(1, 16, 8), 10000).flags("CANCELLING_SUM"), b4, strided(b4, 3)), 8, 50.0, null, 0, 0, 16);
        QueryBlocks large = QueryBlocks.fixed(80, 96, 16);
        rule(lists(sparse(list, "length-96", "96 tokens, 16 of them dense, window 40, large logits", 4, 2, 96, 16).random("query", queries(4, 96, 16), 6).random("key", keys(2, 96, 16), 6).flags("INSTRUCTION", "WINDOW_EDGE", "CAP_BITES"), large, strided(large, 3)), 24, 50.0, 40, 0, 0, 80);
    }
}
