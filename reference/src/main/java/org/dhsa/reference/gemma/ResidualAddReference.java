package org.dhsa.reference.gemma;

import org.dhsa.stage.ResidualAdd;
import org.dhsa.tensor.DoubleTensor;

/// The branch added to the stream.
///
///     y = x + branch
///
/// **Shapes** both `[queryLen, modelDim]` (read), result the same (new).
/// **Reading** Gemma 2 adds the branch AFTER its post-norm: `h = x + postNorm(attention(preNorm(x)))`.
/// **Golden** `gemma2/base_f32`, tensor `layers.0.hidden_out`.
/// **Pitfall** with the two post-norms left out the model still speaks, badly.
public final class ResidualAddReference implements ResidualAdd {

    @Override
    public Output apply(Input in) {
        double[] x = in.x().toDouble().data();
        double[] branch = in.branch().toDouble().data();
        double[] y = new double[x.length];
        for (int i = 0; i < y.length; i++) {
            y[i] = x[i] + branch[i];
        }
        return new Output(DoubleTensor.of(in.x().shape(), y));
    }
}
