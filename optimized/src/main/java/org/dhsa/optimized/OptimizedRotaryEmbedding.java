package org.dhsa.optimized;

import org.dhsa.stage.RotaryEmbedding;

/// Half-split rotary embedding. Twin: `RotaryEmbeddingReference`.
///
/// Angles are made in FP64 and narrowed as cosine and sine: at position 100000 an FP32 angle would be wrong by 0.004.
/// A token's cosines and sines are made once and serve all heads.
final class OptimizedRotaryEmbedding implements RotaryEmbedding {

    private final Workers workers;

    OptimizedRotaryEmbedding(Workers workers) {
        this.workers = workers;
    }

    @Override
    public Output apply(Input in) {
        FloatTensor x = FloatTensor.of(in.x());
        int heads = x.shape().extent(0);
        int tokens = x.shape().extent(1);
        int headDim = x.shape().extent("headDim");
        int half = headDim / 2;
        double[] frequency = new double[half];
        for (int j = 0; j < half; j++) {
            frequency[j] = Math.pow(in.theta(), -2.0 * j / headDim);
        }
        FloatTensor y = FloatTensor.zeros(x.shape());
        workers.run(tokens, (t, worker) -> {
            float[] cos = new float[half];
            float[] sin = new float[half];
            for (int j = 0; j < half; j++) {
                double angle = (in.startPosition() + t) * frequency[j];
                cos[j] = (float) Math.cos(angle);
                sin[j] = (float) Math.sin(angle);
            }
            for (int h = 0; h < heads; h++) {
                int from = x.offset() + h * x.stride() + t * headDim;
                int to = (h * tokens + t) * headDim;
                for (int j = 0; j < half; j++) {
                    float a = x.data()[from + j];
                    float b = x.data()[from + half + j];
                    y.data()[to + j] = a * cos[j] - b * sin[j];
                    y.data()[to + half + j] = b * cos[j] + a * sin[j];
                }
            }
        });
        return new Output(y);
    }
}
