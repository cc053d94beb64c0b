package org.dhsa.golden.vector;

import static org.dhsa.golden.vector.CaseList.matrix;
import static org.dhsa.golden.vector.CaseList.queries;
import static org.dhsa.golden.vector.CaseList.tokens;

import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;

/// Embedding, norm, projections, rotary embedding, feed-forward, head.
final class Gemma2Cases {

    private static final String L0 = "L0";

    private Gemma2Cases() {}

    static void add(CaseList list) {
        embedding(list);
        rmsNorm(list);
        qkv(list);
        rotary(list);
        outputProjection(list);
        residual(list);
        feedForward(list);
        head(list);
    }

    private static Shape table(int vocab, int modelDim) {
        return matrix("vocab", vocab, "modelDim", modelDim);
    }

    private static CaseDraft ids(CaseDraft draft, int... ids) {
        return draft.ints("ids", Shape.of("queryLen", ids.length), ids);
    }

    private static void embedding(CaseList list) {
        CaseDraft toy = list.gemma2("embedding", "toy", L0, "by hand: three rows of four, factor 2").flags("HAND_CHECKABLE").with("hiddenSize", 4).with("embeddingScale", "exact");
        ids(toy, 2, 0).given("table", table(3, 4), 1, 0, 0, -1, 2, 2, 2, 2, 0.5, 1, 1.5, 2);
        for (int dim : new int[] {2304, 3072, 3584}) {
            for (String scale : new String[] {"exact", "bf16-rounded"}) {
                CaseDraft draft = list.gemma2("embedding", "width-" + dim + "-" + scale, L0, dim == 2304
                        ? "the root of 2304 is 48 in every type: this width cannot tell the two factors apart"
                        : "the root of " + dim + " is not exact in bfloat16: the two factors differ by 0.2 % or so");
                draft.flags(dim == 2304 ? "WHOLE_ROOT" : "INEXACT_ROOT").with("hiddenSize", dim).with("embeddingScale", scale);
                ids(draft, 1).random("table", table(2, dim), 0.25);
            }
        }
        CaseDraft repeated = list.gemma2("embedding", "repeated-and-last-id", L0, "the same id twice, the first and the last id of the vocabulary").flags("INDEX_EDGE");
        ids(repeated, 0, 30, 5, 5, 30).random("table", table(31, 24), 1).with("hiddenSize", 24).with("embeddingScale", "exact");
        CaseDraft odd = list.gemma2("embedding", "odd-width", L0, "seven channels").flags("ODD_SIZE").with("hiddenSize", 7).with("embeddingScale", "exact");
        odd.randomInts("ids", Shape.of("queryLen", 11), 0, 13).random("table", table(13, 7), 1);
        CaseDraft bf16 = list.gemma2("embedding", "bf16-table", L0, "a table in bfloat16, the factor in bfloat16").flags("BF16_WEIGHTS", "INEXACT_ROOT");
        bf16.randomInts("ids", Shape.of("queryLen", 5), 0, 9).random("table", table(9, 96), DType.BF16, 0.5, 0).with("hiddenSize", 96).with("embeddingScale", "bf16-rounded");
        CaseDraft bf16Exact = list.gemma2("embedding", "bf16-table-exact-factor", L0, "a table in bfloat16, the factor in full").flags("BF16_WEIGHTS");
        bf16Exact.randomInts("ids", Shape.of("queryLen", 5), 0, 9).random("table", table(9, 96), DType.BF16, 0.5, 0).with("hiddenSize", 96).with("embeddingScale", "exact");
        CaseDraft one = list.gemma2("embedding", "one-token", L0, "one token, one channel").flags("SIZE_ONE").with("hiddenSize", 1).with("embeddingScale", "exact");
        ids(one, 0).given("table", table(1, 1), -3);
    }

    private static CaseDraft norm(CaseList list, String name, String comment, double eps) {
        return list.gemma2("rms-norm", name, L0, comment).with("rmsNormEps", eps);
    }

