package org.dhsa.opencl;

import org.dhsa.stage.RmsNorm;

/// Root-mean-square norm, a work-group per row. Kernel: `rms-norm.cl`. Twin: `RmsNormReference`.
final class OpenClRmsNorm implements RmsNorm {

    private final OpenClContext context;

    OpenClRmsNorm(OpenClContext context) {
        this.context = context;
    }

    @Override
    public Output apply(Input in) {
        DeviceTensor x = DeviceTensor.of(context, in.x());
        int modelDim = x.shape().extent("modelDim");
        DeviceTensor y = DeviceTensor.allocate(context, x.shape());
        int group = context.tuning().of("rms-norm").getOrDefault("WG", 1);
        context.program("rms-norm").kernel("rms_norm")
                .args(x.buffer(), x.offset(), x.stride(), context.weights().vector(in.weight()).buffer(), y.buffer(), modelDim, (float) in.eps())
                .run((long) x.shape().extent("queryLen") * group, group);
        return new Output(y);
    }
}
