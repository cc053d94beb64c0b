package org.dhsa.golden.vector;

import static org.dhsa.golden.vector.CaseList.matrix;

import java.util.Locale;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.Shape;

/// Chunk representation, chunk similarity, upsampling, top-k selection.
final class SelectionCases {

    private static final String L4 = "L4";

    private SelectionCases() {}

    static void add(CaseList list) {
        representation(list);
        similarity(list);
        upsampling(list);
        selection(list);
    }

    private static CaseDraft states(CaseList list, String name, String comment, int heads, int tokens, int headDim, int... segments) {
        return segments(list.dhsa("chunk-representation", name, L4, comment).random("states", Shape.of("heads", heads, "tokens", tokens, "headDim", headDim), 1), segments);
    }

    private static CaseDraft segments(CaseDraft draft, int... segments) {
        return draft.ints("segments", Shape.of("boundaries", segments.length), segments).with("pooling", "avgpool_norm").with("padTo", 0);
    }

    private static void representation(CaseList list) {
        double[] keyHeads = {4, 1, 2, 3, 2, -1, 0, 1, 1, 4, 2, 2, 2, 1, 2, 0, 2, -1, 0, 1, 0, -3, -2, -1, -1, 2, 0, 0, 0, -1, 0, -2};
        Shape toy = Shape.of("heads", 2, "tokens", 8, "headDim", 2);
        segments(list.dhsa("chunk-representation", "toy", L4, "by hand: chunks of 4, 1 and 3 tokens").flags("HAND_CHECKABLE", "CHUNK_OF_ONE", "LENGTH_FACTOR").given("states", toy, keyHeads), 0, 4, 5, 8);
        segments(list.dhsa("chunk-representation", "toy-avgpool", L4, "by hand: plain means; chunks 0 and 2 look alike").flags("HAND_CHECKABLE", "CHUNK_OF_ONE").given("states", toy, keyHeads), 0, 4, 5, 8).with("pooling", "avgpool");
        double[] partial = {0, 0, 0, 0, 2, 4};
        Shape three = Shape.of("heads", 1, "tokens", 3, "headDim", 2);
        segments(list.dhsa("chunk-representation", "toy-partial-block", L4, "by hand: the last block of two has one query, (2, 4)").flags("HAND_CHECKABLE", "PARTIAL_BLOCK").given("states", three, partial), 0, 2, 3);
        segments(list.dhsa("chunk-representation", "toy-partial-block-upstream", L4, "by hand: the authors' code averages it with a zero row: (1, 2)").upstream().flags("HAND_CHECKABLE", "PARTIAL_BLOCK", "UPSTREAM_QUIRK").given("states", three, partial), 0, 2, 3).with("padTo", 2);
        states(list, "whole-prompt", "one chunk of everything", 2, 9, 4, 0, 9).flags("LENGTH_FACTOR");
        states(list, "chunks-of-one", "every chunk has one token: the keys themselves", 2, 5, 4, 0, 1, 2, 3, 4, 5).flags("CHUNK_OF_ONE");
        states(list, "unequal-chunks", "chunks of 1, 16, 2 and 9: factor and its inverse both show", 2, 28, 4, 0, 1, 17, 19, 28).flags("LENGTH_FACTOR", "CHUNK_OF_ONE");
        states(list, "unequal-chunks-avgpool", "the same as plain means", 2, 28, 4, 0, 1, 17, 19, 28).with("pooling", "avgpool");
        states(list, "unequal-chunks-maxpool", "the same as component-wise maximum", 2, 28, 4, 0, 1, 17, 19, 28).with("pooling", "maxpool");
        states(list, "maxpool-negative", "all values negative: a maximum that starts at 0 is wrong", 1, 6, 4, 0, 2, 6).random("states", Shape.of("heads", 1, "tokens", 6, "headDim", 4), 0.5, -2).with("pooling", "maxpool").flags("MAX_OF_NEGATIVES");
        states(list, "maxpool-padded-upstream", "upstream: the maximum of a partial block sees the zero padding", 1, 5, 4, 0, 4, 5).random("states", Shape.of("heads", 1, "tokens", 5, "headDim", 4), 0.5, -2).with("pooling", "maxpool").with("padTo", 4).upstream().flags("PARTIAL_BLOCK", "UPSTREAM_QUIRK");
        states(list, "avgpool-padded-upstream", "upstream: a mean over the padding too", 2, 7, 4, 0, 4, 7).with("pooling", "avgpool").with("padTo", 4).upstream().flags("PARTIAL_BLOCK", "UPSTREAM_QUIRK");
        for (int heads : new int[] {1, 2, 3, 8}) {
            states(list, "heads-" + heads, "the mean over " + heads + (heads == 1 ? " head" : " heads") + " comes first", heads, 7, 6, 0, 3, 7).flags("GQA");
        }
        states(list, "segments-end-early", "the instruction's queries belong to no segment", 2, 12, 4, 0, 4, 8).flags("INSTRUCTION");
        states(list, "empty-chunk", "a repeated boundary makes an empty chunk: zeros", 2, 6, 4, 0, 3, 3, 6).upstream().flags("EMPTY_CHUNK", "UPSTREAM_QUIRK");
        states(list, "cancelling-keys", "keys that nearly cancel in their sum", 1, 32, 4, 0, 16, 32).random("states", Shape.of("heads", 1, "tokens", 32, "headDim", 4), 1000).flags("CANCELLING_SUM");
        states(list, "late-short-chunk", "a short chunk after 200 large keys: prefix sums in float32 lose its digits", 1, 203, 2, 0, 200, 203).random("states", Shape.of("heads", 1, "tokens", 203, "headDim", 2), 500, 500).set("states", 0.125, 0, 200).set("states", 0.25, 0, 201).set("states", 0.0625, 0, 202).flags("CANCELLING_SUM");
        states(list, "odd-sizes", "3 heads, 13 tokens, 5 channels", 3, 13, 5, 0, 2, 5, 6, 13).flags("ODD_SIZE");
    }

