package org.dhsa.optimized;

import org.dhsa.model.WeightTensor;
import org.dhsa.stage.QkvProjection;
import org.dhsa.tensor.Shape;

/// Queries, keys and values: three matrix products, then heads and tokens change places. Twin: `QkvProjectionReference`.
final class OptimizedQkvProjection implements QkvProjection {

    private final Gemm gemm;
    private final Workers workers;

    OptimizedQkvProjection(Gemm gemm, Workers workers) {
        this.gemm = gemm;
        this.workers = workers;
    }

    @Override
    public Output apply(Input in) {
        FloatTensor x = FloatTensor.of(in.x());
        return new Output(
                heads(x, in.qProj(), in.headDim(), "heads", "queryLen"),
                heads(x, in.kProj(), in.headDim(), "kvHeads", "keyLen"),
                heads(x, in.vProj(), in.headDim(), "kvHeads", "keyLen"));
    }

    private FloatTensor heads(FloatTensor x, WeightTensor weight, int headDim, String headAxis, String tokenAxis) {
        int tokens = x.shape().extent("queryLen");
        int width = Math.toIntExact(weight.dim(0));
        int heads = width / headDim;
        // [tokens, heads * headDim]
        float[] y = new float[Math.multiplyExact(tokens, width)];
        gemm.multiply(x.data(), x.offset(), x.stride(), tokens, weight, y, 0);
        FloatTensor out = FloatTensor.of(Shape.of(headAxis, heads, tokenAxis, tokens, "headDim", headDim), tokens == 1 ? y : new float[y.length]);
        if (tokens > 1) {
            workers.run(heads, (h, worker) -> {
                for (int t = 0; t < tokens; t++) {
                    System.arraycopy(y, t * width + h * headDim, out.data(), (h * tokens + t) * headDim, headDim);
                }
            });
        }
        return out;
    }
}
