package org.dhsa.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Truth in FP64, the plain loops in FP32, the kernel: the kernel may be off by twice what the loops are off, plus a floor.
///
///     |kernel - truth| <= 2 · max |loops - truth| + 2^-23 · largest value
final class ThreeRungs {

    private static final Map<String, double[]> WORST = new TreeMap<>();

    private ThreeRungs() {}

    static void check(String stage, String where, double[] truth, double[] baseline, double[] candidate) {
        check(stage, where, truth, baseline, candidate, 0x1p-23);
    }

    /// @param floor share of the largest value that is allowed whatever the loops are off
    static void check(String stage, String where, double[] truth, double[] baseline, double[] candidate, double floor) {
        assertThat(candidate).as("%s %s", stage, where).hasSameSizeAs(truth);
        double largest = 0;
        double baselineError = 0;
        for (int i = 0; i < truth.length; i++) {
            largest = Math.max(largest, Math.abs(truth[i]));
            baselineError = Math.max(baselineError, Math.abs(baseline[i] - truth[i]));
        }
        // the loops themselves must be sane, or anything would pass
        assertThat(baselineError).as("%s %s: error of the plain loops", stage, where).isLessThanOrEqualTo(1e-4 * largest + 1e-41);
        double allowed = 2 * baselineError + floor * largest + Float.MIN_VALUE;
        double worst = 0;
        for (int i = 0; i < truth.length; i++) {
            double error = Math.abs(candidate[i] - truth[i]);
            if (!(error <= allowed)) {
                throw new AssertionError(String.format("%s %s: value %d is %s, truth %s; error %.3g, allowed %.3g, error of the plain loops %.3g, largest value %.3g",
                        stage, where, i, candidate[i], truth[i], error, allowed, baselineError, largest));
            }
            worst = Math.max(worst, error);
        }
        double share = worst / allowed;
        WORST.merge(stage, new double[] {share}, (a, b) -> a[0] >= b[0] ? a : b);
    }

    static void report(String title) {
        StringBuilder lines = new StringBuilder(title);
        WORST.forEach((stage, w) -> lines.append(String.format("%n  %-24s at worst %3.0f%% of what is allowed", stage, 100 * w[0])));
        System.out.println(lines);
    }

    /// Values that FP32 holds exactly.
    static DoubleTensor tensor(SplittableRandom random, double scale, Object... axes) {
        DoubleTensor out = DoubleTensor.zeros(Shape.of(axes));
        for (int i = 0; i < out.data().length; i++) {
            out.data()[i] = (float) (scale * random.nextDouble(-1, 1));
        }
        return out;
    }

    /// Values that both BF16 and FP32 hold exactly, stored as either, or halves, of which some are below 2^-14.
    static WeightTensor weight(SplittableRandom random, DType type, double scale, int... dims) {
        int n = 1;
        long[] wide = new long[dims.length];
        for (int a = 0; a < dims.length; a++) {
            n *= dims[a];
            wide[a] = dims[a];
        }
        byte[] bytes = new byte[type.bytes() * n];
        for (int i = 0; i < n && type == DType.F16; i++) {
            short bits = Float.floatToFloat16((float) (scale * random.nextDouble(-1, 1) * (i % 5 == 4 ? 0x1p-15 : 1)));
            bytes[2 * i] = (byte) bits;
            bytes[2 * i + 1] = (byte) (bits >>> 8);
        }
        for (int i = 0; i < n && type != DType.F16; i++) {
            int bits = Float.floatToRawIntBits((float) (scale * random.nextDouble(-1, 1))) & 0xffff0000;
            int high = type == DType.BF16 ? 2 * i : 4 * i + 2;
            bytes[high] = (byte) (bits >>> 16);
            bytes[high + 1] = (byte) (bits >>> 24);
        }
        return new WeightTensor("w", type, wide, java.lang.foreign.MemorySegment.ofArray(bytes));
    }
}
