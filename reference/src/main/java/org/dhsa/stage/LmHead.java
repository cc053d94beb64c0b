package org.dhsa.stage;

import java.util.OptionalDouble;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.Tensor;

/// Normed hidden states to logits over the vocabulary, with the embedding as output matrix.
///
///     z = cap · tanh(E x / cap)
public interface LmHead extends StageOp<LmHead.Input, LmHead.Output> {

    /// @param x       `[queryLen, modelDim]`, after the final norm
    /// @param table   `[vocab, modelDim]`, the embedding
    /// @param softCap 30 in every released model, empty for none
    record Input(Tensor x, WeightTensor table, OptionalDouble softCap) {
        public Input {
            table.require(table.dim(0), x.shape().require("queryLen", "modelDim").extent("modelDim"));
        }
    }

    /// @param logits `[queryLen, vocab]`
    record Output(Tensor logits) {}
}