    private static void rmsNorm(CaseList list) {
        Shape w2 = Shape.of("modelDim", 2);
        norm(list, "toy", "by hand: root 5, weights 0 and 1", 0).flags("HAND_CHECKABLE", "NORM_PLUS_ONE").given("x", tokens(1, 2), 1, 7).given("weight", w2, 0, 1);
        norm(list, "toy-eps-inside", "by hand: eps 11 makes the root 6; outside the root it would be 16", 11).flags("HAND_CHECKABLE", "EPS_SHOWS").given("x", tokens(1, 2), 1, 7).given("weight", w2, 0, 1);
        norm(list, "zero-row", "a row of zeros stays zero and is no NaN", 1e-6).flags("ZERO_INPUT").random("x", tokens(3, 8), 1).set("x", 0, 1).random("weight", Shape.of("modelDim", 8), 0.5);
        norm(list, "tiny-values", "values of 1e-4: eps is as large as their mean square", 1e-6).flags("EPS_SHOWS").random("x", tokens(2, 16), 1e-3).random("weight", Shape.of("modelDim", 16), 0.5);
        norm(list, "large-values", "values of 1e15: squares do not fit into float16, their sum does into float32", 1e-6).flags("LARGE_VALUES").random("x", tokens(2, 16), 1e15).random("weight", Shape.of("modelDim", 16), 0.5);
        norm(list, "weight-minus-one", "a weight of -1 switches a channel off", 1e-6).flags("NORM_PLUS_ONE").random("x", tokens(2, 6), 2).random("weight", Shape.of("modelDim", 6), 0.5).set("weight", -1, 2);
        norm(list, "weight-zero", "weights of 0: the plain norm; an implementation without the one gives zeros", 1e-6).flags("NORM_PLUS_ONE").random("x", tokens(2, 6), 2).random("weight", Shape.of("modelDim", 6), 0);
        norm(list, "large-weights", "weights around 20, as real checkpoints have them", 1e-6).flags("NORM_PLUS_ONE", "LARGE_VALUES").random("x", tokens(3, 32), 2).random("weight", Shape.of("modelDim", 32), 10, 20);
        norm(list, "outlier-channel", "one channel a thousand times larger than the others", 1e-6).flags("LARGE_VALUES").random("x", tokens(2, 32), 1).set("x", 1000, 0, 7).set("x", -1000, 1, 31).random("weight", Shape.of("modelDim", 32), 0.5);
        norm(list, "constant-row", "no mean is subtracted: a constant row gives 1 + weight, a LayerNorm gives zeros", 1e-6).flags("NO_MEAN").random("x", tokens(1, 8), 0, 3).random("weight", Shape.of("modelDim", 8), 0.5);
        for (int dim : new int[] {1, 3, 17, 31, 33, 257}) {
            norm(list, "width-" + dim, dim + " channels, around the widths of vector registers", 1e-6).flags(dim == 1 ? "SIZE_ONE" : "ODD_SIZE").random("x", tokens(3, dim), 2, 0.25).random("weight", Shape.of("modelDim", dim), 0.5);
        }
        norm(list, "bf16-weight", "a weight in bfloat16", 1e-6).flags("BF16_WEIGHTS").random("x", tokens(4, 48), 2).random("weight", Shape.of("modelDim", 48), DType.BF16, 1, 0);
        norm(list, "width-3584", "the width of the 9B model, weights in bfloat16", 1e-6).flags("BF16_WEIGHTS").random("x", tokens(1, 3584), 3).random("weight", Shape.of("modelDim", 3584), DType.BF16, 0.5, 0);
    }

    private static CaseDraft projection(CaseList list, String name, String comment, int tokens, int modelDim, int heads, int kvHeads, int headDim, DType dtype) {
        return list.gemma2("qkv-projection", name, L0, comment).random("x", tokens(tokens, modelDim), 1)
                .random("qProj", matrix("qRows", heads * headDim, "modelDim", modelDim), dtype, 0.5, 0)
                .random("kProj", matrix("kvRows", kvHeads * headDim, "modelDim", modelDim), dtype, 0.5, 0)
                .random("vProj", matrix("kvRows", kvHeads * headDim, "modelDim", modelDim), dtype, 0.5, 0)
                .with("numAttentionHeads", heads).with("numKeyValueHeads", kvHeads).with("headDim", headDim);
    }

