package org.dhsa.golden.vector;

import static org.dhsa.golden.vector.CaseList.keys;
import static org.dhsa.golden.vector.CaseList.matrix;

import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;

/// Boundary prediction and non-maximum suppression.
final class BoundaryCases {

    private static final String L4 = "L4";

    private BoundaryCases() {}

    static void add(CaseList list) {
        prediction(list);
        suppression(list);
    }

    private static CaseDraft predict(CaseList list, String name, String comment, int kvHeads, int keyLen, int headDim) {
        return list.dhsa("boundary-prediction", name, L4, comment).random("key", keys(kvHeads, keyLen, headDim), 2);
    }

    private static void prediction(CaseList list) {
        // a depthwise kernel and a mixing matrix that copy, a decision layer that adds up the differences
        list.dhsa("boundary-prediction", "toy", L4, "by hand: a cnn that copies; the logit is the sum of the differences minus 1").flags("HAND_CHECKABLE", "ZERO_PADDING")
                .given("key", keys(1, 4, 2), 1, 0, 1, 0, 0, 2, 0, 2).with("predictor", "cnn").with("boundaryWindowSize", 1).with("predictorHeads", null)
                .given("enc.0.weight", Shape.of("channels", 2, "one", 1, "window", 1), 1, 1).given("enc.0.bias", Shape.of("channels", 2), 0, 0)
                .given("enc.2.weight", Shape.of("encodingDim", 2, "channels", 2, "one", 1), 1, 0, 0, 1).given("enc.2.bias", Shape.of("encodingDim", 2), 0, 0)
                .given("mlp.0.weight", matrix("hidden", 1, "features", 9), 0, 0, 0, 0, 1, 1, 0, 0, 0).given("mlp.0.bias", Shape.of("hidden", 1), 0)
                .given("mlp.2.weight", matrix("one", 1, "hidden", 1), 1).given("mlp.2.bias", Shape.of("one", 1), -1);
        for (int w : new int[] {1, 2, 4}) {
            PredictorDraft.attention(predict(list, "attention-w" + w, "attention, " + w + " tokens on each side", 2, 11, 4).flags("ZERO_PADDING"), 8, w, 2, false, DType.F32);
        }
        for (int heads : new int[] {1, 4, 8}) {
            PredictorDraft.attention(predict(list, "attention-heads-" + heads, "the same shapes serve every number of heads: here " + heads, 2, 9, 8).flags("HEADS_UNSEEN"), 16, 2, heads, false, DType.F32);
        }
        PredictorDraft.attention(predict(list, "attention-gate", "a learned pooling of each side", 2, 9, 4), 8, 3, 4, true, DType.F32);
        PredictorDraft.attention(predict(list, "attention-kv-1", "one key/value head", 1, 9, 8), 8, 2, 4, false, DType.F32);
        PredictorDraft.attention(predict(list, "attention-kv-8", "eight key/value heads laid end to end", 8, 7, 2).flags("HEADS_AND_TOKENS"), 16, 2, 8, false, DType.F32);
        PredictorDraft.attention(predict(list, "attention-shorter-than-window", "three tokens, four on each side: zeros at both ends of every window", 2, 3, 4).flags("ZERO_PADDING", "SHORT_PROMPT"), 8, 4, 2, false, DType.F32);
        PredictorDraft.attention(predict(list, "attention-one-token", "one token: it is alone among zeros", 2, 1, 4).flags("ZERO_PADDING", "SIZE_ONE"), 8, 2, 2, false, DType.F32);
        PredictorDraft.attention(predict(list, "attention-bf16", "weights in bfloat16", 2, 9, 4).flags("BF16_WEIGHTS"), 8, 2, 2, false, DType.BF16);
        PredictorDraft.attention(predict(list, "attention-equal-keys", "equal keys inside, zeros outside: only the ends differ", 2, 12, 4).random("key", keys(2, 12, 4), 0, 0.75).flags("ZERO_PADDING"), 8, 2, 2, false, DType.F32);
        PredictorDraft.attention(predict(list, "attention-zero-keys", "all zero: the cosine's eps divides", 1, 5, 4).random("key", keys(1, 5, 4), 0).flags("ZERO_INPUT"), 4, 2, 2, false, DType.F32);
        PredictorDraft.attention(predict(list, "attention-24-channels", "3 heads of 8 channels, 21 tokens", 3, 21, 8).flags("ODD_SIZE"), 24, 4, 3, false, DType.F32);
        for (int w : new int[] {2, 3}) {
            PredictorDraft.cnn(predict(list, "cnn-w" + w, "convolution, " + w + " tokens on each side", 2, 10, 4).flags("ZERO_PADDING"), 8, w, 5);
        }
        PredictorDraft.cnn(predict(list, "cnn-shorter-than-window", "two tokens, four on each side", 1, 2, 6).flags("SHORT_PROMPT"), 6, 4, 6);
        PredictorDraft.stack(predict(list, "stack-1", "one block with a residual", 2, 9, 4), 8, 2, 2, 1, false);
        PredictorDraft.stack(predict(list, "stack-2", "two blocks that share their first norm", 2, 10, 4), 8, 3, 4, 2, false);
        PredictorDraft.stack(predict(list, "stack-gate", "two blocks and a learned pooling", 2, 8, 4), 8, 2, 2, 2, true);
    }

