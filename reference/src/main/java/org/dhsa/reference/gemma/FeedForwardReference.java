package org.dhsa.reference.gemma;

import org.dhsa.reference.ejml.Linear;
import org.dhsa.stage.FeedForward;
import org.dhsa.tensor.DoubleTensor;

/// Gated feed-forward, GeGLU.
///
///     y = Wdown ( gelu(Wgate x) ⊙ (Wup x) )
///     gelu(z) = z/2 · (1 + tanh(√(2/π) · (z + 0.044715 z³)))
///
/// **Shapes** x `[queryLen, modelDim]` (read), result the same (new); in between `[queryLen, ffnDim]`.
/// **Reading** the activation sits on the gate, never on the up branch; GELU in its tanh form.
/// **Golden** `gemma2/base_f32`, tensor `layers.0.mlp_output`.
/// **Pitfall** the exact GELU (with erf) differs in the fourth digit: too little to see in text, plenty for a golden.
public final class FeedForwardReference implements FeedForward {

    private static final double ROOT_2_OVER_PI = Math.sqrt(2 / Math.PI);

    @Override
    public Output apply(Input in) {
        int tokens = in.x().shape().extent("queryLen");
        double[] x = in.x().toDouble().data();
        // [queryLen, ffnDim]
        double[] gated = Linear.apply(x, tokens, in.gateProj());
        double[] up = Linear.apply(x, tokens, in.upProj());
        for (int i = 0; i < gated.length; i++) {
            gated[i] = geluTanh(gated[i]) * up[i];
        }
        return new Output(DoubleTensor.of(in.x().shape(), Linear.apply(gated, tokens, in.downProj())));
    }

    public static double geluTanh(double z) {
        return z / 2 * (1 + Math.tanh(ROOT_2_OVER_PI * (z + 0.044715 * z * z * z)));
    }
}
