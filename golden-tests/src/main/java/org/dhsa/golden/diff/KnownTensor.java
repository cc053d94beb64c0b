package org.dhsa.golden.diff;

import java.util.Optional;
import java.util.OptionalDouble;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;

/// What is known of an expected tensor before it is read.
///
/// @param baselineError measured error of a float32 program, empty if none was measured
/// @param largest       largest magnitude, NaN if it is not stored
/// @param scores        of a selection: the tensor that it was made from
/// @param optional      evidence that a port need not give
/// @param tolerance     what a recording allows a port instead of a baseline
record KnownTensor(String name, Shape shape, Kind kind, OptionalDouble baselineError, double ratio, double floor, double largest,
                   Optional<String> scores, boolean allowNaN, boolean optional, Optional<Tolerance> tolerance) {

    enum Kind { CONTINUOUS, EXACT, SELECTION }

    /// `abs + rel · largest`, for a port in this arithmetic.
    record Tolerance(double abs, double rel, double doubleAbs, double doubleRel) {}

    boolean isWhole() {
        return kind == Kind.SELECTION || name.endsWith("boundaries") || name.equals(ForwardTrace.IDS);
    }

    /// @param stages how many stages led to it
    Budget budget(DType dtype, int stages, double largestSeen) {
        if (kind != Kind.CONTINUOUS) {
            return Budget.EXACT;
        }
        if (baselineError.isPresent()) {
            return Budget.measured(ratio, baselineError.getAsDouble(), floor, largestSeen, dtype, "error of a float32 run");
        }
        if (tolerance.isPresent()) {
            Tolerance t = tolerance.get();
            double scale = dtype == DType.F64 ? 1 : Budget.unitRoundoff(dtype) / Budget.FLOAT32;
            double error = dtype == DType.F64 ? t.doubleAbs() + t.doubleRel() * largestSeen : scale * (t.abs() + t.rel() * largestSeen);
            return new Budget(error, "what the recording allows" + (scale == 1 ? "" : ", scaled to " + dtype));
        }
        return Budget.bound(stages, largestSeen, dtype);
    }
}
