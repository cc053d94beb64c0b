package org.dhsa.reference.gemma;

import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.tensor.DoubleTensor;

/// Rotary position embedding, half-split.
///
///     φ = position · theta^(−2j / headDim)
///     (a, b) → (a cos φ − b sin φ,  b cos φ + a sin φ)      a = xⱼ, b = x_{j + headDim/2}
///
/// **Shapes** x `[heads, queryLen, headDim]` (read), result the same (new).
/// **Reading** channel j turns together with channel j + headDim/2, by an angle that grows with the position and falls with j.
/// **Golden** e₀ at position 3 with headDim 4 gives (cos 3, 0, sin 3, 0); `gemma2/base_f32`, tensor `layers.0.q_rope`.
/// **Pitfall** the interleaved form turns channel 2j with 2j + 1: other numbers, same shapes.
public final class RotaryEmbeddingReference implements RotaryEmbedding {

    @Override
    public Output apply(Input in) {
        DoubleTensor x = in.x().toDouble();
        int heads = x.shape().extent(0);
        int tokens = x.shape().extent(1);
        int headDim = x.shape().extent("headDim");
        int half = headDim / 2;
        double[] y = new double[x.data().length];
        for (int h = 0; h < heads; h++) {
            for (int t = 0; t < tokens; t++) {
                int row = (h * tokens + t) * headDim;
                for (int j = 0; j < half; j++) {
                    double angle = (in.startPosition() + t) * Math.pow(in.theta(), -2.0 * j / headDim);
                    double cos = Math.cos(angle);
                    double sin = Math.sin(angle);
                    double a = x.data()[row + j];
                    double b = x.data()[row + half + j];
                    y[row + j] = a * cos - b * sin;
                    y[row + half + j] = b * cos + a * sin;
                }
            }
        }
        return new Output(DoubleTensor.of(x.shape(), y));
    }
}
