package org.dhsa.golden.diff;

import java.util.Locale;
import org.dhsa.tensor.DType;

/// Allowed absolute error of every value of a tensor.
///
///     budget = (ratio · baselineError + floor) · u / u₃₂
///
/// `baselineError` is the measured worst error of a plain float32 program at this tensor, `floor` four roundings of the
/// tensor's largest value. To first order rounding errors are proportional to the unit roundoff u of the arithmetic: 2⁻²⁴ in
/// float32, 2⁻¹¹ in float16, 2⁻⁸ in bfloat16, 2⁻⁵³ in float64. So a program in another format is allowed the same error in
/// units of its own roundoff. In float64 the budget is never below 1e-12 of the largest value, because `exp` and `tanh` of two
/// platforms differ by more than a rounding.
///
/// @param how the words for people
record Budget(double error, String how) {

    static final double FLOAT32 = 0x1p-24;
    private static final double AGREEMENT_OF_DOUBLES = 1e-12;

    static final Budget EXACT = new Budget(0, "exact");

    /// Half the distance from 1 to the next number.
    static double unitRoundoff(DType dtype) {
        return switch (dtype) {
            case F64 -> 0x1p-53;
            case F16 -> 0x1p-11;
            case BF16 -> 0x1p-8;
            default -> FLOAT32;
        };
    }

    static Budget measured(double ratio, double baselineError, double floor, double largest, DType dtype, String baseline) {
        double scale = unitRoundoff(dtype) / FLOAT32;
        double error = (ratio * baselineError + floor) * scale;
        String how = number(ratio) + " x " + String.format(Locale.ROOT, "%.2g", baselineError) + " (" + baseline + ") + " + String.format(Locale.ROOT, "%.2g", floor)
                + (scale == 1 ? "" : ", times " + String.format(Locale.ROOT, "%.3g", scale) + " for " + dtype);
        double least = dtype == DType.F64 ? AGREEMENT_OF_DOUBLES * largest : 0;
        return error >= least ? new Budget(error, how) : new Budget(least, "1e-12 of the largest value, F64");
    }

    /// Where no baseline was measured: each of the stages so far may add a few roundings of the largest value.
    static Budget bound(int stages, double largest, DType dtype) {
        double error = Math.max(dtype == DType.F64 ? AGREEMENT_OF_DOUBLES : 0, Export.FLOOR_ROUNDINGS * (1 + stages) * unitRoundoff(dtype)) * largest;
        return new Budget(error, "4 roundings of the largest value for each of the " + stages + " stages so far, " + dtype);
    }

    private static String number(double value) {
        return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
    }
}
