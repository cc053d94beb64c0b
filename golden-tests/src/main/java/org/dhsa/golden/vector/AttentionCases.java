package org.dhsa.golden.vector;

import static org.dhsa.golden.vector.CaseList.keys;
import static org.dhsa.golden.vector.CaseList.queries;

/// Dense attention: order of cap and mask, window edges, groups, decode steps, rows without keys.
final class AttentionCases {

    private AttentionCases() {}

    /// @param window null on global layers
    static CaseDraft rule(CaseDraft draft, double scalar, Double cap, Integer window, int queryStart, int keyStart) {
        return draft.with("queryPreAttnScalar", scalar).with("attnLogitSoftcapping", cap).with("slidingWindow", window)
                .with("queryStart", queryStart).with("keyStart", keyStart);
    }

    private static CaseDraft qkv(CaseDraft draft, int heads, int kvHeads, int queryLen, int keyLen, int headDim, double scale) {
        return draft.random("query", queries(heads, queryLen, headDim), scale).random("key", keys(kvHeads, keyLen, headDim), scale).random("value", keys(kvHeads, keyLen, headDim), 1);
    }

    private static CaseDraft attention(CaseList list, String name, String comment) {
        return list.gemma2("dense-attention", name, "L0", comment);
    }

    static void add(CaseList list) {
        double[] none = new double[4];
        rule(attention(list, "toy-global", "by hand: zero queries, so every row is the mean of what it sees"), 1, 50.0, null, 0, 0).flags("HAND_CHECKABLE")
                .given("query", queries(1, 4, 1), none).given("key", keys(1, 4, 1), 1, 2, 3, 4).given("value", keys(1, 4, 1), 0, 1, 2, 3);
        rule(attention(list, "toy-window-2", "by hand: a window of 2 is the token and the one before it"), 1, 50.0, 2, 0, 0).flags("HAND_CHECKABLE", "WINDOW_EDGE")
                .given("query", queries(1, 4, 1), none).given("key", keys(1, 4, 1), 1, 2, 3, 4).given("value", keys(1, 4, 1), 0, 1, 2, 3);
        rule(attention(list, "toy-cap", "by hand: dot 200, scale 1/2, so 100 before the cap and 48.2014 after it, against 0"), 4, 50.0, null, 1, 0).flags("HAND_CHECKABLE", "CAP_BITES")
                .given("query", queries(1, 1, 1), 10).given("key", keys(1, 2, 1), 20, 19).given("value", keys(1, 2, 1), 0, 1);
        for (int window : new int[] {1, 2, 3, 4, 7, 8}) {
            qkv(rule(attention(list, "window-" + window, "8 tokens, window " + window + (window == 1 ? ": every row sees itself alone" : "")), 8, 50.0, window, 0, 0)
                    .flags("WINDOW_EDGE"), 2, 1, 8, 8, 8, 2);
        }
        for (int length : new int[] {5, 6, 7, 12, 13}) {
            qkv(rule(attention(list, "length-" + length + "-window-6", length + " tokens, window 6: "
                    + (length <= 6 ? "the window hides nothing yet" : "the first keys are out of sight")), 4, 50.0, 6, 0, 0).flags("WINDOW_EDGE"), 2, 2, length, length, 4, 2);
        }
        qkv(rule(attention(list, "global", "a global layer, 12 tokens"), 8, 50.0, null, 0, 0), 2, 1, 12, 12, 8, 2);
        qkv(rule(attention(list, "cap-bites", "logits of several hundred, cap 50, a global layer"), 8, 50.0, null, 0, 0).flags("CAP_BITES"), 2, 1, 8, 8, 8, 12);
        qkv(rule(attention(list, "cap-bites-window", "large logits and a window: a cap after the mask lets hidden keys in"), 8, 50.0, 3, 0, 0).flags("CAP_BITES", "MASK_LAST"), 2, 1, 10, 10, 8, 12);
        qkv(rule(attention(list, "cap-small", "a cap of 2: masked keys at -2 would weigh much"), 8, 2.0, 3, 0, 0).flags("CAP_BITES", "MASK_LAST"), 2, 1, 7, 7, 8, 3);
        qkv(rule(attention(list, "cap-before-scale", "a scale of 1/12: capping the unscaled logit gives another answer"), 144, 50.0, null, 0, 0).flags("CAP_BITES", "SCALE_STATED"), 2, 1, 8, 8, 16, 9);
        qkv(rule(attention(list, "no-cap", "no cap"), 8, null, null, 0, 0), 2, 1, 9, 9, 8, 2);
        qkv(rule(attention(list, "no-cap-large", "no cap and logits of several hundred: the largest must be subtracted before the exponential"), 8, null, null, 0, 0).flags("LARGE_VALUES"), 2, 1, 8, 8, 8, 15);
        qkv(rule(attention(list, "no-cap-overflow", "no cap and logits beyond 709, whose exponential is no float64: the largest must be subtracted first"), 4, null, null, 0, 0).flags("LARGE_VALUES"), 2, 1, 3, 3, 4, 80);
        qkv(rule(attention(list, "scalar-24-head-dim-16", "queryPreAttnScalar 24, headDim 16: the scale is not 1/4"), 24, 50.0, null, 0, 0).flags("SCALE_STATED"), 2, 1, 8, 8, 16, 2);
        qkv(rule(attention(list, "scalar-144-head-dim-128", "the 27B model: 144 against 128"), 144, 50.0, null, 0, 0).flags("SCALE_STATED"), 1, 1, 4, 4, 128, 1.5);
        for (int[] hg : new int[][] {{4, 4}, {4, 2}, {8, 1}, {8, 4}, {6, 3}, {16, 8}}) {
            qkv(rule(attention(list, "heads-" + hg[0] + "-kv-" + hg[1], hg[0] / hg[1] + " query heads to a key/value head"), 4, 50.0, 4, 0, 0)
                    .flags(hg[0] / hg[1] > 1 && hg[1] > 1 ? new String[] {"GQA", "GQA_ORDER"} : new String[] {"GQA"}), hg[0], hg[1], 6, 6, 4, 2);
        }
        for (int position : new int[] {3, 4, 5, 6, 11}) {
            int keyStart = Math.max(0, position - 4);
            qkv(rule(attention(list, "decode-" + position + "-window-4", "one query at position " + position + "; the cache holds positions " + keyStart + " to " + position), 8, 50.0, 4,
                    position, keyStart).flags("DECODE", "WINDOW_EDGE"), 4, 2, 1, position - keyStart + 1, 8, 2);
        }
        qkv(rule(attention(list, "decode-global", "one query at position 9 of a global layer"), 8, 50.0, null, 9, 0).flags("DECODE"), 4, 2, 1, 10, 8, 2);
        qkv(rule(attention(list, "prompt-in-parts", "the second part of a prompt: 3 queries from position 5, 8 keys from 0"), 8, 50.0, 4, 5, 0).flags("DECODE", "WINDOW_EDGE"), 2, 1, 3, 8, 8, 2);
        qkv(rule(attention(list, "masked-rows", "the cache starts at position 4: queries 2 and 3 see nothing and give zeros"), 8, 50.0, null, 2, 4).flags("FULLY_MASKED_ROW"), 2, 1, 4, 3, 8, 2);
        qkv(rule(attention(list, "masked-rows-window", "the window of the last queries lies behind the last key"), 8, 50.0, 2, 3, 0).flags("FULLY_MASKED_ROW", "WINDOW_EDGE"), 2, 1, 4, 4, 8, 2);
        qkv(rule(attention(list, "all-rows-masked", "nobody sees anything: all zeros"), 8, 50.0, 2, 20, 0).flags("FULLY_MASKED_ROW"), 2, 1, 2, 4, 8, 2);
        qkv(rule(attention(list, "one-token", "one token sees itself: the context is its value"), 4, 50.0, null, 0, 0).flags("SIZE_ONE"), 4, 1, 1, 1, 4, 2);
        qkv(rule(attention(list, "odd-sizes", "13 tokens, 3 heads of 10"), 10, 50.0, 5, 0, 0).flags("ODD_SIZE"), 3, 1, 13, 13, 10, 1.5);
        qkv(rule(attention(list, "equal-logits", "keys that are all the same: plain means"), 8, 50.0, 4, 0, 0).flags("EQUAL_SCORES"), 2, 1, 7, 7, 8, 2).random("key", keys(1, 7, 8), 0, 0.5);
        qkv(rule(attention(list, "cancelling-values", "values of 10000 with both signs and equal weights cancel"), 8, 50.0, null, 0, 0).flags("CANCELLING_SUM"), 2, 1, 8, 8, 8, 0.01)
                .random("value", keys(1, 8, 8), 10000);
        qkv(rule(attention(list, "one-key-wins", "one logit far above the others"), 4, null, null, 0, 0).flags("LARGE_VALUES"), 1, 1, 6, 6, 4, 1).set("key", 60, 0, 2, 1).set("query", 5, 0, 5, 1);
        CaseDraft far = rule(list.gemma2("dense-attention", "length-96-window-16", "L3", "96 tokens, window 16, logits that the cap bites"), 24, 50.0, 16, 0, 0).flags("WINDOW_EDGE", "CAP_BITES");
        qkv(far, 4, 2, 96, 96, 16, 6);
        CaseDraft longGlobal = rule(list.gemma2("dense-attention", "length-150-global", "L3", "150 tokens, no window, logits that the cap bites"), 24, 50.0, null, 0, 0).flags("CAP_BITES");
        qkv(longGlobal, 2, 1, 150, 150, 16, 6);
        CaseDraft prime = rule(list.gemma2("dense-attention", "length-131-window-61", "L3", "131 tokens, window 61: two primes"), 16, 50.0, 61, 0, 0).flags("WINDOW_EDGE", "ODD_SIZE");
        qkv(prime, 2, 1, 131, 131, 16, 3);
    }
}
