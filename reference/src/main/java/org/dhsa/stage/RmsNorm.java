package org.dhsa.stage;

import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.Tensor;

/// Root-mean-square norm over the last axis, times one plus the stored weight.
///
///     y = x / √(mean(x²) + eps) · (1 + w)
public interface RmsNorm extends StageOp<RmsNorm.Input, RmsNorm.Output> {

    /// @param x      `[queryLen, modelDim]`
    /// @param weight `[modelDim]`, as stored: without the one
    record Input(Tensor x, WeightTensor weight, double eps) {
        public Input {
            x.shape().require("queryLen", "modelDim");
            weight.require(x.shape().extent("modelDim"));
        }
    }

    /// @param normed `[queryLen, modelDim]`
    record Output(Tensor normed) {}
}
