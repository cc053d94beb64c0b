package org.dhsa.bug;

import java.util.function.DoubleUnaryOperator;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Arithmetic that only a mistake needs.
final class Numeric {

    private Numeric() {}

    /// Nearest bfloat16, ties to even; the value is rounded to float32 first, as a float32 program has it.
    static double bf16(double value) {
        float narrow = (float) value;
        if (!Float.isFinite(narrow)) {
            return narrow;
        }
        int bits = Float.floatToRawIntBits(narrow);
        return Float.intBitsToFloat(bits + 0x7fff + (bits >>> 16 & 1) & 0xffff0000);
    }

    /// The upper half of a float32, the rest thrown away.
    static double bf16Truncated(double value) {
        return Float.intBitsToFloat(Float.floatToRawIntBits((float) value) & 0xffff0000);
    }

    static DoubleTensor map(Tensor x, DoubleUnaryOperator f) {
        double[] values = x.toDouble().data().clone();
        for (int i = 0; i < values.length; i++) {
            values[i] = f.applyAsDouble(values[i]);
        }
        return DoubleTensor.of(x.shape(), values);
    }

    static WeightTensor map(WeightTensor weight, DoubleUnaryOperator f) {
        double[] values = weight.widen();
        for (int i = 0; i < values.length; i++) {
            values[i] = f.applyAsDouble(values[i]);
        }
        return WeightTensor.of(weight.name(), values, weight.dims());
    }

    /// The buffer of `[out, in]` read as if it were `[in, out]`: y = x W instead of y = x Wᵀ.
    static WeightTensor readTransposed(WeightTensor weight) {
        int out = Math.toIntExact(weight.dim(0));
        int in = Math.toIntExact(weight.dim(1));
        double[] stored = weight.widen();
        double[] values = new double[stored.length];
        for (int o = 0; o < out; o++) {
            for (int i = 0; i < in; i++) {
                values[o * in + i] = stored[i * out + o];
            }
        }
        return WeightTensor.of(weight.name(), values, weight.dims());
    }

    /// `2/√π ∫₀ˣ e^(−t²) dt`, to about 1e-15: the power series near zero, the continued fraction of erfc further out.
    static double erf(double x) {
        double a = Math.abs(x);
        if (a > 6) {
            return Math.signum(x);
        }
        if (a < 2.5) {
            double term = a;
            double sum = a;
            for (int n = 1; Math.abs(term) > 1e-18 * sum && n < 200; n++) {
                term *= -a * a / n;
                sum += term / (2 * n + 1);
            }
            return Math.signum(x) * 2 / Math.sqrt(Math.PI) * sum;
        }
        double fraction = a;
        for (int n = 120; n > 0; n--) {
            fraction = a + n / 2.0 / fraction;
        }
        return Math.signum(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / fraction);
    }

    static double geluErf(double z) {
        return z / 2 * (1 + erf(z / Math.sqrt(2)));
    }
}
