package org.dhsa.stage;

import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.Tensor;

/// Token ids to hidden states: row `id` of the table times √modelDim.
///
///     xₜ = E[idₜ] · √modelDim
public interface Embedding extends StageOp<Embedding.Input, Embedding.Output> {

    /// @param ids   token ids, each in `[0, vocab)`
    /// @param table `[vocab, modelDim]`
    record Input(int[] ids, WeightTensor table, EmbeddingScale scale) {
        public Input {
            for (int id : ids) {
                if (id < 0 || id >= table.dim(0)) {
                    throw new IllegalArgumentException("token id " + id + " is outside the vocabulary of " + table.dim(0));
                }
            }
        }
    }

    /// @param hidden `[queryLen, modelDim]`
    record Output(Tensor hidden) {}
}
