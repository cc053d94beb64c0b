package org.dhsa.generate;

import java.util.Arrays;
import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/// Chooses the next token from its logits.
///
///     p = softmax(logits / temperature), cut to the top-k most probable, cut to the smallest head whose sum reaches top-p
///
/// Temperature 0 is greedy: the largest logit, the lower id among equals. The cuts follow one another in the order above, as
/// in Hugging Face's generation; at least one token always stays. The same seed gives the same tokens on every machine.
public final class Sampler {

    private final double temperature;
    private final int topK;
    private final double topP;
    private final SplittableRandom random;

    private Sampler(double temperature, int topK, double topP, long seed) {
        this.temperature = temperature;
        this.topK = topK;
        this.topP = topP;
        this.random = new SplittableRandom(seed);
    }

    public static Sampler greedy() {
        return new Sampler(0, 0, 1, 0);
    }

    /// @param temperature 0 for greedy; larger is bolder
    /// @param topK        most probable tokens to choose among, 0 for all
    /// @param topP        probability that the tokens to choose among must reach together, 1 for all
    /// @throws IllegalArgumentException naming the value that is out of range
    public static Sampler of(double temperature, int topK, double topP, long seed) {
        if (!(temperature >= 0) || Double.isInfinite(temperature)) {
            throw new IllegalArgumentException("temperature must be 0 (greedy) or a positive number, was " + temperature);
        }
        if (topK < 0) {
            throw new IllegalArgumentException("top-k must be 0 (no limit) or positive, was " + topK);
        }
        if (!(topP > 0 && topP <= 1)) {
            throw new IllegalArgumentException("top-p must be above 0 and at most 1, was " + topP);
        }
        return new Sampler(temperature, topK, topP, seed);
    }

    public boolean isGreedy() {
        return temperature == 0;
    }

    /// The chosen token. `logits` are read only.
    ///
    /// @throws IllegalArgumentException if no logit is a number
    public int next(double[] logits) {
        int best = argMax(logits);
        if (isGreedy()) {
            return best;
        }
        int[] ranked = IntStream.range(0, logits.length).filter(i -> !Double.isNaN(logits[i])).boxed()
                .sorted(Comparator.<Integer>comparingDouble(i -> -logits[i]).thenComparing(Comparator.naturalOrder()))
                .limit(topK == 0 ? logits.length : topK)
                .mapToInt(Integer::intValue).toArray();
        double[] weights = Arrays.stream(ranked).mapToDouble(i -> Math.exp((logits[i] - logits[best]) / temperature)).toArray();
        int head = headReaching(topP * Arrays.stream(weights).sum(), weights);
        double target = random.nextDouble() * Arrays.stream(weights, 0, head).sum();
        double sum = 0;
        for (int r = 0; r < head; r++) {
            sum += weights[r];
            if (target < sum) {
                return ranked[r];
            }
        }
        return ranked[head - 1];
    }

    /// The largest logit, the lower id among equals; NaN is never chosen.
    public static int argMax(double[] logits) {
        int best = -1;
        for (int i = 0; i < logits.length; i++) {
            if (!Double.isNaN(logits[i]) && (best < 0 || logits[i] > logits[best])) {
                best = i;
            }
        }
        if (best < 0) {
            throw new IllegalArgumentException("no logit is a number");
        }
        return best;
    }

    /// How many of the largest weights are needed to reach `mass`; at least one.
    private static int headReaching(double mass, double[] weights) {
        double sum = 0;
        for (int r = 0; r < weights.length; r++) {
            sum += weights[r];
            if (sum >= mass) {
                return r + 1;
            }
        }
        return weights.length;
    }
}
