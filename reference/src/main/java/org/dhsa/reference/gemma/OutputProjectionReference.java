package org.dhsa.reference.gemma;

import org.dhsa.reference.ejml.Linear;
import org.dhsa.stage.OutputProjection;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Heads laid end to end, then a linear map.
///
///     y = concat(o₁ … o_H) Woᵀ
///
/// **Shapes** context `[heads, queryLen, headDim]` (read), result `[queryLen, modelDim]` (new).
/// **Reading** heads and tokens change places, which is the concatenation; then one matrix product.
/// **Golden** `gemma2/base_f32`, tensor `layers.0.attn_output`.
/// **Pitfall** the concatenation is per token: head 0's channels, then head 1's.
public final class OutputProjectionReference implements OutputProjection {

    @Override
    public Output apply(Input in) {
        DoubleTensor context = in.context().toDouble();
        int heads = context.shape().extent("heads");
        int tokens = context.shape().extent("queryLen");
        int headDim = context.shape().extent("headDim");
        // [queryLen, heads, headDim]
        DoubleTensor concatenated = context.swapFirstTwo(Shape.of("queryLen", tokens, "heads", heads, "headDim", headDim));
        double[] y = Linear.apply(concatenated.data(), tokens, in.oProj());
        return new Output(DoubleTensor.of(Shape.of("queryLen", tokens, "modelDim", Math.toIntExact(in.oProj().dim(0))), y));
    }
}