    private static CaseDraft suppress(CaseList list, String name, String comment, double... logits) {
        return list.dhsa("non-maximum-suppression", name, L4, comment).given("logits", Shape.of("keyLen", logits.length), logits)
                .with(CaseList.parameters("boundaryWindowSize", 1, "chunkBudget", 10, "theta", 1.1, "nmsWindow", 1, "smoothEnds", false, "instructionTokens", null, "quirks", new String[0]));
    }

    private static CaseDraft suppress(CaseList list, String name, String comment, int length) {
        return suppress(list, name, comment, new double[length]).random("logits", Shape.of("keyLen", length), 4).with("boundaryWindowSize", 2).with("nmsWindow", 3);
    }

    static final String[] SUPPRESSION_QUIRKS = {"INSTRUCTION_BOUNDARY_SHIFTED", "ZERO_INSTRUCTION_IS_ALL", "ONE_CANDIDATE_TOO_MANY", "INSTRUCTION_POSITION_TWICE",
        "FILLED_POSITIONS_ARE_CANDIDATES", "NO_CANDIDATE_FAILS"};

    private static void suppression(CaseList list) {
        double[] toy = {0.2, 2, 3, 1, 1.5, 1.2, 4, 5};
        suppress(list, "toy", "by hand: 6, then 2; 4 is two away from both", toy).flags("HAND_CHECKABLE", "NMS_ORDER");
        suppress(list, "toy-instruction", "by hand: an instruction of two tokens puts position 5 first", toy).flags("HAND_CHECKABLE", "INSTRUCTION").with("instructionTokens", 2);
        suppress(list, "toy-instruction-upstream", "by hand: the authors' position is one later", toy).upstream().flags("HAND_CHECKABLE", "INSTRUCTION", "UPSTREAM_QUIRK")
                .with("instructionTokens", 2).with("quirks", SUPPRESSION_QUIRKS);
        suppress(list, "distance-equals-window", "candidates 2 and 4, window 2: the distance still suppresses", 0, 0, 5, 0, 4, 0, 0, 3, 0, 0).with("nmsWindow", 2).flags("NMS_EDGE");
        suppress(list, "distance-one-more", "candidates 2 and 5, window 2: both stay", 0, 0, 5, 0, 0, 4, 0, 0, 0, 0).with("nmsWindow", 2).flags("NMS_EDGE");
        suppress(list, "logit-equals-theta", "a logit equal to theta is no candidate", 0, 1.5, 0, 1.25, 0, 1.75, 0, 0).with("theta", 1.5).flags("THRESHOLD_EDGE");
        suppress(list, "theta-is-a-logit", "theta 0.75 against logits around it: a sigmoid of them would all be candidates or none", 0, 0.5, -2, 0.7, 0, 0.8, 3, -1, 1, 0).with("theta", 0.75).flags("THRESHOLD_EDGE");
        suppress(list, "theta-negative", "a negative theta", -1, -2, -0.5, -3, -0.25, -4, -1, -1).with("theta", -0.75).flags("THRESHOLD_EDGE");
        suppress(list, "equal-logits", "equal logits: the lowest position is examined first", 0, 2, 2, 2, 2, 2, 2, 2, 2, 0).with("nmsWindow", 2).flags("EQUAL_SCORES");
        suppress(list, "by-falling-score", "rising logits: from left to right one would take others", 0, 2, 3, 4, 5, 6, 7, 8, 9, 0).with("nmsWindow", 2).flags("NMS_ORDER");
        suppress(list, "no-suppression", "window 0 switches suppression off", 0, 2, 3, 4, 2, 3, 4, 0).with("nmsWindow", 0);
        suppress(list, "no-candidate", "nothing passes: one chunk", 0, 1, 0.5, 1, 0, 1, 0, 0).flags("NO_CANDIDATE");
        suppress(list, "no-candidate-instruction", "nothing passes: the instruction's split alone", 0, 1, 0.5, 1, 0, 1, 0, 0).with("instructionTokens", 3).flags("NO_CANDIDATE", "INSTRUCTION");
        suppress(list, "budget-zero", "a prompt shorter than a block has a budget of 0: one chunk", 0, 2, 3, 4, 5, 0).with("chunkBudget", 0).flags("SHORT_PROMPT", "BUDGET_EDGE");
        suppress(list, "budget-zero-upstream", "upstream: one candidate gets in all the same", 0, 2, 3, 4, 5, 0).with("chunkBudget", 0).upstream().with("quirks", SUPPRESSION_QUIRKS).flags("BUDGET_EDGE", "UPSTREAM_QUIRK");
        suppress(list, "budget-spent-by-instruction", "a budget of 1 is the instruction's", 0, 2, 3, 4, 5, 6, 7, 0).with("chunkBudget", 1).with("instructionTokens", 2).flags("BUDGET_EDGE", "INSTRUCTION");
        suppress(list, "budget-spent-by-instruction-upstream", "upstream: one more gets in", 0, 2, 3, 4, 5, 6, 7, 0).with("chunkBudget", 1).with("instructionTokens", 2).upstream().with("quirks", SUPPRESSION_QUIRKS).flags("BUDGET_EDGE", "UPSTREAM_QUIRK");
        suppress(list, "budget-binds", "more candidates than the budget", 40).with("chunkBudget", 3).with("theta", 0.0).flags("BUDGET_EDGE");
        suppress(list, "no-theta", "no threshold: everything but the ends", 12).with("theta", null).with("nmsWindow", 1).flags("FILLED_ENDS");
        suppress(list, "no-theta-upstream", "upstream: without a threshold filled positions are candidates too", 12).with("theta", null).with("nmsWindow", 1).upstream().with("quirks", SUPPRESSION_QUIRKS).flags("FILLED_ENDS", "UPSTREAM_QUIRK");
        suppress(list, "filled-ends", "w = 4: the first 3 and the last 4 positions", 20).with("boundaryWindowSize", 4).with("theta", -10.0).with("nmsWindow", 1).flags("FILLED_ENDS");
        suppress(list, "smooth-ends", "w = 3, smooth ends: the first 5 and the last 6", 20).with("boundaryWindowSize", 3).with("smoothEnds", true).with("theta", -10.0).with("nmsWindow", 1).flags("FILLED_ENDS");
        suppress(list, "shorter-than-window", "5 tokens, w = 4: every position is filled", 5).with("boundaryWindowSize", 4).with("theta", -10.0).flags("FILLED_ENDS", "SHORT_PROMPT", "NO_CANDIDATE");
        suppress(list, "one-token", "one token: one chunk", 9).given("logits", Shape.of("keyLen", 1), 7).flags("SIZE_ONE");
        suppress(list, "instruction-one", "an instruction of one token", 20).with("instructionTokens", 1).with("theta", 0.0).flags("INSTRUCTION");
        suppress(list, "instruction-all", "an instruction as long as the prompt splits nothing", 20).with("instructionTokens", 20).with("theta", 0.0).flags("INSTRUCTION");
        suppress(list, "instruction-beyond", "an instruction longer than the prompt", 20).with("instructionTokens", 64).with("theta", 0.0).flags("INSTRUCTION");
        suppress(list, "instruction-zero", "an instruction of 0 tokens is none", 20).with("instructionTokens", 0).with("theta", 0.0).flags("INSTRUCTION");
        suppress(list, "instruction-zero-upstream", "upstream: the boundary of an instruction of 0 tokens lies behind the prompt", 20).with("instructionTokens", 0).with("theta", 0.0).upstream().with("quirks", SUPPRESSION_QUIRKS).flags("INSTRUCTION", "UPSTREAM_QUIRK");
        suppress(list, "instruction-twice-upstream", "upstream, no suppression: the instruction position is accepted twice and makes an empty chunk", 0, 2, 3, 4, 5, 6, 7, 0, 0).with("nmsWindow", 0).with("instructionTokens", 3).upstream().with("quirks", SUPPRESSION_QUIRKS).flags("EMPTY_CHUNK", "UPSTREAM_QUIRK");
        suppress(list, "published", "300 logits, the published settings: theta 1.1, window 8", 300).with("boundaryWindowSize", 4).with("nmsWindow", 8).with("chunkBudget", 16).with("instructionTokens", 64);
        quantise(list);
    }

    /// Logits in steps of one: drawn as integers, so that many are equal.
    private static void quantise(CaseList list) {
        double[] few = new double[48];
        SplitMix64 random = new SplitMix64(7);
        for (int i = 0; i < few.length; i++) {
            few[i] = random.between(-2, 4);
        }
        suppress(list, "ties-everywhere", "six distinct logits over 48 positions", few).with("theta", 0.0).with("nmsWindow", 2).flags("EQUAL_SCORES");
        suppress(list, "ties-everywhere-instruction", "the same with an instruction and a small budget", few).with("theta", 0.0).with("nmsWindow", 1).with("chunkBudget", 5).with("instructionTokens", 9).flags("EQUAL_SCORES", "INSTRUCTION", "BUDGET_EDGE");
    }
}
