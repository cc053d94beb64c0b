package org.dhsa.stage;

import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.Tensor;

/// Hidden states to queries, keys and values, heads apart.
///
///     q = x Wqᵀ,  k = x Wkᵀ,  v = x Wvᵀ
public interface QkvProjection extends StageOp<QkvProjection.Input, QkvProjection.Output> {

    /// @param x       `[queryLen, modelDim]`
    /// @param qProj   `[heads * headDim, modelDim]`, rows of one head together
    /// @param kProj   `[kvHeads * headDim, modelDim]`
    /// @param vProj   `[kvHeads * headDim, modelDim]`
    record Input(Tensor x, WeightTensor qProj, WeightTensor kProj, WeightTensor vProj, int headDim) {
        public Input {
            int modelDim = x.shape().require("queryLen", "modelDim").extent("modelDim");
            qProj.require(qProj.dim(0), modelDim);
            kProj.require(kProj.dim(0), modelDim);
            vProj.require(kProj.dim(0), modelDim);
            if (qProj.dim(0) % headDim != 0 || kProj.dim(0) % headDim != 0) {
                throw new IllegalArgumentException("headDim " + headDim + " does not divide the rows of " + qProj + " and " + kProj);
            }
        }
    }

    /// @param query `[heads, queryLen, headDim]`
    /// @param key   `[kvHeads, keyLen, headDim]`, keyLen = queryLen
    /// @param value `[kvHeads, keyLen, headDim]`
    record Output(Tensor query, Tensor key, Tensor value) {}
}