    private static void qkv(CaseList list) {
        list.gemma2("qkv-projection", "toy", L0, "by hand: two heads, one key/value head").flags("HAND_CHECKABLE").given("x", tokens(2, 2), 1, 2, 3, 4)
                .given("qProj", matrix("qRows", 4, "modelDim", 2), 1, 0, 0, 1, 1, 1, 1, -1).given("kProj", matrix("kvRows", 2, "modelDim", 2), 2, 0, 0, 2)
                .given("vProj", matrix("kvRows", 2, "modelDim", 2), 0, 1, 1, 0).with("numAttentionHeads", 2).with("numKeyValueHeads", 1).with("headDim", 2);
        projection(list, "groups-1", "every query head has its own key/value head", 5, 12, 4, 4, 4, DType.F32).flags("GQA");
        projection(list, "groups-2", "two query heads share a key/value head", 5, 12, 4, 2, 4, DType.F32).flags("GQA");
        projection(list, "groups-8", "eight query heads share one key/value head", 5, 12, 8, 1, 4, DType.F32).flags("GQA");
        projection(list, "head-dim-not-derived", "headDim 6, hiddenSize / heads would be 5", 4, 20, 4, 2, 6, DType.F32).flags("HEAD_DIM_STATED");
        projection(list, "head-dim-larger-than-model", "heads * headDim is twice hiddenSize, as in no small toy but in Gemma 2", 3, 8, 2, 1, 8, DType.F32).flags("HEAD_DIM_STATED");
        projection(list, "odd-sizes", "7 tokens, 13 channels, 3 heads of 2", 7, 13, 3, 1, 2, DType.F32).flags("ODD_SIZE");
        projection(list, "one-token", "one token: an exchange of tokens and heads does not show", 1, 9, 2, 2, 4, DType.F32).flags("SIZE_ONE");
        projection(list, "bf16-weights", "weights in bfloat16", 6, 33, 4, 2, 8, DType.BF16).flags("BF16_WEIGHTS");
        projection(list, "bf16-odd", "weights in bfloat16, a width that fills no register", 3, 7, 2, 1, 2, DType.BF16).flags("BF16_WEIGHTS", "ODD_SIZE");
        projection(list, "cancelling", "inputs of 4096 with alternating signs: large products cancel", 2, 64, 2, 1, 4, DType.F32).flags("CANCELLING_SUM").random("x", tokens(2, 64), 1, 4096);
    }

    private static CaseDraft rope(CaseList list, String name, String comment, int heads, int tokens, int headDim, int start) {
        return list.gemma2("rotary-embedding", name, L0, comment).random("x", queries(heads, tokens, headDim), 1).with("ropeTheta", 10000.0).with("startPosition", start);
    }

    private static void rotary(CaseList list) {
        list.gemma2("rotary-embedding", "toy", L0, "by hand: unit vectors at position 3").flags("HAND_CHECKABLE").given("x", queries(2, 1, 4), 1, 0, 0, 0, 0, 1, 0, 0)
                .with("ropeTheta", 10000.0).with("startPosition", 3);
        rope(list, "position-zero", "position 0 turns nothing; interleaved pairs cannot be told apart here", 2, 1, 8, 0).flags("BLIND_SPOT");
        rope(list, "from-zero", "positions 0 to 4: the second row tells pairs and the first position", 2, 5, 8, 0).flags("ROPE_PAIRS");
        rope(list, "continues", "a decode step at position 7", 4, 1, 8, 7).flags("POSITION_CONTINUES");
        rope(list, "head-dim-2", "one pair: half-split and interleaved are the same", 2, 3, 2, 1).flags("BLIND_SPOT");
        rope(list, "head-dim-6", "an odd number of pairs", 3, 4, 6, 2).flags("ODD_SIZE");
        rope(list, "head-dim-256", "the head size of the 2B and 9B models", 1, 3, 256, 5).flags("ROPE_PAIRS");
        rope(list, "head-dim-128", "the head size of the 27B model", 2, 2, 128, 300).flags("ROPE_PAIRS");
        for (int start : new int[] {255, 1000, 4095, 8190, 32767, 65535, 99999}) {
            rope(list, "position-" + start, "around position " + start + ": tables in low precision and float32 angles drift", 1, 3, 32, start)
                    .flags("POSITION_FAR");
        }
        rope(list, "theta-million", "another base", 2, 3, 16, 40).with("ropeTheta", 1e6).flags("ROPE_PAIRS");
        rope(list, "one-channel-set", "only channel 1 is set: it must appear in channels 1 and 1 + headDim/2", 1, 4, 8, 1).random("x", queries(1, 4, 8), 0).set("x", 1, 0, 1, 1).set("x", 1, 0, 3, 1).flags("ROPE_PAIRS");
        rope(list, "large-values", "values of 1e4: the turn keeps the length", 1, 4, 16, 11).random("x", queries(1, 4, 16), 1e4).flags("LARGE_VALUES");
    }

