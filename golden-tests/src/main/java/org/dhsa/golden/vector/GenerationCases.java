package org.dhsa.golden.vector;

import java.util.stream.IntStream;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;

/// DHSA models on a prompt, and generation with either attention.
final class GenerationCases {

    private GenerationCases() {}

    static void add(CaseList list) {
        prompts(list);
        generations(list);
    }

    private static CaseDraft dhsa(CaseDraft draft, ModelDraft model, Integer instruction) {
        model.into(draft, "exact");
        PredictorDraft.attention(draft, model.kvHeads() * model.headDim(), 2, 4, false, DType.F32);
        int window = draft.config().get("slidingWindow").intValue();
        return draft.with(ChainCases.parameters(4, 10, 1, 1, instruction, 0.0, 2, 4)).with("slidingWindow", window)
                .with(CaseList.parameters("shareBoundaries", true, "shareMasks", false, "decodeBudget", 6, "decodeMode", "dhsa"));
    }

    private static CaseDraft prompt(CaseList list, String name, String comment, int tokens) {
        return list.dhsa("dhsa-model", name, "L5", comment).randomInts("ids", Shape.of("queryLen", tokens), 0, 23);
    }

    private static void prompts(CaseList list) {
        ModelDraft tiny = ModelDraft.TINY.window(9);
        String[] few = {"boundaryLogits", "boundaries", "tokenScores", "selectedKeys", "selectedCounts", "context", "hidden", "logits"};
        dhsa(prompt(list, "two-layers", "one local and one global layer", 24).flags("TIE_AT_CUTOFF"), tiny, null);
        dhsa(prompt(list, "instruction", "an instruction of 5 tokens", 25).flags("INSTRUCTION"), tiny, 5);
        dhsa(prompt(list, "four-layers", "boundaries of layer 0 serve four layers", 24).flags("SHARED_BOUNDARIES").only(few), tiny.layers(4), 4);
        dhsa(prompt(list, "boundaries-per-layer", "every layer predicts its own boundaries", 24).flags("SHARED_BOUNDARIES").only(few), tiny.layers(3), 4).with("shareBoundaries", false);
        dhsa(prompt(list, "shared-masks", "the lists of layers 0 and 1 serve layers 2 and 3", 24).flags("SHARED_MASKS").only(few), tiny.layers(4), 4).with("shareMasks", true);
        dhsa(prompt(list, "cap-bites", "attention logits that the cap bites", 24).flags("CAP_BITES").only(few), tiny.loud(4), 4);
        dhsa(prompt(list, "upstream", "the authors' rules", 26).upstream().flags("UPSTREAM_QUIRK").only(few), tiny, 4).with("quirks", ChainCases.ALL_QUIRKS).with("localTokens", 3).with("globalTokens", 2);
        dhsa(prompt(list, "bf16", "weights in bfloat16", 24).flags("BF16_WEIGHTS").only(few), tiny.bf16(), 4);
        dhsa(prompt(list, "all-instruction", "an instruction longer than the prompt: dense", 12).flags("INSTRUCTION", "EQUALS_DENSE").only(few), tiny, 64);
        dhsa(prompt(list, "budget-above-keys", "a budget larger than the prompt: the same result as dense", 12).flags("BUDGET_ABOVE_KEYS", "EQUALS_DENSE").only(few), tiny, null).with("budget", 64);
    }

    private static CaseDraft generate(CaseList list, boolean dhsa, String name, String comment, int tokens, int newTokens) {
        CaseDraft draft = dhsa ? list.dhsa("generation", name, "L6", comment) : list.gemma2("generation", name, "L6", comment);
        // a tiny model with a tied head repeats itself; given tokens make the caches worth comparing
        SplitMix64 random = new SplitMix64(name.hashCode());
        int[] fed = IntStream.range(0, newTokens - 1).map(n -> (int) random.between(0, 23)).toArray();
        return draft.randomInts("ids", Shape.of("queryLen", tokens), 0, 23).with("attention", dhsa ? "dhsa" : "dense").with("newTokens", newTokens).with("forcedIds", fed).flags("DECODE");
    }