    private static CaseDraft similar(CaseList list, String name, String comment, int blocks, int chunks, int headDim, double scale) {
        return list.dhsa("chunk-similarity", name, L4, comment).random("queryChunks", matrix("queryBlocks", blocks, "headDim", headDim), scale).random("keyChunks", matrix("chunks", chunks, "headDim", headDim), scale);
    }

    private static void similarity(CaseList list) {
        list.dhsa("chunk-similarity", "toy", L4, "by hand: four query blocks, three chunks").flags("HAND_CHECKABLE")
                .given("queryChunks", matrix("queryBlocks", 4, "headDim", 2), 1.41421356, 0, 0, 1.41421356, 0, 0, 1.41421356, 2.82842712)
                .given("keyChunks", matrix("chunks", 3, "headDim", 2), 2, 0, 0, 3, 1.73205081, 0);
        similar(list, "small", "no scale, no cap, no softmax", 3, 5, 8, 2).flags("NO_SCALE");
        similar(list, "large-scores", "scores in the thousands: nothing caps them", 3, 5, 16, 30).flags("NO_SCALE", "LARGE_VALUES");
        similar(list, "one-block-one-chunk", "one number", 1, 1, 4, 1).flags("SIZE_ONE");
        similar(list, "square", "as many blocks as chunks: an exchange keeps the shape", 4, 4, 6, 1).flags("SQUARE_WEIGHTS");
        similar(list, "odd-sizes", "7 blocks, 13 chunks, 31 channels", 7, 13, 31, 1).flags("ODD_SIZE");
        similar(list, "equal-chunks", "two chunks with the same vector: equal scores", 3, 4, 8, 1).set("keyChunks", 0.5, 1).set("keyChunks", 0.5, 3).flags("EQUAL_SCORES");
        similar(list, "zero-query", "a query block of zeros scores 0 everywhere", 2, 5, 8, 1).set("queryChunks", 0, 1).flags("ZERO_INPUT", "EQUAL_SCORES");
        similar(list, "cancelling", "large components that cancel", 2, 4, 64, 300).flags("CANCELLING_SUM");
        similar(list, "head-dim-256", "the head size of the 2B and 9B models", 2, 3, 256, 1);
    }

    private static CaseDraft staircase(CaseList list, String name, String comment, int blocks, int... boundaries) {
        return list.dhsa("upsampling", name, L4, comment).random("chunkScores", matrix("queryBlocks", blocks, "chunks", boundaries.length - 1), 3)
                .ints("boundaries", Shape.of("boundaries", boundaries.length), boundaries);
    }

