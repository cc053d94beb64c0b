package org.dhsa.bug;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// How far one result lies from another, relative to the size of the healthy one.
///
/// Numbers: `max|x − y| / max|healthy|`, infinite where a number meets a NaN. Lists of positions: the share of entries that
/// only one of both has; entries of equal score that were exchanged count a thousandth, so that an exact match beats a tie.
final class Distance {

    /// Results that list positions; rows are filled with −1.
    private static final Set<String> LISTS = Set.of("selectedKeys", "selectedCounts", "lists", "pairs", "accepted", "boundaries", "stepSelectedKeys", "stepBoundaries", "generated");

    /// Evidence that is derived from the inputs, and what a cache holds: no judgement rests on them.
    private static final Set<String> NOT_JUDGED = Set.of("forcedKeys", "allowed", "threshold", "margin", "tiedKeys", "blocks", "cacheKey", "cacheValue", "cacheStart");

    private static final double TIE = 1e-3;

    private Distance() {}

    /// `layers.3.selectedKeys` is `selectedKeys`.
    static String plainName(String tensor) {
        return tensor.substring(tensor.lastIndexOf('.') + 1);
    }

    static boolean isJudged(String tensor) {
        return !NOT_JUDGED.contains(plainName(tensor));
    }

    static boolean isList(String tensor) {
        return LISTS.contains(plainName(tensor));
    }

    /// Largest finite magnitude, 1 if there is none.
    static double scale(Tensor tensor) {
        return Arrays.stream(tensor.toDouble().data()).filter(Double::isFinite).map(Math::abs).filter(v -> v > 0).max().orElse(1);
    }

    /// @param scale  of the healthy tensor
    /// @param scores `[rows, keys]` by which a list was made, null if unknown
    static double between(String name, Tensor x, Tensor y, double scale, DoubleTensor scores) {
        if (isList(name)) {
            return lists(x.toDouble(), y.toDouble(), scores);
        }
        double[] a = x.toDouble().data();
        double[] b = y.toDouble().data();
        if (!extents(x).equals(extents(y))) {
            return Double.POSITIVE_INFINITY;
        }
        double worst = 0;
        for (int i = 0; i < a.length; i++) {
            if (Double.compare(a[i], b[i]) != 0 && a[i] != b[i]) {
                double error = Math.abs(a[i] - b[i]);
                worst = Double.isFinite(error) ? Math.max(worst, error / scale) : Double.POSITIVE_INFINITY;
            }
            if (worst == Double.POSITIVE_INFINITY) {
                return worst;
            }
        }
        return worst;
    }

    private static String extents(Tensor tensor) {
        StringBuilder text = new StringBuilder();
        for (int a = 0; a < tensor.shape().rank(); a++) {
            text.append(tensor.shape().extent(a)).append(' ');
        }
        return text.toString();
    }

    private static double lists(DoubleTensor x, DoubleTensor y, DoubleTensor scores) {
        int rank = x.shape().rank();
        if (rank != y.shape().rank() || rank > 1 && x.shape().extent(0) != y.shape().extent(0)) {
            return Double.POSITIVE_INFINITY;
        }
        int rows = rank > 1 ? x.shape().extent(0) : 1;
        double different = 0;
        double all = 0;
        for (int row = 0; row < rows; row++) {
            Map<Integer, Integer> count = new HashMap<>();
            all += add(count, x, row, rows, 1) + add(count, y, row, rows, -1);
            boolean tied = scores != null && row < scores.shape().extent(0) && exchangedAmongEquals(count, scores, row);
            double entries = count.values().stream().mapToInt(Math::abs).sum();
            different += tied ? TIE * entries : entries;
        }
        return all == 0 ? 0 : different / all;
    }

    /// As many taken as left out, all of one score.
    private static boolean exchangedAmongEquals(Map<Integer, Integer> count, DoubleTensor scores, int row) {
        int keyLen = scores.shape().extent(1);
        double[] exchanged = count.entrySet().stream().filter(e -> e.getValue() != 0 && e.getKey() >= 0 && e.getKey() < keyLen)
                .mapToDouble(e -> scores.at(row, e.getKey())).distinct().toArray();
        return exchanged.length == 1 && count.values().stream().mapToInt(Integer::intValue).sum() == 0;
    }

    private static int add(Map<Integer, Integer> count, DoubleTensor lists, int row, int rows, int sign) {
        int width = rows == 0 ? 0 : lists.data().length / rows;
        int entries = 0;
        for (int i = row * width; i < (row + 1) * width; i++) {
            if (lists.data()[i] != -1) {
                count.merge((int) lists.data()[i], sign, Integer::sum);
                entries++;
            }
        }
        return entries;
    }
}
