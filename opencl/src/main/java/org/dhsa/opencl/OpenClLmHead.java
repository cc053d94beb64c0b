package org.dhsa.opencl;

import org.dhsa.stage.LmHead;
import org.dhsa.tensor.Shape;

/// Logits over the vocabulary, from the embedding on the device. Kernels: `matrix-product.cl`, `lm-head.cl`.
/// Twin: `LmHeadReference`.
final class OpenClLmHead implements LmHead {

    private final OpenClContext context;
    private final MatrixProduct product;

    OpenClLmHead(OpenClContext context, MatrixProduct product) {
        this.context = context;
        this.product = product;
    }

    @Override
    public Output apply(Input in) {
        DeviceTensor x = DeviceTensor.of(context, in.x());
        int tokens = x.shape().extent("queryLen");
        int vocab = Math.toIntExact(in.table().dim(0));
        DeviceTensor logits = DeviceTensor.allocate(context, Shape.of("queryLen", tokens, "vocab", vocab));
        product.multiply(MatrixProduct.Place.rows(x), tokens, context.weights().matrix(in.table()), MatrixProduct.Place.rows(logits));
        in.softCap().ifPresent(cap -> {
            long count = (long) tokens * vocab;
            context.program("lm-head").kernel("soft_cap").args(logits.buffer(), count, (float) cap).run(count, context.group("lm-head"));
        });
        return new Output(logits);
    }
}
