package org.dhsa.stage;

import org.dhsa.tensor.Tensor;

/// The branch added to the stream.
///
///     y = x + branch
public interface ResidualAdd extends StageOp<ResidualAdd.Input, ResidualAdd.Output> {

    /// @param x      `[queryLen, modelDim]`
    /// @param branch `[queryLen, modelDim]`
    record Input(Tensor x, Tensor branch) {
        public Input {
            x.shape().require("queryLen", "modelDim");
            if (!x.shape().equals(branch.shape())) {
                throw new IllegalArgumentException("cannot add " + branch.shape() + " to " + x.shape());
            }
        }
    }

    /// @param hidden `[queryLen, modelDim]`
    record Output(Tensor hidden) {}
}
