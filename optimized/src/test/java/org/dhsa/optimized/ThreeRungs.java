package org.dhsa.optimized;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.TreeMap;

/// Truth in FP64, the scalar float baseline, the candidate: the candidate may be off by twice what the baseline is off.
///
///     |candidate − truth| <= 2 · max |baseline − truth| + floor      and      max |baseline − truth| <= 1e-4 of the largest value
///
/// The floor is 2 · 2^-24 of the tensor's largest value, 1.2e-7: one rounding of the result and one more inside. Without it a baseline
/// that is right by luck (a sum of two terms, a multiplication by one) would forbid any rounding at all.
final class ThreeRungs {

    static final double FLOOR = 0x1p-23;

    /// The baseline shares tiles, caches and selection with the candidate; a mistake there must not widen what is allowed. FP32
    /// has no excuse for more than this share of the largest value.
    private static final double SANE = 1e-4;
    private static final double DENORMAL = 1e-41;

    private static final Map<String, double[]> WORST = new TreeMap<>();

    private ThreeRungs() {}

    /// @param what  names the worst ratio in the report
    /// @param where shown when the rule is broken
    static void check(String what, String where, double[] truth, double[] baseline, double[] candidate) {
        check(what, where, truth, baseline, candidate, FLOOR);
    }

    static void check(String what, String where, double[] truth, double[] baseline, double[] candidate, double floor) {
        assertThat(baseline).as(where).hasSameSizeAs(truth);
        assertThat(candidate).as(where).hasSameSizeAs(truth);
        double largest = 0;
        double baselineError = 0;
        for (int i = 0; i < truth.length; i++) {
            if (Double.isFinite(truth[i])) {
                largest = Math.max(largest, Math.abs(truth[i]));
                if (!Double.isFinite(baseline[i])) {
                    throw new AssertionError(where + ": the baseline's value " + i + " is " + baseline[i] + ", truth " + truth[i]);
                }
                baselineError = Math.max(baselineError, Math.abs(baseline[i] - truth[i]));
            }
        }
        if (baselineError > SANE * largest + DENORMAL) {
            throw new AssertionError(String.format("%s: the baseline itself is wrong by %.3g, largest value %.3g", where, baselineError, largest));
        }
        double allowed = 2 * baselineError + floor * largest + Float.MIN_VALUE;
        double worst = 0;
        for (int i = 0; i < truth.length; i++) {
            if (!Double.isFinite(truth[i])) {
                if (Double.compare(candidate[i], truth[i]) != 0) {
                    throw new AssertionError(where + ": value " + i + " is " + candidate[i] + ", truth " + truth[i]);
                }
                continue;
            }
            double error = Math.abs(candidate[i] - truth[i]);
            if (!(error <= allowed)) {
                throw new AssertionError(String.format("%s: value %d is %s, truth %s, baseline %s; error %.3g, worst error of the baseline %.3g, allowed %.3g",
                        where, i, candidate[i], truth[i], baseline[i], error, baselineError, allowed));
            }
            worst = Math.max(worst, error);
        }
        double[] entry = WORST.computeIfAbsent(what, w -> new double[3]);
        if (worst / allowed > entry[0]) {
            entry[0] = worst / allowed;
            entry[1] = worst / largest;
            entry[2] = baselineError / largest;
        }
    }

    /// One line per name: share of the allowance used, error of candidate and baseline there.
    static void report(String title) {
        StringBuilder lines = new StringBuilder(title);
        WORST.forEach((what, e) -> lines.append(String.format("%n  %-34s %3.0f%% of what is allowed; relative to the largest value: candidate %.2g, baseline %.2g",
                what, 100 * e[0], e[1], e[2])));
        System.out.println(lines);
        WORST.clear();
    }

    static double[] wide(float[] values) {
        double[] wide = new double[values.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = values[i];
        }
        return wide;
    }
}
