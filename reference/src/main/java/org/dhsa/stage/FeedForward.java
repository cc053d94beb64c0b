package org.dhsa.stage;

import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.Tensor;

/// Gated feed-forward with the tanh form of GELU on the gate.
///
///     y = Wdown ( gelu(Wgate x) ⊙ (Wup x) )
///     gelu(z) = z/2 · (1 + tanh(√(2/π) · (z + 0.044715 z³)))
public interface FeedForward extends StageOp<FeedForward.Input, FeedForward.Output> {

    /// @param x        `[queryLen, modelDim]`
    /// @param gateProj `[ffnDim, modelDim]`
    /// @param upProj   `[ffnDim, modelDim]`
    /// @param downProj `[modelDim, ffnDim]`
    record Input(Tensor x, WeightTensor gateProj, WeightTensor upProj, WeightTensor downProj) {
        public Input {
            int modelDim = x.shape().require("queryLen", "modelDim").extent("modelDim");
            gateProj.require(gateProj.dim(0), modelDim);
            upProj.require(gateProj.dim(0), modelDim);
            downProj.require(modelDim, gateProj.dim(0));
        }
    }

    /// @param hidden `[queryLen, modelDim]`
    record Output(Tensor hidden) {}
}
