package org.dhsa.golden.vector;

import static org.dhsa.golden.vector.CaseList.matrix;

import java.util.Map;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;

/// A tiny model with random weights, under the names of the published checkpoints.
///
/// @param weightScale 1 keeps activations of one size from layer to layer; more makes attention logits larger
record ModelDraft(int vocab, int modelDim, int ffnDim, int layers, int heads, int kvHeads, int headDim, int window, double scalar, Double cap, Double finalCap, DType dtype, double weightScale) {

    static final ModelDraft TINY = new ModelDraft(23, 12, 20, 2, 4, 2, 4, 4, 6, 50.0, 30.0, DType.F32, 1);

    ModelDraft layers(int n) {
        return new ModelDraft(vocab, modelDim, ffnDim, n, heads, kvHeads, headDim, window, scalar, cap, finalCap, dtype, weightScale);
    }

    ModelDraft heads(int h, int g, int d) {
        return new ModelDraft(vocab, modelDim, ffnDim, layers, h, g, d, window, scalar, cap, finalCap, dtype, weightScale);
    }

    ModelDraft window(int w) {
        return new ModelDraft(vocab, modelDim, ffnDim, layers, heads, kvHeads, headDim, w, scalar, cap, finalCap, dtype, weightScale);
    }

    ModelDraft caps(Double attention, Double last) {
        return new ModelDraft(vocab, modelDim, ffnDim, layers, heads, kvHeads, headDim, window, scalar, attention, last, dtype, weightScale);
    }

    ModelDraft bf16() {
        return new ModelDraft(vocab, modelDim, ffnDim, layers, heads, kvHeads, headDim, window, scalar, cap, finalCap, DType.BF16, weightScale);
    }

    ModelDraft loud(double scale) {
        return new ModelDraft(vocab, modelDim, ffnDim, layers, heads, kvHeads, headDim, window, scalar, cap, finalCap, dtype, scale);
    }

    ModelDraft sizes(int v, int d, int f) {
        return new ModelDraft(v, d, f, layers, heads, kvHeads, headDim, window, scalar, cap, finalCap, dtype, weightScale);
    }

    private Map<String, Object> common() {
        return CaseList.parameters("hiddenSize", modelDim, "intermediateSize", ffnDim, "numAttentionHeads", heads, "numKeyValueHeads", kvHeads, "headDim", headDim,
                "rmsNormEps", 1e-6, "ropeTheta", 10000.0, "slidingWindow", window, "queryPreAttnScalar", scalar, "attnLogitSoftcapping", cap);
    }

    CaseDraft into(CaseDraft draft, String embeddingScale) {
        draft.with(CaseList.parameters("vocabSize", vocab, "numHiddenLayers", layers)).with(common()).with("finalLogitSoftcapping", finalCap).with("embeddingScale", embeddingScale);
        draft.random("model.embed_tokens.weight", matrix("vocab", vocab, "modelDim", modelDim), dtype, weightScale, 0);
        for (int l = 0; l < layers; l++) {
            layer(draft, l);
        }
        return norm(draft, "model.norm.weight");
    }

    /// One layer alone.
    CaseDraft layerInto(CaseDraft draft, int layer, int tokens) {
        draft.random("x", CaseList.tokens(tokens, modelDim), 2).with("layer", layer).with(common());
        return layer(draft, layer);
    }

    private CaseDraft layer(CaseDraft draft, int l) {
        String p = "model.layers." + l + ".";
        norm(draft, p + "input_layernorm.weight");
        linear(draft, p + "self_attn.q_proj.weight", "qRows", heads * headDim, "modelDim", modelDim, weightScale);
        linear(draft, p + "self_attn.k_proj.weight", "kvRows", kvHeads * headDim, "modelDim", modelDim, weightScale);
        linear(draft, p + "self_attn.v_proj.weight", "kvRows", kvHeads * headDim, "modelDim", modelDim, 1);
        linear(draft, p + "self_attn.o_proj.weight", "modelDim", modelDim, "qRows", heads * headDim, 1);
        norm(draft, p + "post_attention_layernorm.weight");
        norm(draft, p + "pre_feedforward_layernorm.weight");
        linear(draft, p + "mlp.gate_proj.weight", "ffnDim", ffnDim, "modelDim", modelDim, 1);
        linear(draft, p + "mlp.up_proj.weight", "ffnDim", ffnDim, "modelDim", modelDim, 1);
        linear(draft, p + "mlp.down_proj.weight", "modelDim", modelDim, "ffnDim", ffnDim, 1);
        return norm(draft, p + "post_feedforward_layernorm.weight");
    }

    private CaseDraft norm(CaseDraft draft, String name) {
        return draft.random(name, Shape.of("modelDim", modelDim), dtype, 0.4, 0);
    }

    private void linear(CaseDraft draft, String name, String outAxis, int out, String inAxis, int in, double scale) {
        draft.random(name, matrix(outAxis, out, inAxis, in), dtype, scale * Math.sqrt(3.0 / in), 0);
    }
}
