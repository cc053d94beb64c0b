package org.dhsa.policy;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dhsa.reference.baseline.KMeans;
import org.dhsa.reference.baseline.KMeans.Clusters;
import org.dhsa.stage.AttentionRule;

/// The clustered keys of a prefix, one key head: centroids, and coarser ones above them if wanted.
///
/// @param fine        of the keys
/// @param coarse      of the fine centroids; null without a hierarchy
/// @param coarseOfKey coarse cluster of every key; null without a hierarchy
record SqueezedPrefix(Clusters fine, Clusters coarse, int[] coarseOfKey) {

    /// What a score must exceed: a key's at the fine level, a coarse cluster's to be opened.
    record Thresholds(double fine, double coarse) {}

    /// What one query found.
    ///
    /// @param labels    cluster of every key
    /// @param kept      fine clusters to read
    /// @param centroids how many were looked at
    /// @param shares    per fine cluster, the share of the clustered keys' attention that one of its keys would have if it were its centroid
    /// @param opened    fine clusters whose coarse cluster was opened; all without a hierarchy
    record Lookup(int[] labels, boolean[] kept, long centroids, double[] shares, boolean[] opened) {
        boolean keeps(int key) {
            return kept[labels[key]];
        }

        /// What clusters are ranked by: their shares, and −∞ where nothing was opened.
        double[] ranks() {
            return IntStream.range(0, shares.length).mapToDouble(c -> opened[c] ? shares[c] : Double.NEGATIVE_INFINITY).toArray();
        }
    }

    /// @param coarse coarse clusters, 0 for none
    static SqueezedPrefix of(double[][] keys, int fine, int coarse, int iterations, long seed) {
        Clusters level2 = KMeans.fit(keys, fine, true, iterations, seed);
        if (coarse == 0) {
            return new SqueezedPrefix(level2, null, null);
        }
        Clusters level1 = KMeans.fit(level2.centroids(), coarse, true, iterations, seed);
        return new SqueezedPrefix(level2, level1, Arrays.stream(level2.labels()).map(c -> level1.labels()[c]).toArray());
    }

    long flops() {
        return fine.flops() + (coarse == null ? 0 : coarse.flops());
    }

    /// Score of every key by its cluster, NaN before `first`: the share of the attention that the key would have if it were its centroid.
    double[] keyScores(double[] query, int first, AttentionRule rule, boolean rough) {
        double[] logits = CentroidSoftmax.logits(query, rough ? coarse : fine, rule);
        int[] labels = rough ? coarseOfKey : fine.labels();
        double max = Arrays.stream(logits).max().orElseThrow();
        double sum = IntStream.range(first, labels.length).mapToDouble(j -> Math.exp(logits[labels[j]] - max)).sum();
        return IntStream.range(0, labels.length).mapToDouble(j -> j < first ? Double.NaN : Math.exp(logits[labels[j]] - max) / sum).toArray();
    }

    /// The threshold that lets the share `keep` of the keys through: a quantile, between two scores in proportion, over keys and heads.
    ///
    /// @param scores of every calibrating query, head by head, `window` queries each
    /// @param keep   1 lets everything through
    static double threshold(List<double[]> scores, int window, double keep) {
        double[] all = IntStream.range(0, scores.size() / window).mapToObj(h -> scores.subList(h * window, (h + 1) * window)).flatMapToDouble(head ->
                IntStream.range(0, head.getFirst().length).mapToDouble(j -> head.stream().mapToDouble(s -> s[j]).filter(s -> !Double.isNaN(s)).average().orElse(Double.NaN)))
                .filter(s -> !Double.isNaN(s)).sorted().toArray();
        if (keep == 1 || all.length == 0) {
            return Double.NEGATIVE_INFINITY;
        }
        double at = (1 - keep) * (all.length - 1);
        int below = (int) at;
        return below + 1 < all.length ? all[below] + (at - below) * (all[below + 1] - all[below]) : all[below];
    }

    /// @param first first key that the query sees
    Lookup lookup(double[] query, int first, AttentionRule rule, Thresholds thresholds) {
        int[] sizes = fine.sizes(first, Math.max(first, fine.labels().length));
        boolean[] opened = new boolean[fine.count()];
        Arrays.fill(opened, true);
        double[] logits = CentroidSoftmax.logits(query, fine, rule);
        double[] estimate = logits.clone();
        long looked = fine.count();
        if (coarse != null) {
            double[] rough = CentroidSoftmax.logits(query, coarse, rule);
            boolean[] open = exceeding(rough, visible(first), thresholds.coarse());
            Arrays.setAll(estimate, c -> open[coarse.labels()[c]] ? logits[c] : rough[coarse.labels()[c]]);
            for (int c = 0; c < opened.length; c++) {
                opened[c] = open[coarse.labels()[c]];
            }
            looked = coarse.count() + IntStream.range(0, opened.length).filter(c -> opened[c]).count();
        }
        double[] shares = CentroidSoftmax.shares(estimate, sizes);
        boolean[] kept = new boolean[shares.length];
        for (int c = 0; c < kept.length; c++) {
            kept[c] = opened[c] && shares[c] > thresholds.fine();
        }
        return new Lookup(fine.labels(), kept, looked, shares, opened);
    }

    /// Keys from `first` on per coarse cluster.
    private int[] visible(int first) {
        int[] sizes = new int[coarse.count()];
        for (int j = first; j < coarseOfKey.length; j++) {
            sizes[coarseOfKey[j]]++;
        }
        return sizes;
    }

    private static boolean[] exceeding(double[] logits, int[] sizes, double threshold) {
        double[] shares = CentroidSoftmax.shares(logits, sizes);
        boolean[] exceeding = new boolean[logits.length];
        for (int c = 0; c < logits.length; c++) {
            exceeding[c] = shares[c] > threshold;
        }
        return exceeding;
    }
}
