package org.dhsa.stage;

import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.Tensor;

/// Heads laid end to end, then one linear map back to the model's width.
///
///     y = concat(o₁ … o_H) Woᵀ
public interface OutputProjection extends StageOp<OutputProjection.Input, OutputProjection.Output> {

    /// @param context `[heads, queryLen, headDim]`
    /// @param oProj   `[modelDim, heads * headDim]`
    record Input(Tensor context, WeightTensor oProj) {
        public Input {
            context.shape().require("heads", "queryLen", "headDim");
            oProj.require(oProj.dim(0), (long) context.shape().extent("heads") * context.shape().extent("headDim"));
        }
    }

    /// @param hidden `[queryLen, modelDim]`
    record Output(Tensor hidden) {}
}
