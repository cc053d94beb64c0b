package org.dhsa.reference.labels;

import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/// How well predicted boundaries meet the labels.
///
///     P = tp / max(tp + fp, 1),   R = tp / max(tp + fn, 1),   F1 = 2PR / (P + R + 1e-8)
///     overlap(k) = |top_k(predicted) ∩ top_k(label)| / k
///
/// **Shapes** all arguments of one length (read).
/// **Reading** a batch is one long row: positions of all items compete for the top k. k is cut to the number of counted positions.
/// **Golden** `labels/loss_metrics`, tables `precision_recall_f1` and `topk_overlap`.
/// **Pitfall** the 1e-8 makes a perfect F1 fall short of 1; nothing predicted and nothing to find gives 0, not 1.
public final class BoundaryMetrics {

    private BoundaryMetrics() {}

    public record PrecisionRecallF1(double precision, double recall, double f1) {}

    /// @param rate count / k
    public record TopKOverlap(int count, double rate) {}

    /// A position is predicted if its probability is at least one half, that is, if its logit is not negative.
    public static PrecisionRecallF1 precisionRecallF1(double[] logits, boolean[] targets, boolean[] mask) {
        int truePositives = 0;
        int predicted = 0;
        int actual = 0;
        for (int i = 0; i < logits.length; i++) {
            boolean positive = mask[i] && SoftLabel.sigmoid(logits[i]) >= 0.5;
            predicted += positive ? 1 : 0;
            actual += mask[i] && targets[i] ? 1 : 0;
            truePositives += positive && targets[i] ? 1 : 0;
        }
        double precision = (double) truePositives / Math.max(predicted, 1);
        double recall = (double) truePositives / Math.max(actual, 1);
        return new PrecisionRecallF1(precision, recall, 2 * precision * recall / (precision + recall + 1e-8));
    }

    /// @param predicted scores of the predictor, on any rising scale
    /// @param label     ratios or soft labels
    /// @param mask      positions that count
    public static TopKOverlap topKOverlap(double[] predicted, double[] label, boolean[] mask, int k) {
        int[] counted = IntStream.range(0, mask.length).filter(i -> mask[i]).toArray();
        int most = Math.min(k, counted.length);
        Set<Integer> common = new HashSet<>(top(predicted, counted, most));
        common.retainAll(top(label, counted, most));
        return new TopKOverlap(common.size(), (double) common.size() / Math.max(1, most));
    }

    private static List<Integer> top(double[] scores, int[] counted, int k) {
        return Arrays.stream(counted).boxed()
                .sorted(Comparator.<Integer>comparingDouble(i -> 0.0 - scores[i]).thenComparing(Comparator.naturalOrder()))
                .limit(k).toList();
    }
}
