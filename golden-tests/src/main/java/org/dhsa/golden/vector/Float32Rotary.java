package org.dhsa.golden.vector;

import org.dhsa.tensor.DoubleTensor;

/// The rotary embedding as published float32 code computes it: inverse frequencies, angles, cosines all in float32.
///
/// Its angles are wrong by up to position * 2^-24, which a table in FP64 would hide. A port that does as the published code
/// does must pass, so this error counts as the baseline too.
final class Float32Rotary {

    private Float32Rotary() {}

    /// Largest distance from the truth.
    static double error(CaseDraft draft, double[] truth) {
        DoubleTensor x = draft.tensors().get("x").toDouble();
        int headDim = x.shape().extent("headDim");
        int tokens = x.shape().extent(1);
        int half = headDim / 2;
        float theta = (float) draft.config().get("ropeTheta").doubleValue();
        int start = draft.config().get("startPosition").intValue();
        double worst = 0;
        for (int row = 0; row < x.data().length / headDim; row++) {
            for (int j = 0; j < half; j++) {
                float frequency = 1 / (float) Math.pow(theta, (float) (2 * j) / headDim);
                float angle = (start + row % tokens) * frequency;
                float cos = (float) Math.cos(angle);
                float sin = (float) Math.sin(angle);
                float a = (float) x.data()[row * headDim + j];
                float b = (float) x.data()[row * headDim + half + j];
                worst = Math.max(worst, Math.abs(a * cos - b * sin - truth[row * headDim + j]));
                worst = Math.max(worst, Math.abs(b * cos + a * sin - truth[row * headDim + half + j]));
            }
        }
        return worst;
    }
}
