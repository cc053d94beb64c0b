package org.dhsa.optimized;

import org.dhsa.stage.FeedForward;
import org.dhsa.tensor.Shape;

/// Gated feed-forward in tiles of 512 tokens: the `[tile, ffnDim]` buffers are made once and used again, so 100k tokens need
/// no more room than 512. Twin: `FeedForwardReference`.
final class OptimizedFeedForward implements FeedForward {

    private static final int TOKEN_TILE = 512;

    private final Gemm gemm;
    private final Kernels kernels;
    private final Workers workers;
    private float[] gate = new float[0];
    private float[] up = new float[0];

    OptimizedFeedForward(Gemm gemm, Kernels kernels, Workers workers) {
        this.gemm = gemm;
        this.kernels = kernels;
        this.workers = workers;
    }

    @Override
    public Output apply(Input in) {
        FloatTensor x = FloatTensor.of(in.x());
        int tokens = x.shape().extent("queryLen");
        int modelDim = x.shape().extent("modelDim");
        int ffnDim = Math.toIntExact(in.gateProj().dim(0));
        int tile = Math.min(TOKEN_TILE, tokens);
        if (gate.length < tile * ffnDim) {
            gate = new float[tile * ffnDim];
            up = new float[tile * ffnDim];
        }
        FloatTensor hidden = FloatTensor.zeros(Shape.of("queryLen", tokens, "modelDim", modelDim));
        for (int from = 0; from < tokens; from += TOKEN_TILE) {
            int rows = Math.min(TOKEN_TILE, tokens - from);
            int at = x.offset() + from * x.stride();
            gemm.multiply(x.data(), at, x.stride(), rows, in.gateProj(), gate, 0);
            gemm.multiply(x.data(), at, x.stride(), rows, in.upProj(), up, 0);
            workers.run(rows, (row, worker) -> kernels.geluTimes(gate, up, row * ffnDim, ffnDim));
            gemm.multiply(gate, 0, ffnDim, rows, in.downProj(), hidden.data(), from * modelDim);
        }
        return new Output(hidden);
    }
}
