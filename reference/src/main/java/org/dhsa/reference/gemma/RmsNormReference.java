package org.dhsa.reference.gemma;

import org.dhsa.stage.RmsNorm;
import org.dhsa.tensor.DoubleTensor;

/// Root-mean-square norm.
///
///     y = x / √(mean(x²) + eps) · (1 + w)
///
/// **Shapes** x `[queryLen, modelDim]` (read), weight `[modelDim]` (read), result `[queryLen, modelDim]` (new).
/// **Reading** eps stands inside the root; the mean runs over the last axis; no mean is subtracted.
/// **Golden** `gemma2/base_f32`, tensors `layers.0.input_layernorm` and the three others.
/// **Pitfall** the stored weight is w, not 1 + w; checkpoints converted to GGUF hold 1 + w already.
public final class RmsNormReference implements RmsNorm {

    @Override
    public Output apply(Input in) {
        double[] x = in.x().toDouble().data();
        double[] weight = in.weight().widen();
        int modelDim = weight.length;
        double[] y = new double[x.length];
        for (int row = 0; row < x.length; row += modelDim) {
            double sum = 0;
            for (int d = 0; d < modelDim; d++) {
                sum += x[row + d] * x[row + d];
            }
            double inverse = 1 / Math.sqrt(sum / modelDim + in.eps());
            for (int d = 0; d < modelDim; d++) {
                y[row + d] = x[row + d] * inverse * (1 + weight[d]);
            }
        }
        return new Output(DoubleTensor.of(in.x().shape(), y));
    }
}
