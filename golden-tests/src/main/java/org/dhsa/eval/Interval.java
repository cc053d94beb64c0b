package org.dhsa.eval;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/// A mean with its bootstrap interval.
///
///     resample n units with replacement, B times; the interval runs from the 2.5 % to the 97.5 % quantile of the B means
///
/// For two policies the units are the differences on the same prompt, so what makes a prompt hard for both cancels out.
/// With every unit equal the interval has no width: it then says nothing about rarer events, and `1 − 0.05^(1/n)` bounds
/// how often another value may still occur (about 3/n).
///
/// @param mean  of the units
/// @param low   2.5 % quantile
/// @param high  97.5 % quantile
/// @param units how many
public record Interval(double mean, double low, double high, int units) {

    private static final int RESAMPLES = 2000;
    private static final long SEED = 20_260_101L;

    /// @param values one number per prompt
    public static Interval of(List<Double> values) {
        return of(values.stream().mapToDouble(Double::doubleValue).toArray());
    }

    public static Interval of(double[] values) {
        if (values.length == 0) {
            return new Interval(Double.NaN, Double.NaN, Double.NaN, 0);
        }
        Random random = new Random(SEED);
        double[] means = new double[RESAMPLES];
        for (int b = 0; b < RESAMPLES; b++) {
            double sum = 0;
            for (int i = 0; i < values.length; i++) {
                sum += values[random.nextInt(values.length)];
            }
            means[b] = sum / values.length;
        }
        Arrays.sort(means);
        return new Interval(Arrays.stream(values).sum() / values.length, quantile(means, 0.025), quantile(means, 0.975), values.length);
    }

    /// The mean of the means of several groups, as a benchmark's score over its tasks; units are resampled within their group.
    ///
    /// @param groups empty ones are left out
    public static Interval ofMeans(List<List<Double>> groups) {
        List<List<Double>> filled = groups.stream().filter(g -> !g.isEmpty()).toList();
        if (filled.isEmpty()) {
            return of(List.of());
        }
        Random random = new Random(SEED);
        double[] means = new double[RESAMPLES];
        for (int b = 0; b < RESAMPLES; b++) {
            for (List<Double> group : filled) {
                double sum = 0;
                for (int i = 0; i < group.size(); i++) {
                    sum += group.get(random.nextInt(group.size()));
                }
                means[b] += sum / group.size() / filled.size();
            }
        }
        Arrays.sort(means);
        double mean = filled.stream().mapToDouble(g -> g.stream().mapToDouble(Double::doubleValue).average().orElseThrow()).average().orElseThrow();
        return new Interval(mean, quantile(means, 0.025), quantile(means, 0.975), filled.stream().mapToInt(List::size).sum());
    }

    /// Linear between the two nearest ranks.
    private static double quantile(double[] sorted, double p) {
        double at = p * (sorted.length - 1);
        int below = (int) at;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
    }

    /// True when the interval does not hold 0.
    public boolean clear() {
        return units > 0 && (low > 0 || high < 0);
    }

    public String percent() {
        return units == 0 ? "none" : String.format(Locale.ROOT, "%.0f %% [%.0f, %.0f]", 100 * mean, 100 * low, 100 * high);
    }

    /// As percentage points, with a sign.
    public String points() {
        return units == 0 ? "none" : String.format(Locale.ROOT, "%+.0f [%+.0f, %+.0f]", 100 * mean, 100 * low, 100 * high).replaceAll("-0(?!\\d)", "+0");
    }

    public String number() {
        return units == 0 ? "none" : String.format(Locale.ROOT, "%.3g [%.3g, %.3g]", mean, low, high);
    }
}
