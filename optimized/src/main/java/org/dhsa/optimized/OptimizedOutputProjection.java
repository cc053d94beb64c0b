package org.dhsa.optimized;

import org.dhsa.stage.OutputProjection;
import org.dhsa.tensor.Shape;

/// Heads laid end to end, then a matrix product, in tiles of tokens. Twin: `OutputProjectionReference`.
final class OptimizedOutputProjection implements OutputProjection {

    private static final int TOKEN_TILE = 512;

    private final Gemm gemm;
    private final Workers workers;

    OptimizedOutputProjection(Gemm gemm, Workers workers) {
        this.gemm = gemm;
        this.workers = workers;
    }

    @Override
    public Output apply(Input in) {
        FloatTensor context = FloatTensor.of(in.context());
        int heads = context.shape().extent("heads");
        int tokens = context.shape().extent("queryLen");
        int headDim = context.shape().extent("headDim");
        int width = heads * headDim;
        int modelDim = Math.toIntExact(in.oProj().dim(0));
        FloatTensor hidden = FloatTensor.zeros(Shape.of("queryLen", tokens, "modelDim", modelDim));
        float[] tile = new float[Math.min(TOKEN_TILE, tokens) * width];
        for (int from = 0; from < tokens; from += TOKEN_TILE) {
            int first = from;
            int rows = Math.min(TOKEN_TILE, tokens - from);
            workers.run(heads, (h, worker) -> {
                for (int t = 0; t < rows; t++) {
                    System.arraycopy(context.data(), context.offset() + h * context.stride() + (first + t) * headDim, tile, t * width + h * headDim, headDim);
                }
            });
            gemm.multiply(tile, 0, width, rows, in.oProj(), hidden.data(), from * modelDim);
        }
        return new Output(hidden);
    }
}