    private static void generations(CaseList list) {
        ModelDraft tiny = ModelDraft.TINY;
        tiny.into(generate(list, false, "past-the-window", "6 tokens and 8 more, window 4: the cache of layer 0 rolls", 6, 8).flags("DECODE", "WINDOW_EDGE"), "exact");
        tiny.into(generate(list, false, "prompt-shorter-than-window", "2 tokens and 7 more, window 4: the window fills while decoding", 2, 7).flags("DECODE", "WINDOW_EDGE", "SHORT_PROMPT"), "exact");
        tiny.window(16).into(generate(list, false, "inside-the-window", "everything fits into the window", 5, 6), "exact");
        tiny.into(generate(list, false, "one-token-prompt", "a prompt of one token", 1, 8).flags("DECODE", "SIZE_ONE"), "exact");
        tiny.layers(4).into(generate(list, false, "four-layers", "two local and two global caches", 9, 6).flags("DECODE", "LAYER_PARITY"), "exact");
        tiny.loud(4).into(generate(list, false, "cap-bites", "attention logits that the cap bites", 7, 6).flags("DECODE", "CAP_BITES"), "exact");
        tiny.bf16().into(generate(list, false, "bf16", "weights in bfloat16, rounded factor", 7, 6).flags("DECODE", "BF16_WEIGHTS", "INEXACT_ROOT"), "bf16-rounded");
        tiny.layers(4).into(generate(list, false, "greedy", "every token is fed as it was generated", 6, 6), "exact").with("forcedIds", null);
        tiny.window(3).into(generate(list, false, "greedy-window-3", "every token is fed as it was generated, window 3", 4, 6), "exact").with("forcedIds", null);
        twins(tiny.sizes(24, 12, 20).into(generate(list, false, "greedy-twins", "every token has a twin with the same row: of equal logits the first wins", 6, 6), "exact").with("forcedIds", null).flags("DECODE", "EQUAL_SCORES"));
        ModelDraft wide = tiny.window(9);
        dhsa(generate(list, true, "sparse-steps", "20 tokens and 8 more; new tokens join the last chunk", 20, 8).flags("DECODE", "TIE_AT_CUTOFF"), wide, null);
        dhsa(generate(list, true, "sparse-steps-instruction", "an instruction of 4 tokens", 22, 8).flags("DECODE", "INSTRUCTION"), wide, 4);
        dhsa(generate(list, true, "chunks-close", "no threshold and many chunks allowed: chunks close while decoding", 18, 12).flags("DECODE", "CHUNK_CLOSES"), wide, null).with("theta", null).with("chunkBeta", 8).with("nmsWindow", 1);
        dhsa(generate(list, true, "chunks-close-per-layer", "every layer closes its own chunks", 18, 10).flags("DECODE", "CHUNK_CLOSES"), wide, null).with("theta", null).with("chunkBeta", 8).with("nmsWindow", 1).with("shareBoundaries", false);
        dhsa(generate(list, true, "dense-steps", "a sparse prompt, dense steps, as the authors decode", 20, 6), wide, 4).with("decodeMode", "dense");
        dhsa(generate(list, true, "shared-masks", "lists of layers 0 and 1 serve layers 2 and 3 while decoding", 20, 6).flags("DECODE", "SHARED_MASKS"), wide.layers(4), 4).with("shareMasks", true);
        dhsa(generate(list, true, "small-window", "window 4: a local layer forgets keys whose chunks stay", 18, 8).flags("DECODE", "WINDOW_EDGE"), tiny, null);
        dhsa(generate(list, true, "greedy", "every token is fed as it was generated", 20, 6), wide, 4).with("forcedIds", null);
        dhsa(generate(list, true, "upstream", "the authors' prompt, then sparse steps by the corrected rules", 22, 6).upstream().flags("DECODE", "UPSTREAM_QUIRK"), wide, 4).with("quirks", ChainCases.ALL_QUIRKS).with("localTokens", 3).with("globalTokens", 2);
        ModelDraft deep = new ModelDraft(32, 24, 16, 4, 4, 2, 8, 6, 5.0, 5.0, 3.0, DType.F32, 1);
        judged(generate(list, true, "first-boundary", "a prompt of one chunk: its boundary at 0 suppresses nothing", 3, 10), deep, 2, 8, 2).flags("DECODE", "CHUNK_CLOSES", "SHORT_PROMPT");
        judged(generate(list, true, "chunk-budget-grows", "the chunk budget is that of the length so far, not of the prompt", 5, 10), deep, 2, 1, 1).flags("DECODE", "CHUNK_CLOSES", "BUDGET_EDGE");
        judged(generate(list, true, "window-2w-minus-1", "a window of 2w - 1: with the new row the local layer still sees the gap's 2w keys", 9, 10), deep.window(7), 4, 1, 2).flags("DECODE", "CHUNK_CLOSES", "WINDOW_EDGE");
    }

    /// No threshold, so that a gap becomes a boundary whenever it is asked and nothing forbids it.
    private static CaseDraft judged(CaseDraft draft, ModelDraft model, int boundaryWindow, int nmsWindow, int chunkBeta) {
        model.into(draft, "exact");
        PredictorDraft.attention(draft, model.kvHeads() * model.headDim(), boundaryWindow, 4, false, DType.F32);
        return draft.with(ChainCases.parameters(4, 8, 1, 1, null, null, nmsWindow, chunkBeta)).with("slidingWindow", model.window())
                .with(CaseList.parameters("shareBoundaries", true, "shareMasks", false, "decodeBudget", 6, "decodeMode", "dhsa"));
    }

    /// Rows with one number each: a dot product with such a row is exact in any order of summation, so twins are equal everywhere.
    private static void twins(CaseDraft draft) {
        double[] table = new double[24 * 12];
        for (int row = 0; row < 24; row++) {
            table[row * 12 + row % 12] = 0.75;
        }
        draft.given("model.embed_tokens.weight", Shape.of("vocab", 24, "modelDim", 12), table);
    }
}
