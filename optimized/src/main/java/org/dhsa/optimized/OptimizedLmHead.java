package org.dhsa.optimized;

import org.dhsa.stage.LmHead;
import org.dhsa.tensor.Shape;

/// Logits over the vocabulary, read from the mapped embedding. Twin: `LmHeadReference`.
final class OptimizedLmHead implements LmHead {

    private final Gemm gemm;

    OptimizedLmHead(Gemm gemm) {
        this.gemm = gemm;
    }

    @Override
    public Output apply(Input in) {
        FloatTensor x = FloatTensor.of(in.x());
        int tokens = x.shape().extent("queryLen");
        int vocab = Math.toIntExact(in.table().dim(0));
        FloatTensor logits = FloatTensor.zeros(Shape.of("queryLen", tokens, "vocab", vocab));
        gemm.multiply(x.data(), x.offset(), x.stride(), tokens, in.table(), logits.data(), 0);
        in.softCap().ifPresent(cap -> {
            for (int i = 0; i < logits.data().length; i++) {
                logits.data()[i] = (float) (cap * Math.tanh(logits.data()[i] / cap));
            }
        });
        return new Output(logits);
    }
}