    private static CaseDraft output(CaseList list, String name, String comment, int heads, int tokens, int headDim, int modelDim, DType dtype) {
        return list.gemma2("output-projection", name, L0, comment).random("context", queries(heads, tokens, headDim), 1)
                .random("oProj", matrix("modelDim", modelDim, "qRows", heads * headDim), dtype, 0.5, 0).with("numAttentionHeads", heads).with("headDim", headDim);
    }

    private static void outputProjection(CaseList list) {
        list.gemma2("output-projection", "toy", L0, "by hand: without the exchange of heads and tokens the rows would be 1, 3 and 10, 30").flags("HAND_CHECKABLE", "HEADS_AND_TOKENS")
                .given("context", queries(2, 2, 1), 1, 2, 10, 20).given("oProj", matrix("modelDim", 2, "qRows", 2), 1, 0, 1, 1).with("numAttentionHeads", 2).with("headDim", 1);
        output(list, "small", "four heads, five tokens", 4, 5, 6, 12, DType.F32).flags("HEADS_AND_TOKENS");
        output(list, "square", "as many heads as tokens: a forgotten exchange keeps the shape", 4, 4, 4, 8, DType.F32).flags("HEADS_AND_TOKENS");
        output(list, "one-token", "one token: a forgotten exchange does not show", 3, 1, 4, 8, DType.F32).flags("BLIND_SPOT");
        output(list, "odd-sizes", "3 heads of 5, 7 tokens, 11 channels", 3, 7, 5, 11, DType.F32).flags("ODD_SIZE");
        output(list, "narrow-model", "heads * headDim is four times hiddenSize", 4, 3, 8, 8, DType.F32).flags("HEAD_DIM_STATED");
        output(list, "bf16-weights", "weights in bfloat16", 4, 6, 8, 20, DType.BF16).flags("BF16_WEIGHTS");
        output(list, "cancelling", "heads that nearly cancel", 2, 3, 32, 6, DType.F32).random("context", queries(2, 3, 32), 1, 1024).flags("CANCELLING_SUM");
    }

    private static void residual(CaseList list) {
        list.gemma2("residual-add", "toy", L0, "by hand").flags("HAND_CHECKABLE").given("x", tokens(1, 2), 1, 2).given("branch", tokens(1, 2), 10, 20);
        list.gemma2("residual-add", "small", L0, "five tokens, 24 channels").random("x", tokens(5, 24), 3).random("branch", tokens(5, 24), 1);
        list.gemma2("residual-add", "odd-sizes", L0, "7 tokens, 13 channels").flags("ODD_SIZE").random("x", tokens(7, 13), 3).random("branch", tokens(7, 13), 1);
        list.gemma2("residual-add", "cancelling", L0, "a branch that takes nearly everything away").flags("CANCELLING_SUM").random("x", tokens(2, 16), 0.5, 100).random("branch", tokens(2, 16), 0.5, -100);
        list.gemma2("residual-add", "small-branch", L0, "a branch a million times smaller than the stream").flags("LARGE_VALUES").random("x", tokens(2, 16), 1000).random("branch", tokens(2, 16), 1e-3);
        list.gemma2("residual-add", "one-value", L0, "one number").flags("SIZE_ONE").random("x", tokens(1, 1), 1).random("branch", tokens(1, 1), 1);
    }

    private static CaseDraft feed(CaseList list, String name, String comment, int tokens, int modelDim, int ffnDim, DType dtype, double scale) {
        return list.gemma2("feed-forward", name, L0, comment).random("x", tokens(tokens, modelDim), 1)
                .random("gateProj", matrix("ffnDim", ffnDim, "modelDim", modelDim), dtype, scale, 0)
                .random("upProj", matrix("ffnDim", ffnDim, "modelDim", modelDim), dtype, scale, 0)
                .random("downProj", matrix("modelDim", modelDim, "ffnDim", ffnDim), dtype, scale, 0).with("hiddenActivation", "gelu_pytorch_tanh");
    }

    private static CaseDraft scalarFeed(CaseList list, String name, String comment, double gate, double up, double down) {
        return list.gemma2("feed-forward", name, L0, comment).given("x", tokens(1, 1), 1).given("gateProj", matrix("ffnDim", 1, "modelDim", 1), gate)
                .given("upProj", matrix("ffnDim", 1, "modelDim", 1), up).given("downProj", matrix("modelDim", 1, "ffnDim", 1), down).with("hiddenActivation", "gelu_pytorch_tanh");
    }

