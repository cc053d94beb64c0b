package org.dhsa.reference.baseline;

import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/// The order that all baselines share: score descending, equal scores lowest index first.
final class Ranking {

    private Ranking() {}

    /// Indices of the k highest scores, best first; all of them if there are fewer.
    static List<Integer> top(double[] scores, int k) {
        return IntStream.range(0, scores.length).boxed()
                .sorted(Comparator.<Integer>comparingDouble(i -> 0.0 - scores[i]).thenComparing(Comparator.naturalOrder()))
                .limit(k).toList();
    }
}
