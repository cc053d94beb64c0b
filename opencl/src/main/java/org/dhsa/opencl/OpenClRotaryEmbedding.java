package org.dhsa.opencl;

import org.dhsa.stage.RotaryEmbedding;

/// Half-split rotary embedding. Kernel: `rotary-embedding.cl`. Twin: `RotaryEmbeddingReference`.
///
/// Cosines and sines are made here in FP64 and uploaded once for the queries and keys of all layers.
final class OpenClRotaryEmbedding implements RotaryEmbedding {

    private record Angles(int start, int tokens, int half, double theta) {}

    private final OpenClContext context;
    private Angles angles;
    private OpenClBuffer cosines;
    private OpenClBuffer sines;

    OpenClRotaryEmbedding(OpenClContext context) {
        this.context = context;
    }

    @Override
    public Output apply(Input in) {
        DeviceTensor x = DeviceTensor.of(context, in.x());
        int heads = x.shape().extent(0);
        int tokens = x.shape().extent(1);
        int headDim = x.shape().extent("headDim");
        prepare(new Angles(in.startPosition(), tokens, headDim / 2, in.theta()));
        DeviceTensor y = DeviceTensor.allocate(context, x.shape());
        int group = context.group("rotary-embedding");
        context.program("rotary-embedding").kernel("rotary_embedding")
                .args(x.buffer(), x.offset(), x.stride(), cosines, sines, y.buffer(), tokens, headDim)
                .run(new long[] {OpenClKernel.roundUp(headDim / 2, group), tokens, heads}, new long[] {group, 1, 1});
        return new Output(y);
    }

    private void prepare(Angles wanted) {
        if (wanted.equals(angles)) {
            return;
        }
        int half = wanted.half();
        float[] cos = new float[Math.multiplyExact(wanted.tokens(), half)];
        float[] sin = new float[cos.length];
        for (int j = 0; j < half; j++) {
            double frequency = Math.pow(wanted.theta(), -2.0 * j / (2 * half));
            for (int t = 0; t < wanted.tokens(); t++) {
                double angle = (wanted.start() + t) * frequency;
                cos[t * half + j] = (float) Math.cos(angle);
                sin[t * half + j] = (float) Math.sin(angle);
            }
        }
        cosines = context.upload(cos);
        sines = context.upload(sin);
        angles = wanted;
    }
}
