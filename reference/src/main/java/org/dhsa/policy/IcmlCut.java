package org.dhsa.policy;

import java.util.Arrays;
import org.dhsa.model.DhsaConfig.TieOrder;

/// The best of some scores, and what another order of equal scores could have taken.
///
/// @param picked   taken in the order asked for
/// @param always   taken in every order of equal scores
/// @param possible taken in at least one
record IcmlCut(boolean[] picked, boolean[] always, boolean[] possible) {

    /// Sums of the same parts in another order differ in the last bits; below this they count as equal.
    private static final double EQUAL = 1e-9;

    /// @param scores −∞ where there is nothing to pick
    static IcmlCut of(double[] scores, int count, TieOrder ties) {
        int n = scores.length;
        boolean[] picked = new boolean[n];
        boolean[] always = new boolean[n];
        boolean[] possible = new boolean[n];
        double[] ascending = scores.clone();
        Arrays.sort(ascending);
        int candidates = (int) Arrays.stream(scores).filter(s -> s > Double.NEGATIVE_INFINITY).count();
        int taken = Math.min(count, candidates);
        if (taken <= 0) {
            return new IcmlCut(picked, always, possible);
        }
        double threshold = ascending[n - taken];
        int left = taken;
        int equal = 0;
        for (int j = 0; j < n; j++) {
            if (scores[j] > threshold + EQUAL) {
                picked[j] = true;
                always[j] = true;
                possible[j] = true;
                left--;
            } else if (scores[j] >= threshold - EQUAL) {
                possible[j] = true;
                equal++;
            }
        }
        boolean clear = left == equal;
        for (int step = 0; step < n && left > 0; step++) {
            int j = ties == TieOrder.LOW_POSITION_FIRST ? step : n - 1 - step;
            if (possible[j] && !picked[j]) {
                picked[j] = true;
                left--;
            }
        }
        return new IcmlCut(picked, clear ? picked : always, possible);
    }
}
