package org.dhsa.model;

import java.util.List;

/// All weights of a Gemma 2 model, in their stored type.
///
/// Linear weights are `[out, in]` as in the published checkpoints: `y = x Wᵀ`. The embedding is also the output head.
/// Norm weights are the stored `w`; the norm multiplies by `1 + w`.
///
/// @param embedTokens `[vocab, modelDim]`
/// @param norm        the final norm, `[modelDim]`
public record Gemma2Weights(WeightTensor embedTokens, List<Layer> layers, WeightTensor norm) {

    /// One decoder layer; names are those of the checkpoint.
    ///
    /// @param qProj    `[heads * headDim, modelDim]`
    /// @param kProj    `[kvHeads * headDim, modelDim]`
    /// @param vProj    `[kvHeads * headDim, modelDim]`
    /// @param oProj    `[modelDim, heads * headDim]`
    /// @param gateProj `[ffnDim, modelDim]`
    /// @param upProj   `[ffnDim, modelDim]`
    /// @param downProj `[modelDim, ffnDim]`
    public record Layer(
            WeightTensor inputLayernorm,
            WeightTensor qProj,
            WeightTensor kProj,
            WeightTensor vProj,
            WeightTensor oProj,
            WeightTensor postAttentionLayernorm,
            WeightTensor preFeedforwardLayernorm,
            WeightTensor gateProj,
            WeightTensor upProj,
            WeightTensor downProj,
            WeightTensor postFeedforwardLayernorm) {}

    public Gemma2Weights {
        layers = List.copyOf(layers);
    }

    /// Checks every weight against the configuration and returns this.
    ///
    /// @throws IllegalArgumentException naming the weight, what was expected and what is there
    public Gemma2Weights require(Gemma2Config c) {
        long d = c.hiddenSize();
        long q = (long) c.numAttentionHeads() * c.headDim();
        long kv = (long) c.numKeyValueHeads() * c.headDim();
        long f = c.intermediateSize();
        if (layers.size() != c.numHiddenLayers()) {
            throw new IllegalArgumentException("expected " + c.numHiddenLayers() + " layers, got " + layers.size());
        }
        embedTokens.require(c.vocabSize(), d);
        norm.require(d);
        for (Layer layer : layers) {
            layer.inputLayernorm.require(d);
            layer.qProj.require(q, d);
            layer.kProj.require(kv, d);
            layer.vProj.require(kv, d);
            layer.oProj.require(d, q);
            layer.postAttentionLayernorm.require(d);
            layer.preFeedforwardLayernorm.require(d);
            layer.gateProj.require(f, d);
            layer.upProj.require(f, d);
            layer.downProj.require(d, f);
            layer.postFeedforwardLayernorm.require(d);
        }
        return this;
    }
}
