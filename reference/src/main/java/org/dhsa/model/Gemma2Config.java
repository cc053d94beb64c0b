package org.dhsa.model;

import java.util.List;
import java.util.OptionalDouble;

/// The published Gemma 2 configuration; field names are those of `config.json`, camel-cased.
///
/// `headDim` is stated, never derived: in every Gemma 2 it differs from `hiddenSize / numAttentionHeads`.
/// The scale of attention is `queryPreAttnScalar^-0.5`, which in the 27B model is not `headDim^-0.5`.
///
/// @param attnLogitSoftcapping  cap of the attention logits (50 in every released model), empty for none
/// @param finalLogitSoftcapping cap of the final logits (30), empty for none
/// @param eosTokenIds           generation stops at any of these
public record Gemma2Config(
        int vocabSize,
        int hiddenSize,
        int intermediateSize,
        int numHiddenLayers,
        int numAttentionHeads,
        int numKeyValueHeads,
        int headDim,
        int maxPositionEmbeddings,
        double rmsNormEps,
        double ropeTheta,
        int slidingWindow,
        double queryPreAttnScalar,
        OptionalDouble attnLogitSoftcapping,
        OptionalDouble finalLogitSoftcapping,
        int bosTokenId,
        List<Integer> eosTokenIds,
        int padTokenId) {

    /// @throws IllegalArgumentException naming field and value if a field is out of range or contradicts another
    public Gemma2Config {
        positive("vocab_size", vocabSize);
        positive("hidden_size", hiddenSize);
        positive("intermediate_size", intermediateSize);
        positive("num_hidden_layers", numHiddenLayers);
        positive("num_attention_heads", numAttentionHeads);
        positive("num_key_value_heads", numKeyValueHeads);
        positive("head_dim", headDim);
        positive("max_position_embeddings", maxPositionEmbeddings);
        positive("rms_norm_eps", rmsNormEps);
        positive("rope_theta", ropeTheta);
        positive("sliding_window", slidingWindow);
        positive("query_pre_attn_scalar", queryPreAttnScalar);
        attnLogitSoftcapping.ifPresent(cap -> positive("attn_logit_softcapping", cap));
        finalLogitSoftcapping.ifPresent(cap -> positive("final_logit_softcapping", cap));
        if (numAttentionHeads % numKeyValueHeads != 0) {
            throw new IllegalArgumentException("num_attention_heads must be a multiple of num_key_value_heads, was "
                    + numAttentionHeads + " and " + numKeyValueHeads);
        }
        if (headDim % 2 != 0) {
            throw new IllegalArgumentException("head_dim must be even for the rotary embedding, was " + headDim);
        }
        eosTokenIds = List.copyOf(eosTokenIds);
    }

    private static void positive(String field, double value) {
        if (!(value > 0) || Double.isInfinite(value)) {
            throw new IllegalArgumentException(field + " must be positive, was "
                    + (value == Math.rint(value) && Math.abs(value) < 1e15 ? String.valueOf((long) value) : String.valueOf(value)));
        }
    }

    /// Even layers are local, odd layers are global; layer 0 is local.
    public LayerKind layerKind(int layer) {
        return layer % 2 == 0 ? new LayerKind.Local(slidingWindow) : new LayerKind.Global();
    }

    /// `queryPreAttnScalar^-0.5`, the factor of every attention logit.
    public double attentionScale() {
        return 1.0 / Math.sqrt(queryPreAttnScalar);
    }
}
