package org.dhsa.stage;

import org.dhsa.tensor.Tensor;

/// Causal attention over every visible key, with soft cap and window.
///
///     sᵢⱼ = cap · tanh(scale · qᵢ·kⱼ / cap)      for j visible from i
///     oᵢ  = Σⱼ softmax(sᵢ)ⱼ vⱼ
///
/// Query head h reads key/value head `h / (heads / kvHeads)`. A row that sees no key gives zeros.
public interface DenseAttention extends StageOp<DenseAttention.Input, DenseAttention.Output> {

    /// @param query `[heads, queryLen, headDim]`, after the rotary embedding, not yet scaled
    /// @param key   `[kvHeads, keyLen, headDim]`, after the rotary embedding
    /// @param value `[kvHeads, keyLen, headDim]`
    record Input(Tensor query, Tensor key, Tensor value, AttentionRule rule) {
        public Input {
            requireAttentionShapes(query, key, value);
        }
    }

    /// @param context   `[heads, queryLen, headDim]`
    /// @param pairsRead query-key pairs really read, every query head counted
    record Output(Tensor context, long pairsRead) {}

    static void requireAttentionShapes(Tensor query, Tensor key, Tensor value) {
        int heads = query.shape().require("heads", "queryLen", "headDim").extent("heads");
        int kvHeads = key.shape().require("kvHeads", "keyLen", "headDim").extent("kvHeads");
        key.shape().requireExtent("headDim", query.shape().extent("headDim"));
        if (!value.shape().equals(key.shape())) {
            throw new IllegalArgumentException("value " + value.shape() + " must have the shape of key " + key.shape());
        }
        if (kvHeads == 0 || heads % kvHeads != 0) {
            throw new IllegalArgumentException("heads " + heads + " must be a multiple of kvHeads " + kvHeads);
        }
    }
}
