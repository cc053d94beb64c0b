package org.dhsa.opencl;

import org.dhsa.stage.ResidualAdd;

/// The branch added to the stream. Kernel: `residual-add.cl`. Twin: `ResidualAddReference`.
final class OpenClResidualAdd implements ResidualAdd {

    private final OpenClContext context;

    OpenClResidualAdd(OpenClContext context) {
        this.context = context;
    }

    @Override
    public Output apply(Input in) {
        DeviceTensor x = DeviceTensor.of(context, in.x());
        DeviceTensor branch = DeviceTensor.of(context, in.branch());
        DeviceTensor y = DeviceTensor.allocate(context, x.shape());
        int rows = x.shape().extent("queryLen");
        int modelDim = x.shape().extent("modelDim");
        context.program("residual-add").kernel("residual_add")
                .args(x.buffer(), x.offset(), x.stride(), branch.buffer(), branch.offset(), branch.stride(), y.buffer(), rows, modelDim)
                .run(modelDim, context.group("residual-add"), rows, 1);
        return new Output(y);
    }
}
