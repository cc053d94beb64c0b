package org.dhsa.stage;

import org.dhsa.tensor.Tensor;

/// Attention over the selected keys only; causal rule and window still hold inside a block.
///
///     oᵢ = Σⱼ softmax(sᵢ)ⱼ vⱼ      over the keys j of i's list that i sees; a key listed twice counts twice
///
/// Rows from `denseFrom` on, the instruction, attend to every visible key. A row that sees no key gives zeros.
public interface SparseAttention extends StageOp<SparseAttention.Input, SparseAttention.Output> {

    /// @param query `[heads, queryLen, headDim]`
    /// @param key   `[kvHeads, keyLen, headDim]`
    /// @param value `[kvHeads, keyLen, headDim]`
    record Input(Tensor query, Tensor key, Tensor value, KeySelection selection, AttentionRule rule) {
        public Input {
            DenseAttention.requireAttentionShapes(query, key, value);
            int last = rule.queryStart() + query.shape().extent("queryLen");
            if (selection.queryBlocks().end() != last) {
                throw new IllegalArgumentException("the selection is for queries up to " + selection.queryBlocks().end()
                        + ", the query rows end at " + last);
            }
        }
    }

    /// @param context   `[heads, queryLen, headDim]`
    /// @param pairsRead query-key pairs really read, every query head counted
    record Output(Tensor context, long pairsRead) {}
}
