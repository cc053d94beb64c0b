package org.dhsa.reference.baseline;

import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/// Tactic's estimate of how many of a ranked list of keys hold a share of the attention, after looking at a few of them.
///
///     y(x) = exp(logit of the key at rank x)      for the first ranks, which are computed
///     y(x) ≈ a / x + b                            for the others; a and b from the mean of y in two windows of ranks, x the window's middle
///     count = fewest ranks with Σ y ≥ p · Σ y over all
///
/// **Source** Tactic (arXiv 2502.12216): distribution fitting. Where the windows lie and how wide they are is our reading.
/// **Reading** ranks count from 1. Of n ranks ⌈exact · n⌉ are computed; a window is w = max(1, ⌈width · n⌉) ranks wide and begins after ⌊first · n⌋ or ⌊second · n⌋ of them, after
/// n − w at the latest; its middle is that number + (w + 1) / 2. A fit that rises with x (a < 0), or from one window, is replaced by the mean of the two means; no estimate is below 0.
public final class TailFit {

    private TailFit() {}

    /// @param exact  share of the ranks that are computed
    /// @param first  where the first window of samples begins, as a share of the ranks
    /// @param second where the second begins
    /// @param width  width of a window, as a share of the ranks
    public record Sampling(double exact, double first, double second, double width) {
        public Sampling {
            if (!(exact >= 0 && exact <= 1 && first >= 0 && second > first && second < 1 && width > 0 && width <= 1)) {
                throw new IllegalArgumentException("exact, first, second and width must be shares with first below second, were "
                        + exact + ", " + first + ", " + second + " and " + width);
            }
        }
    }

    /// @param count   ranks to read
    /// @param looked  logits that were computed
    public record Estimate(int count, int looked) {}

    /// @param ranks how many keys are ranked, at least one
    /// @param logit of the key at a rank, from 0
    /// @param p     share of the attention to hold, above 0 and at most 1
    public static Estimate count(int ranks, IntToDoubleFunction logit, double p, Sampling sampling) {
        int head = Math.min(ranks, (int) Math.ceil(sampling.exact() * ranks));
        int width = Math.min(ranks, Math.max(1, (int) Math.ceil(sampling.width() * ranks)));
        int first = Math.min(ranks - width, (int) (sampling.first() * ranks));
        int second = Math.min(ranks - width, (int) (sampling.second() * ranks));
        int[] looked = IntStream.range(0, ranks).filter(x -> x < head || x >= first && x < first + width || x >= second && x < second + width).toArray();
        double[] y = new double[ranks];
        double max = IntStream.of(looked).mapToDouble(logit).max().orElseThrow();
        for (int x : looked) {
            y[x] = Math.exp(logit.applyAsDouble(x) - max);
        }
        double y1 = IntStream.range(first, first + width).mapToDouble(x -> y[x]).average().orElseThrow();
        double y2 = IntStream.range(second, second + width).mapToDouble(x -> y[x]).average().orElseThrow();
        double x1 = first + (width + 1) / 2.0;
        double x2 = second + (width + 1) / 2.0;
        double a = second == first ? 0 : Math.max(0, (y1 - y2) / (1 / x1 - 1 / x2));
        double b = a == 0 ? (y1 + y2) / 2 : y1 - a / x1;
        for (int x = head; x < ranks; x++) {
            y[x] = Math.max(0, a / (x + 1) + b);
        }
        double wanted = p * IntStream.range(0, ranks).mapToDouble(x -> y[x]).sum();
        double sum = 0;
        int count = 0;
        while (count < ranks && (count == 0 || sum < wanted)) {
            sum += y[count++];
        }
        return new Estimate(p == 1 ? ranks : count, looked.length);
    }
}
