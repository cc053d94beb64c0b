package org.dhsa.reference.gemma;

import org.dhsa.model.WeightTensor;
import org.dhsa.reference.ejml.Linear;
import org.dhsa.stage.QkvProjection;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Queries, keys and values, heads apart.
///
///     q = x Wqᵀ,  k = x Wkᵀ,  v = x Wvᵀ
///
/// **Shapes** x `[queryLen, modelDim]` (read), results `[heads, queryLen, headDim]` and twice `[kvHeads, keyLen, headDim]` (new).
/// **Reading** a linear map, then tokens and heads change places so that one head's rows lie together.
/// **Golden** `gemma2/base_f32`, tensor `layers.0.v` (the only one of the three that the rotary embedding leaves alone).
/// **Pitfall** heads * headDim is not modelDim in Gemma 2.
public final class QkvProjectionReference implements QkvProjection {

    @Override
    public Output apply(Input in) {
        DoubleTensor x = in.x().toDouble();
        return new Output(
                heads(x, in.qProj(), in.headDim(), "heads", "queryLen"),
                heads(x, in.kProj(), in.headDim(), "kvHeads", "keyLen"),
                heads(x, in.vProj(), in.headDim(), "kvHeads", "keyLen"));
    }

    private static DoubleTensor heads(DoubleTensor x, WeightTensor weight, int headDim, String headAxis, String tokenAxis) {
        int tokens = x.shape().extent("queryLen");
        int heads = Math.toIntExact(weight.dim(0)) / headDim;
        // [tokens, heads, headDim]
        double[] y = Linear.apply(x.data(), tokens, weight);
        return DoubleTensor.of(Shape.of(tokenAxis, tokens, headAxis, heads, "headDim", headDim), y)
                .swapFirstTwo(Shape.of(headAxis, heads, tokenAxis, tokens, "headDim", headDim));
    }
}
