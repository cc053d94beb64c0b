package org.dhsa.golden.vector;

import static org.dhsa.golden.vector.CaseList.keys;
import static org.dhsa.golden.vector.CaseList.queries;

import java.util.Map;
import java.util.stream.Stream;
import org.dhsa.model.Quirk;
import org.dhsa.tensor.DType;

/// From keys to lists of keys, and on to the attention over them.
final class ChainCases {

    private ChainCases() {}

    static final String[] ALL_QUIRKS = Stream.of(Quirk.values()).filter(q -> q != Quirk.NO_CANDIDATE_FAILS).map(Enum::name).toArray(String[]::new);

    /// Parameters of a small chain.
    static Map<String, Object> parameters(int blockSize, int budget, int local, int global, Integer instruction, Double theta, int nmsWindow, int chunkBeta) {
        return CaseList.parameters("blockSize", blockSize, "budget", budget, "localTokens", local, "globalTokens", global, "instructionTokens", instruction, "theta", theta,
                "nmsWindow", nmsWindow, "chunkBeta", chunkBeta, "smoothEnds", false, "aggregation", "avgpool_norm", "queryChunking", "fixed-blocks", "quirks", new String[0]);
    }

    private static CaseDraft qk(CaseDraft draft, int heads, int kvHeads, int length, int headDim, Integer window) {
        return draft.random("query", queries(heads, length, headDim), 2).random("key", keys(kvHeads, length, headDim), 2).with("slidingWindow", window);
    }

    private static CaseDraft predictor(CaseDraft draft, int channels) {
        return PredictorDraft.attention(draft, channels, 2, 4, false, DType.F32);
    }

    private record Chain(CaseList list, String slug, String level) {

        CaseDraft of(String name, String comment, int heads, int kvHeads, int length, int headDim, Integer window) {
            CaseDraft draft = qk(list.dhsa(slug, name, level, comment), heads, kvHeads, length, headDim, window);
            if (slug.equals("sparse-chain")) {
                draft.random("value", keys(kvHeads, length, headDim), 1).with("queryPreAttnScalar", 6.0).with("attnLogitSoftcapping", 50.0);
            }
            return predictor(draft, kvHeads * headDim).with(parameters(4, 10, 1, 1, null, 0.0, 2, 4));
        }
    }

    static void add(CaseList list) {
        for (String slug : new String[] {"selection-chain", "sparse-chain"}) {
            Chain chain = new Chain(list, slug, slug.equals("sparse-chain") ? "L5" : "L4");
            chain.of("global", "a global layer, 24 tokens", 4, 2, 24, 4, null).flags("TIE_AT_CUTOFF");
            chain.of("local", "a local layer, window 9", 4, 2, 24, 4, 9).flags("TIE_AT_CUTOFF", "WINDOW_EDGE");
            chain.of("instruction", "an instruction of 5 tokens", 4, 2, 29, 4, null).with("instructionTokens", 5).with("theta", null).flags("INSTRUCTION", "TIE_AT_CUTOFF");
            chain.of("partial-block", "22 queries in blocks of 4, an instruction of 3", 4, 2, 25, 4, 12).with("instructionTokens", 3).flags("PARTIAL_BLOCK", "INSTRUCTION");
            chain.of("shorter-than-block", "3 tokens, blocks of 8: the chunk budget is 0, one chunk", 2, 1, 3, 4, null).with("blockSize", 8).flags("SHORT_PROMPT", "PARTIAL_BLOCK");
            chain.of("no-candidate", "a threshold that nothing passes", 2, 1, 20, 4, null).with("theta", 1000.0).flags("NO_CANDIDATE");
            chain.of("budget-above-keys", "a budget larger than the prompt: everything allowed", 2, 1, 17, 4, null).with("budget", 64).flags("BUDGET_ABOVE_KEYS");
            chain.of("many-boundaries", "no suppression: chunks of one", 4, 2, 26, 4, null).with("theta", null).with("nmsWindow", 0).with("chunkBeta", 8).flags("CHUNK_OF_ONE");
            chain.of("avgpool", "plain means", 4, 2, 24, 4, null).with("aggregation", "avgpool").with("theta", null);
            chain.of("maxpool", "maximum on the query side, mean on the key side", 4, 2, 24, 4, null).with("aggregation", "maxpool").with("theta", null);
            chain.of("dynamic-chunks", "the chunks of the keys on the query side too", 4, 2, 24, 4, null).with("queryChunking", "dynamic-chunks").with("theta", null).flags("CHUNK_OF_ONE");
            chain.of("dynamic-chunks-instruction", "dynamic chunks and an instruction", 4, 2, 27, 4, 10).with("queryChunking", "dynamic-chunks").with("instructionTokens", 4).flags("INSTRUCTION");
            chain.of("groups-8", "eight query heads, one key/value head", 8, 1, 24, 4, null).flags("GQA");
            chain.of("chunk-budget-binds", "22 tokens, blocks of 8, one chunk to a block: two boundaries are accepted, not three", 4, 2, 22, 4, null).with("blockSize", 8)
                    .with("chunkBeta", 1).with("nmsWindow", 1).with("theta", null).flags("BUDGET_EDGE");
            chain.of("upstream-global", "the authors' rules, a global layer", 4, 2, 26, 4, null).upstream().with("quirks", ALL_QUIRKS).with("instructionTokens", 4).with("localTokens", 3).with("globalTokens", 2).flags("UPSTREAM_QUIRK");
            chain.of("upstream-local", "the authors' rules, a local layer", 4, 2, 26, 4, 9).upstream().with("quirks", ALL_QUIRKS).with("instructionTokens", 4).with("localTokens", 3).with("globalTokens", 2).flags("UPSTREAM_QUIRK");
            chain.of("length-80", "80 tokens, blocks of 16, window 40", 4, 2, 80, 4, 40).with(parameters(16, 28, 4, 4, 8, 0.0, 3, 2)).only("boundaries", "chunkScores", "tokenScores", "selectedKeys", "selectedCounts", "forcedKeys", "allowed", "threshold", "context").flags("INSTRUCTION", "WINDOW_EDGE", "TIE_AT_CUTOFF");
        }
    }
}