    private static void upsampling(CaseList list) {
        list.dhsa("upsampling", "toy", L4, "by hand: chunks of 4, 1 and 3 tokens").flags("HAND_CHECKABLE", "CHUNK_OF_ONE", "BOUNDARY_SIDE").given("chunkScores", matrix("queryBlocks", 1, "chunks", 3), 2.8284, 8.4853, 2.4495)
                .ints("boundaries", Shape.of("boundaries", 4), 0, 4, 5, 8);
        staircase(list, "one-chunk", "one chunk: constant rows", 3, 0, 6);
        staircase(list, "chunks-of-one", "every token its own chunk", 2, 0, 1, 2, 3, 4, 5).flags("CHUNK_OF_ONE");
        staircase(list, "boundary-side", "a token on a boundary opens the next chunk", 2, 0, 3, 7, 10).flags("BOUNDARY_SIDE");
        staircase(list, "first-chunk-of-one", "the first chunk is token 0 alone", 2, 0, 1, 9).flags("CHUNK_OF_ONE", "BOUNDARY_SIDE");
        staircase(list, "last-chunk-of-one", "the last chunk is the last token alone", 2, 0, 8, 9).flags("CHUNK_OF_ONE", "BOUNDARY_SIDE");
        staircase(list, "empty-chunk", "a repeated boundary: no token maps to the empty chunk", 2, 0, 4, 4, 7).upstream().flags("EMPTY_CHUNK", "UPSTREAM_QUIRK");
        staircase(list, "odd-sizes", "5 blocks, 29 tokens, 6 chunks", 5, 0, 2, 3, 11, 17, 28, 29).flags("ODD_SIZE");
        staircase(list, "equal-scores", "two chunks with one score", 1, 0, 3, 5, 8).set("chunkScores", 1.5, 0, 0).set("chunkScores", 1.5, 0, 2).flags("EQUAL_SCORES");
        staircase(list, "long", "300 tokens", 2, 0, 17, 100, 101, 256, 300);
    }

    /// @param window null on global layers
    private static CaseDraft select(CaseList list, String name, String comment, int keyLen, QueryBlocks blocks, int budget, int local, int global, Integer window) {
        int segments = blocks.blocks().getLast().segment() + 1;
        return rules(list.dhsa("top-k-selection", name, L4, comment).random("tokenScores", matrix("queryBlocks", segments, "keyLen", keyLen), 4), blocks, budget, local, global, window);
    }

    static CaseDraft rules(CaseDraft draft, QueryBlocks blocks, int budget, int local, int global, Integer window) {
        double[] flat = Selections.blocks(blocks).data();
        int[] ints = new int[flat.length];
        for (int i = 0; i < flat.length; i++) {
            ints[i] = (int) flat[i];
        }
        return draft.ints("blocks", Shape.of("queryBlocks", blocks.blocks().size(), "columns", 4), ints)
                .with(CaseList.parameters("budget", budget, "localTokens", local, "globalTokens", global, "slidingWindow", window, "quirks", new String[0]));
    }

    /// Scores as upsampling makes them: one value to a chunk, drawn from few values, so that ties go across chunks too.
    private static CaseDraft stairs(CaseList list, String name, String comment, int keyLen, int blockSize, int denseFrom, int chunk, int budget, int local, int global, Integer window) {
        QueryBlocks blocks = QueryBlocks.fixed(denseFrom, keyLen, blockSize);
        SplitMix64 random = new SplitMix64(name.hashCode());
        double[] scores = new double[blocks.blocks().size() * keyLen];
        for (int i = 0; i < blocks.blocks().size(); i++) {
            double score = 0;
            for (int j = 0; j < keyLen; j++) {
                score = j % chunk == 0 ? random.between(-6, 7) / 4.0 : score;
                scores[i * keyLen + j] = score;
            }
        }
        return rules(list.dhsa("top-k-selection", name, L4, comment).given("tokenScores", matrix("queryBlocks", blocks.blocks().size(), "keyLen", keyLen), scores).flags("TIE_AT_CUTOFF"), blocks, budget, local, global, window);
    }

    static final String[] SELECTION_QUIRKS = {"BUDGET_CUT_TO_WINDOW", "ALLOWED_TO_FULL_BLOCK", "WINDOW_FROM_BLOCK_END", "WINDOW_PLUS_ONE", "LOCAL_TOKENS_AT_BLOCK_END", "GLOBAL_TOKENS_SPLICED", "PADDED_WITH_LAST_KEY"};

