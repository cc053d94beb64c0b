package org.dhsa.optimized;

import org.dhsa.stage.LmHead;
import org.dhsa.tensor.Shape;

/// Logits over the vocabulary, read from the mapped embedding. Twin: `LmHeadReference`.
final class OptimizedLmHead implements LmHead {

    private static final int PER_TASK = 8192;

    private final Gemm gemm;
    private final Kernels kernels;
    private final Workers workers;

    OptimizedLmHead(Gemm gemm, Kernels kernels, Workers workers) {
        this.gemm = gemm;
        this.kernels = kernels;
        this.workers = workers;
    }

    @Override
    public Output apply(Input in) {
        FloatTensor x = FloatTensor.of(in.x());
        int tokens = x.shape().extent("queryLen");
        int vocab = Math.toIntExact(in.table().dim(0));
        FloatTensor logits = FloatTensor.zeros(Shape.of("queryLen", tokens, "vocab", vocab));
        gemm.multiply(x.data(), x.offset(), x.stride(), tokens, in.table(), logits.data(), 0);
        int count = logits.data().length;
        in.softCap().ifPresent(cap -> workers.run((count + PER_TASK - 1) / PER_TASK, (task, worker) ->
                kernels.cap(logits.data(), task * PER_TASK, Math.min(PER_TASK, count - task * PER_TASK), 1, (float) cap)));
        return new Output(logits);
    }
}
