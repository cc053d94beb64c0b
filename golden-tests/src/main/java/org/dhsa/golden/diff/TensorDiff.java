package org.dhsa.golden.diff;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dhsa.golden.Verdict;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// One tensor against its expectation.
///
/// @param maxAbs     worst absolute error; infinite where a number meets a NaN or an infinity
/// @param relative   worst error over the largest expected magnitude
/// @param wrongShare share of the values that are over budget
/// @param index      the worst place, with axis names
/// @param around     the values on both sides of the worst place, along the last axis
/// @param note       what else there is to say; empty for nothing
record TensorDiff(String name, Verdict verdict, double maxAbs, double relative, double cosine, double wrongShare, Budget budget, String index,
                  double expected, double actual, List<Around> around, String note) {

    /// A place and what is there.
    record Around(String index, double expected, double actual, boolean worst) {}

    private static final int NEIGHBOURS = 2;

    boolean differs() {
        return verdict == Verdict.FAIL;
    }

    /// Numbers within a budget.
    static TensorDiff numbers(String name, DoubleTensor expected, DoubleTensor actual, Budget budget) {
        Shape shape = expected.shape();
        if (!shape.equals(actual.shape())) {
            return new TensorDiff(name, Verdict.FAIL, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.NaN, 1, budget, "", Double.NaN, Double.NaN,
                    List.of(), "has the extents " + actual.shape() + " where " + shape + " is expected");
        }
        double[] want = expected.data();
        double[] have = actual.data();
        int worst = 0;
        double worstError = -1;
        double largest = 0;
        long wrong = 0;
        long nans = 0;
        double dot = 0;
        double wantSquared = 0;
        double haveSquared = 0;
        for (int i = 0; i < want.length; i++) {
            double error;
            if (Double.isFinite(want[i]) && Double.isFinite(have[i])) {
                error = Math.abs(have[i] - want[i]);
                largest = Math.max(largest, Math.abs(want[i]));
                dot += want[i] * have[i];
                wantSquared += want[i] * want[i];
                haveSquared += have[i] * have[i];
            } else {
                error = Double.compare(want[i], have[i]) == 0 ? 0 : Double.POSITIVE_INFINITY;
                nans += Double.isNaN(have[i]) && !Double.isNaN(want[i]) ? 1 : 0;
            }
            wrong += error > budget.error() ? 1 : 0;
            if (error > worstError) {
                worstError = error;
                worst = i;
            }
        }
        double norm = Math.sqrt(wantSquared) * Math.sqrt(haveSquared);
        double cosine = norm > 0 ? dot / norm : wantSquared == haveSquared ? 1 : 0;
        boolean good = wrong == 0;
        String note = nans > 0 ? nans + " values are NaN where none is expected" : "";
        if (!good && nans == 0) {
            Optional<String> transposed = Layout.looksTransposed(expected, have, budget.error());
            note = transposed.map(order -> "looks transposed: the values agree when it is read as " + order).orElse("");
        }
        if (want.length == 0) {
            return new TensorDiff(name, Verdict.PASS, 0, 0, 1, 0, budget, "", 0, 0, List.of(), "empty");
        }
        return new TensorDiff(name, good ? Verdict.PASS : Verdict.FAIL, worstError, worstError == 0 ? 0 : worstError / largest, cosine, (double) wrong / want.length,
                budget, shape.describeIndex(worst), want[worst], have[worst], good ? List.of() : around(expected, actual, worst), note);
    }

    private static List<Around> around(DoubleTensor expected, DoubleTensor actual, int worst) {
        Shape shape = expected.shape();
        int width = shape.rank() == 0 ? 1 : shape.extent(shape.rank() - 1);
        int start = worst / width * width;
        List<Around> list = new ArrayList<>();
        for (int i = Math.max(start, worst - NEIGHBOURS); i <= Math.min(start + width - 1, worst + NEIGHBOURS); i++) {
            list.add(new Around(shape.describeIndex(i), expected.data()[i], actual.data()[i], i == worst));
        }
        return list;
    }
}
