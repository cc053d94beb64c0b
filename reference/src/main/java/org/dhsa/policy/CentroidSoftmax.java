package org.dhsa.policy;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.dhsa.reference.baseline.KMeans.Clusters;
import org.dhsa.stage.AttentionRule;

/// Attention as it would be if every key were the centroid of its cluster.
///
///     share(c) = exp(logit_c) / Σ_i N_i exp(logit_i)            of each of the N_c keys of cluster c
final class CentroidSoftmax {

    private CentroidSoftmax() {}

    static double[] logits(double[] query, Clusters clusters, AttentionRule rule) {
        return Arrays.stream(clusters.centroids()).mapToDouble(c -> rule.logit(HeadStates.dot(query, c))).toArray();
    }

    /// Share of one key of each cluster.
    ///
    /// @param sizes keys of each cluster that count
    static double[] shares(double[] logits, int[] sizes) {
        double max = Arrays.stream(logits).max().orElseThrow();
        double sum = IntStream.range(0, logits.length).mapToDouble(c -> sizes[c] * Math.exp(logits[c] - max)).sum();
        return Arrays.stream(logits).map(logit -> Math.exp(logit - max) / sum).toArray();
    }
}
