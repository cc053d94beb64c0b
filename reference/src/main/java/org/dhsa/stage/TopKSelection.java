package org.dhsa.stage;

import org.dhsa.model.DhsaConfig;
import org.dhsa.tensor.Tensor;

/// The keys that each query block may read: the forced ones, then the best scores until the budget is spent.
///
/// Equal scores are taken lowest position first. All tokens of a chunk share a score, so the cut nearly always falls among
/// equals; the output says how clear it was and which keys were tied.
public interface TopKSelection extends StageOp<TopKSelection.Input, TopKSelection.Output> {

    /// @param tokenScores `[queryBlocks, keyLen]`; row `block.segment()` belongs to a block
    /// @param visibility  of the layer, as Gemma 2 defines it
    /// @param budget      keys per block
    record Input(Tensor tokenScores, QueryBlocks queryBlocks, Visibility visibility, int budget, DhsaConfig config) {
        public Input {
            tokenScores.shape().require("queryBlocks", "keyLen");
            if (budget <= 0) {
                throw new IllegalArgumentException("budget must be positive, was " + budget);
            }
        }
    }

    record Output(KeySelection selection) {}
}