    private static void selection(CaseList list) {
        double[] toy = {2.8284, 2.8284, 2.8284, 2.8284, 0, 2.4495, 2.4495, 2.4495, 0, 0, 0, 0, 4.2426, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2.8284, 2.8284, 2.8284, 2.8284, 8.4853, 2.4495, 2.4495, 2.4495};
        QueryBlocks four = QueryBlocks.fixed(8, 8, 2);
        rules(list.dhsa("top-k-selection", "toy", L4, "by hand: blocks of two, budget 6; the last block cuts through four equal scores").flags("HAND_CHECKABLE", "TIE_AT_CUTOFF").given("tokenScores", matrix("queryBlocks", 4, "keyLen", 8), toy), four, 6, 1, 1, null);
        rules(list.dhsa("top-k-selection", "toy-upstream", L4, "by hand: the authors' lists, padded and spliced").upstream().flags("HAND_CHECKABLE", "TIE_AT_CUTOFF", "UPSTREAM_QUIRK", "DUPLICATE_KEYS").given("tokenScores", matrix("queryBlocks", 4, "keyLen", 8), toy), four, 6, 1, 1, null).with("quirks", SELECTION_QUIRKS);
        select(list, "distinct-scores", "no ties: the lists must match exactly", 16, QueryBlocks.fixed(16, 16, 4), 8, 1, 1, null);
        double[] nan = {3, 1, Double.NaN, 2, 4, Double.NaN, 5, 0.5, 0.25, 6, 7, 8};
        rules(list.dhsa("top-k-selection", "nan-last", L4, "two scores are NaN: such keys come after all others, also after the lowest score").flags("NAN_SCORE")
                .given("tokenScores", matrix("queryBlocks", 1, "keyLen", 12), nan), QueryBlocks.single(11), 8, 0, 0, null);
        rules(list.dhsa("top-k-selection", "nan-taken", L4, "two scores are NaN and the budget reaches one of them: the lower position").flags("NAN_SCORE")
                .given("tokenScores", matrix("queryBlocks", 1, "keyLen", 12), nan), QueryBlocks.single(11), 11, 0, 0, null);
        select(list, "splice-beyond-block", "upstream: more global tokens to splice than a block has keys", 16, QueryBlocks.fixed(16, 16, 4), 10, 1, 6, null).upstream()
                .with("quirks", SELECTION_QUIRKS).flags("UPSTREAM_QUIRK");
        select(list, "all-equal", "all scores equal: the lowest positions", 16, QueryBlocks.fixed(16, 16, 4), 7, 0, 0, null).random("tokenScores", matrix("queryBlocks", 4, "keyLen", 16), 0, 1).flags("TIE_AT_CUTOFF", "EQUAL_SCORES");
        select(list, "zero-and-minus-zero", "0 and -0 are equal", 8, QueryBlocks.fixed(8, 8, 2), 4, 0, 0, null).random("tokenScores", matrix("queryBlocks", 4, "keyLen", 8), 0, -1).set("tokenScores", -0.0, 3, 1).set("tokenScores", 0.0, 3, 4).set("tokenScores", 0.0, 3, 5).flags("TIE_AT_CUTOFF");
        for (int[] c : new int[][] {{24, 4, 24, 3, 9, 1, 1}, {24, 4, 24, 5, 8, 0, 0}, {33, 8, 33, 4, 12, 2, 2}, {40, 8, 32, 7, 16, 3, 3}, {64, 16, 56, 5, 24, 4, 4}}) {
            stairs(list, "stairs-" + c[0] + "-block-" + c[1] + "-budget-" + c[4], c[0] + " keys in chunks of " + c[3] + ", the cut falls inside chunks" + (c[2] % c[1] == 0 ? "" : "; a partial last block"),
                    c[0], c[1], c[2], c[3], c[4], c[5], c[6], null);
        }
        for (int window : new int[] {3, 4, 5, 8, 16, 40}) {
            stairs(list, "window-" + window, "a local layer, window " + window + ", blocks of 4", 32, 4, 32, 3, 6, 1, 1, window).flags("WINDOW_EDGE", "TIE_AT_CUTOFF");
        }
        select(list, "window-one", "a window of 1: a block may read itself alone", 9, QueryBlocks.fixed(9, 9, 3), 5, 2, 2, 1).flags("WINDOW_EDGE");
        select(list, "budget-above-keys", "a budget larger than the number of keys: everything allowed", 12, QueryBlocks.fixed(12, 12, 4), 100, 2, 2, null).flags("BUDGET_ABOVE_KEYS");
        select(list, "budget-equals-block", "the budget is the block itself: nothing by score", 12, QueryBlocks.fixed(12, 12, 4), 4, 3, 3, null).flags("BUDGET_EDGE");
        select(list, "forced-exceed-budget", "more forced keys than the budget: own positions first, then the nearest", 32, QueryBlocks.fixed(32, 32, 4), 8, 8, 8, null).flags("BUDGET_EDGE", "FORCED_KEYS");
        select(list, "forced-overlap", "local and global tokens overlap: each key once", 12, QueryBlocks.fixed(12, 12, 2), 8, 4, 6, null).flags("FORCED_KEYS");
        select(list, "forced-low-scores", "forced keys have the lowest scores and stay", 16, QueryBlocks.fixed(16, 16, 4), 8, 2, 2, null).set("tokenScores", -50, 3, 0).set("tokenScores", -50, 3, 1).set("tokenScores", -60, 3, 10).set("tokenScores", -60, 3, 11).flags("FORCED_KEYS");
        select(list, "block-of-one", "blocks of one query", 10, QueryBlocks.fixed(10, 10, 1), 4, 1, 1, null).flags("SIZE_ONE");
        select(list, "partial-last-block", "11 queries in blocks of 4: the last has 3", 11, QueryBlocks.fixed(11, 11, 4), 6, 1, 1, null).flags("PARTIAL_BLOCK");
        select(list, "shorter-than-block", "5 queries, blocks of 8: one partial block", 5, QueryBlocks.fixed(5, 5, 8), 8, 1, 1, null).flags("PARTIAL_BLOCK", "SHORT_PROMPT");
        select(list, "instruction-tail", "the last 5 tokens attend densely and are no queries here, but a decoded token may take them as keys", 21, QueryBlocks.fixed(16, 21, 4), 8, 1, 1, null).flags("INSTRUCTION");
        select(list, "decode", "one decoded token at position 20", 21, QueryBlocks.single(20), 8, 2, 2, null).flags("DECODE");
        select(list, "decode-window", "one decoded token of a local layer: old keys are out of reach", 21, QueryBlocks.single(20), 8, 2, 2, 9).flags("DECODE", "WINDOW_EDGE");
        select(list, "dynamic-chunks", "queries in dynamic chunks of 5, 1 and 8, cut into blocks of 4", 14, QueryBlocks.dynamic(Boundaries.of(0, 5, 6, 14), 14, 14, 4), 7, 1, 1, null).flags("CHUNK_OF_ONE");
        select(list, "future-scores-high", "the best scores lie in the future and must not be taken", 16, QueryBlocks.fixed(16, 16, 4), 6, 0, 0, null).set("tokenScores", 99, 0, 12).set("tokenScores", 99, 1, 13).set("tokenScores", 99, 2, 15).flags("FUTURE_KEYS");
        select(list, "own-block-scores-high", "every own position is kept: none needs its score", 16, QueryBlocks.fixed(16, 16, 8), 9, 0, 0, null).flags("FUTURE_KEYS");
        select(list, "negative-scores", "all scores negative: an implementation that masks with 0 takes the masked ones", 16, QueryBlocks.fixed(16, 16, 4), 7, 0, 0, 8).random("tokenScores", matrix("queryBlocks", 4, "keyLen", 16), 1, -5).flags("NEGATIVE_SCORES");
        for (String which : new String[] {"global", "local"}) {
            Integer window = which.equals("local") ? 7 : null;
            stairs(list, "upstream-" + which, "the authors' lists, " + which + " layer", 33, 8, 33, 4, 12, 2, 2, window).upstream().with("quirks", SELECTION_QUIRKS).flags("UPSTREAM_QUIRK", "TIE_AT_CUTOFF", "PARTIAL_BLOCK");
            stairs(list, "upstream-" + which + "-no-global", "the authors' lists without global tokens, " + which + " layer", 32, 8, 27, 4, 12, 3, 0, window).upstream().with("quirks", SELECTION_QUIRKS).flags("UPSTREAM_QUIRK", "TIE_AT_CUTOFF", "DUPLICATE_KEYS");
        }
        for (String quirk : SELECTION_QUIRKS) {
            stairs(list, "quirk-" + quirk.toLowerCase(Locale.ROOT).replace('_', '-'), "only the quirk " + quirk, 30, 8, 26, 3, 12, 2, 3, 11).upstream().with("quirks", new String[] {quirk}).flags("UPSTREAM_QUIRK", "TIE_AT_CUTOFF");
        }
    }
}
