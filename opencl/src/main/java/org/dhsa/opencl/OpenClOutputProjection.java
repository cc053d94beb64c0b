package org.dhsa.opencl;

import org.dhsa.stage.OutputProjection;
import org.dhsa.tensor.Shape;

/// A matrix product that reads the heads where they lie. Kernel: `matrix-product.cl`. Twin: `OutputProjectionReference`.
final class OpenClOutputProjection implements OutputProjection {

    private final OpenClContext context;
    private final MatrixProduct product;

    OpenClOutputProjection(OpenClContext context, MatrixProduct product) {
        this.context = context;
        this.product = product;
    }

    @Override
    public Output apply(Input in) {
        DeviceTensor x = DeviceTensor.of(context, in.context());
        int tokens = x.shape().extent("queryLen");
        DeviceTensor y = DeviceTensor.allocate(context, Shape.of("queryLen", tokens, "modelDim", Math.toIntExact(in.oProj().dim(0))));
        product.multiply(MatrixProduct.Place.heads(x), tokens, context.weights().matrix(in.oProj()), MatrixProduct.Place.rows(y));
        return new Output(y);
    }
}
