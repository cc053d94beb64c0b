package org.dhsa.opencl;

import org.dhsa.model.WeightTensor;
import org.dhsa.stage.QkvProjection;
import org.dhsa.tensor.Shape;

/// Queries, keys and values: three matrix products that store the heads apart. Kernel: `matrix-product.cl`.
/// Twin: `QkvProjectionReference`.
final class OpenClQkvProjection implements QkvProjection {

    private final OpenClContext context;
    private final MatrixProduct product;

    OpenClQkvProjection(OpenClContext context, MatrixProduct product) {
        this.context = context;
        this.product = product;
    }

    @Override
    public Output apply(Input in) {
        DeviceTensor x = DeviceTensor.of(context, in.x());
        return new Output(
                heads(x, in.qProj(), in.headDim(), "heads", "queryLen"),
                heads(x, in.kProj(), in.headDim(), "kvHeads", "keyLen"),
                heads(x, in.vProj(), in.headDim(), "kvHeads", "keyLen"));
    }

    private DeviceTensor heads(DeviceTensor x, WeightTensor weight, int headDim, String headAxis, String tokenAxis) {
        int tokens = x.shape().extent("queryLen");
        DeviceTensor y = DeviceTensor.allocate(context,
                Shape.of(headAxis, Math.toIntExact(weight.dim(0)) / headDim, tokenAxis, tokens, "headDim", headDim));
        product.multiply(MatrixProduct.Place.rows(x), tokens, context.weights().matrix(weight), MatrixProduct.Place.heads(y));
        return y;
    }
}
