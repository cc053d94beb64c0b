package org.dhsa.golden;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.function.IntToDoubleFunction;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// The comparisons themselves. Order: shape with axis names, non-finite pattern, values.
///
/// A number where a NaN was recorded is as wrong as a NaN where a number was recorded.
final class Compare {

    /// Where a comparison belongs; what every one of them needs to know.
    record Place(String stage, int layer, String tensor, String prefix, String note) {
        Comparison result(Verdict verdict, double maxAbs, double maxRel, double cosine, double budget, String index,
                          double expected, double actual, String remark) {
            String both = note.isEmpty() || remark.isEmpty() ? note + remark : note + "; " + remark;
            return new Comparison(stage, layer, tensor, verdict, maxAbs, maxRel, cosine, budget,
                    prefix.isEmpty() ? index : "[" + prefix + (index.equals("[]") || index.isEmpty() ? "]" : ", " + index.substring(1)),
                    expected, actual, both);
        }

        Comparison wrong(String remark) {
            return result(Verdict.FAIL, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.NaN, 0, "", Double.NaN, Double.NaN, remark);
        }
    }

    private Compare() {}

    /// Numbers within their budget.
    static Comparison close(Place place, Tolerance tolerance, DoubleTensor expected, Tensor actual) {
        if (!actual.shape().equals(expected.shape())) {
            return place.wrong("shape " + actual.shape() + " where " + expected.shape() + " is expected");
        }
        double[] want = expected.data();
        double[] have = actual.toDouble().data();
        double maxAbs = 0;
        double maxRel = 0;
        double dot = 0;
        double wantSquared = 0;
        double haveSquared = 0;
        int worst = 0;
        double worstStrain = -1;
        boolean good = true;
        boolean nonFinite = false;
        for (int i = 0; i < want.length; i++) {
            double error;
            double strain;
            if (Double.isFinite(want[i]) && Double.isFinite(have[i])) {
                error = Math.abs(have[i] - want[i]);
                double budget = tolerance.budget(want[i]);
                good &= error <= budget;
                strain = error == 0 ? 0 : error / budget;
                maxRel = Math.max(maxRel, error == 0 ? 0 : error / Math.abs(want[i]));
                dot += want[i] * have[i];
                wantSquared += want[i] * want[i];
                haveSquared += have[i] * have[i];
            } else if (Double.compare(want[i], have[i]) == 0) {
                error = 0;
                strain = 0;
            } else {
                error = Double.POSITIVE_INFINITY;
                strain = Double.POSITIVE_INFINITY;
                maxRel = Double.POSITIVE_INFINITY;
                good = false;
                nonFinite = true;
            }
            maxAbs = Math.max(maxAbs, error);
            if (strain > worstStrain) {
                worstStrain = strain;
                worst = i;
            }
        }
        double norm = Math.sqrt(wantSquared) * Math.sqrt(haveSquared);
        double cosine = norm > 0 ? dot / norm : wantSquared == haveSquared ? 1 : 0;
        if (want.length == 0) {
            return place.result(Verdict.PASS, 0, 0, 1, tolerance.abs(), "", 0, 0, "empty");
        }
        return place.result(good ? Verdict.PASS : Verdict.FAIL, maxAbs, maxRel, cosine, tolerance.budget(Double.isFinite(want[worst]) ? want[worst] : 0),
                expected.shape().describeIndex(worst), want[worst], have[worst], nonFinite ? "the non-finite patterns differ" : "");
    }

    /// Integers and booleans, exactly.
    static Comparison exact(Place place, DoubleTensor expected, Tensor actual) {
        return close(place, new Tolerance(0, 0), expected, actual);
    }

    /// Which token is largest. Another one is a near tie if the recorded logits of both are within the budget.
    static Comparison argmax(Place place, Tolerance tolerance, int[] expected, DoubleTensor recordedLogits, Tensor actualLogits) {
        DoubleTensor have = actualLogits.toDouble();
        int rows = have.shape().extent(0);
        int vocab = have.shape().extent(1);
        if (rows != expected.length || recordedLogits.data().length != have.data().length) {
            return place.wrong("logits " + have.shape() + " for " + expected.length + " recorded tokens");
        }
        Verdict verdict = Verdict.PASS;
        int worst = 0;
        for (int row = 0; row < rows; row++) {
            int token = argmax(have.data(), row * vocab, vocab);
            if (token != expected[row]) {
                double gap = Math.abs(recordedLogits.at(row, expected[row]) - recordedLogits.at(row, token));
                Verdict here = gap <= 2 * tolerance.budget(recordedLogits.at(row, token)) ? Verdict.NEAR_TIE : Verdict.FAIL;
                if (here.compareTo(verdict) > 0) {
                    verdict = here;
                    worst = row;
                }
            }
        }
        int token = argmax(have.data(), worst * vocab, vocab);
        return place.result(verdict, verdict == Verdict.PASS ? 0 : 1, 0, verdict == Verdict.PASS ? 1 : 0, 0,
                Shape.of("queryLen", rows).describeIndex(worst), expected[worst], token, verdict == Verdict.PASS ? "" : "another token is largest");
    }

    static int argmax(double[] values, int from, int length) {
        int best = from;
        for (int i = from + 1; i < from + length; i++) {
            if (values[i] > values[best]) {
                best = i;
            }
        }
        return best - from;
    }

    /// A list of keys, exactly or up to equal scores.
    ///
    /// Keys may be exchanged only if all keys that were exchanged have one score and none of them is forced or forbidden. Then
    /// every key scoring strictly above the cut is there, none strictly below it is, and the count is right, if that held
    /// for the expected list.
    ///
    /// @param score score of a key
    /// @param free  may be taken or left out: allowed and not forced
    static Verdict keys(int[] expected, int[] actual, IntToDoubleFunction score, IntPredicate free, double scoreSlack) {
        if (Arrays.equals(expected, actual)) {
            return Verdict.PASS;
        }
        if (expected.length != actual.length) {
            return Verdict.FAIL;
        }
        Map<Integer, Integer> inExpected = counts(expected);
        Map<Integer, Integer> inActual = counts(actual);
        double lowest = Double.POSITIVE_INFINITY;
        double highest = Double.NEGATIVE_INFINITY;
        boolean exchanged = false;
        Set<Integer> all = new HashSet<>(inExpected.keySet());
        all.addAll(inActual.keySet());
        for (int key : all) {
            int wanted = inExpected.getOrDefault(key, 0);
            int had = inActual.getOrDefault(key, 0);
            if (wanted == had) {
                continue;
            }
            // a key may be there or not; a key that is repeated must be repeated as often
            if (wanted + had != 1 || !free.test(key)) {
                return Verdict.FAIL;
            }
            exchanged = true;
            lowest = Math.min(lowest, score.applyAsDouble(key));
            highest = Math.max(highest, score.applyAsDouble(key));
        }
        return exchanged && highest - lowest <= scoreSlack ? Verdict.NEAR_TIE : Verdict.FAIL;
    }

    private static Map<Integer, Integer> counts(int[] keys) {
        Map<Integer, Integer> counts = new HashMap<>();
        for (int key : keys) {
            counts.merge(key, 1, Integer::sum);
        }
        return counts;
    }
}