    private static void feedForward(CaseList list) {
        scalarFeed(list, "toy", "by hand: gelu(1) * 2 * 3", 1, 2, 3).flags("HAND_CHECKABLE", "GELU_FORM");
        scalarFeed(list, "toy-negative-gate", "by hand: gelu(-1) * 2 * 3; ReLU and SiLU give something else", -1, 2, 3).flags("HAND_CHECKABLE", "GELU_FORM");
        scalarFeed(list, "gelu-far-left", "gelu(-8) is nearly 0, not -8; gelu(2) beside it sets the scale", -8, 2, 3).given("x", tokens(2, 1), 1, -0.25).flags("GELU_FORM");
        scalarFeed(list, "gelu-far-right", "gelu(9) is 9", 9, 2, 3).flags("GELU_FORM");
        scalarFeed(list, "gelu-widest-gap", "near 2 the tanh and the erf form differ most", 2.3, 1, 1).flags("GELU_FORM");
        feed(list, "small", "three tokens, 12 channels, 20 inside", 3, 12, 20, DType.F32, 0.5).flags("GELU_FORM");
        feed(list, "odd-sizes", "5 tokens, 7 channels, 13 inside", 5, 7, 13, DType.F32, 0.5).flags("ODD_SIZE");
        feed(list, "square", "ffnDim = modelDim: exchanged or transposed matrices keep their shape", 3, 8, 8, DType.F32, 0.7).flags("SQUARE_WEIGHTS");
        feed(list, "bf16-weights", "weights in bfloat16", 4, 16, 48, DType.BF16, 0.4).flags("BF16_WEIGHTS");
        feed(list, "large-activations", "gates of several hundred", 2, 16, 24, DType.F32, 8).random("x", tokens(2, 16), 10).flags("LARGE_VALUES");
        feed(list, "zero-row", "a row of zeros gives zeros", 2, 8, 12, DType.F32, 0.5).set("x", 0, 0).flags("ZERO_INPUT");
    }

    private static CaseDraft head(CaseList list, String name, String comment, int tokens, int modelDim, int vocab, DType dtype, double scale, Double cap) {
        return list.gemma2("lm-head", name, L0, comment).random("x", tokens(tokens, modelDim), 2).random("table", table(vocab, modelDim), dtype, scale, 0)
                .with("finalLogitSoftcapping", cap);
    }

    private static void head(CaseList list) {
        list.gemma2("lm-head", "toy", L0, "by hand: 10, 30 and 60 before the cap").flags("HAND_CHECKABLE", "FINAL_CAP").given("x", tokens(1, 2), 1, 1)
                .given("table", table(3, 2), 10, 0, 0, 30, 30, 30).with("finalLogitSoftcapping", 30.0);
        list.gemma2("lm-head", "toy-no-cap", L0, "by hand: the same without a cap").flags("HAND_CHECKABLE").given("x", tokens(1, 2), 1, 1)
                .given("table", table(3, 2), 10, 0, 0, 30, 30, 30).with("finalLogitSoftcapping", null);
        head(list, "cap-bites", "logits of several hundred before the cap", 3, 32, 17, DType.F32, 8, 30.0).flags("FINAL_CAP");
        head(list, "cap-hardly-bites", "logits around 1: the cap changes the fourth digit", 3, 16, 17, DType.F32, 0.25, 30.0).flags("FINAL_CAP");
        head(list, "no-cap", "no cap", 3, 16, 17, DType.F32, 1, null).flags("FINAL_CAP");
        head(list, "other-cap", "a cap of 5", 3, 16, 17, DType.F32, 1, 5.0).flags("FINAL_CAP");
        head(list, "odd-sizes", "7 channels, a vocabulary of 97", 2, 7, 97, DType.F32, 1, 30.0).flags("ODD_SIZE");
        head(list, "bf16-table", "a table in bfloat16", 2, 24, 50, DType.BF16, 1, 30.0).flags("BF16_WEIGHTS");
        head(list, "one-row", "a vocabulary of one", 1, 5, 1, DType.F32, 1, 30.0).flags("SIZE_ONE");
        head(list, "equal-rows", "two ids with the same row: equal logits, the lowest id is the largest", 2, 8, 6, DType.F32, 1, 30.0).set("table", 0.5, 2).set("table", 0.5, 4).flags("EQUAL_SCORES");
        head(list, "cancelling", "large terms that cancel", 2, 64, 9, DType.F32, 1, 30.0).random("x", tokens(2, 64), 1, 2048).random("table", table(9, 64), 0.001).flags("CANCELLING_SUM");
    }
}
