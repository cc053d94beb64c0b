package org.dhsa.golden.vector;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.dhsa.golden.Comparison;
import org.dhsa.golden.Verdict;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Compares what an implementation gave with what a case expects, by the rules of CONTRACT.md.
///
/// Order: shape, non-finite pattern, values.
public final class VectorComparison {

    /// An FP64 implementation is not let off with what a float32 one may do.
    private static final double FP64_RELATIVE = 1e-10;

    private static final int MOST_SHOWN = 24;

    private VectorComparison() {}

    /// @param actual any numeric type; axis names are not looked at, extents are
    /// @param fp64   hold it to FP64 accuracy: 1e-10 of the largest expected value
    public static Comparison compare(VectorCase golden, VectorCase.Expected expected, Tensor actual, boolean fp64) {
        DoubleTensor want = expected.tensor().toDouble();
        boolean lists = expected.comparison().path("kind").asText().equals("selection");
        if (!sameExtents(want, actual)) {
            return lists && sameRows(want, actual) ? otherWidth(golden, expected, want, actual.toDouble()) : wrong(expected, otherShape(expected, want, actual));
        }
        double[] have = actual.toDouble().data();
        return switch (expected.comparison().path("kind").asText()) {
            case "exact" -> numbers(expected, want, have, 0);
            case "continuous" -> numbers(expected, want, have, budget(expected, fp64));
            case "selection" -> selection(golden, expected, want, have);
            case String other -> wrong(expected, "the case asks for the unknown comparison \"" + other + "\"");
        };
    }

    /// A comparison that says why nothing could be compared.
    static Comparison wrong(VectorCase.Expected expected, String note) {
        return new Comparison(expected.stage(), expected.layer(), expected.name(), Verdict.FAIL, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.NaN, 0, "",
                Double.NaN, Double.NaN, note);
    }

    /// Allowed absolute errors of a float32 implementation, as the case states them; none for what is compared otherwise.
    public static Map<String, Double> budgets(VectorCase golden) {
        Map<String, Double> budgets = new HashMap<>();
        golden.expected().forEach((name, expected) -> {
            if (expected.comparison().path("kind").asText().equals("continuous")) {
                budgets.put(name, budget(expected, false));
            }
        });
        return budgets;
    }

    static double budget(VectorCase.Expected expected, boolean fp64) {
        JsonNode c = expected.comparison();
        double budget = c.path("ratio").asDouble() * c.path("baselineError").asDouble() + c.path("floor").asDouble();
        return fp64 ? Math.min(budget, FP64_RELATIVE * largest(expected.tensor().toDouble().data())) : budget;
    }

    /// Largest finite magnitude.
    static double largest(double[] values) {
        return Arrays.stream(values).filter(Double::isFinite).map(Math::abs).max().orElse(0);
    }

    /// Both shapes; where it can be told, what is wrong with the one: transposed, without its axes, or which list it is instead.
    private static String otherShape(VectorCase.Expected expected, DoubleTensor want, Tensor actual) {
        int[] have = extents(actual.shape());
        int[] wanted = extents(want.shape());
        String shapes = "shape " + Arrays.toString(have) + " where " + want.shape() + " is expected";
        if (have.length == 1 && wanted.length == 1 && expected.tensor().dtype() == DType.I64) {
            int[] had = row(actual.toDouble().data(), 0, have[0]);
            int[] should = row(want.data(), 0, wanted[0]);
            int place = firstDifference(should, had);
            return shapes + "; entry " + place + ": " + (place < had.length ? had[place] : "none") + " where " + (place < should.length ? should[place] : "none")
                    + " is expected; " + shortened(had) + " where " + shortened(should) + " are";
        }
        if (have.length == wanted.length && Arrays.equals(Arrays.stream(have).sorted().toArray(), Arrays.stream(wanted).sorted().toArray())) {
            return shapes + ": it looks transposed";
        }
        return product(have) == product(wanted) ? shapes + ": the same number of values in other axes" : shapes;
    }

    private static int[] extents(Shape shape) {
        return IntStream.range(0, shape.rank()).map(shape::extent).toArray();
    }

    private static long product(int[] extents) {
        return Arrays.stream(extents).asLongStream().reduce(1, (a, b) -> a * b);
    }

    private static String shortened(int[] list) {
        return list.length <= MOST_SHOWN ? Arrays.toString(list) : Arrays.toString(Arrays.copyOf(list, MOST_SHOWN)).replace("]", ", ... ]");
    }

    private static boolean sameExtents(DoubleTensor want, Tensor actual) {
        if (want.shape().rank() != actual.shape().rank()) {
            return false;
        }
        for (int a = 0; a < want.shape().rank(); a++) {
            if (want.shape().extent(a) != actual.shape().extent(a)) {
                return false;
            }
        }
        return true;
    }

    private static Comparison numbers(VectorCase.Expected expected, DoubleTensor want, double[] have, double budget) {
        double[] truth = want.data();
        double maxAbs = 0;
        double maxRel = 0;
        double dot = 0;
        double wantSquared = 0;
        double haveSquared = 0;
        int worst = 0;
        boolean patterns = true;
        for (int i = 0; i < truth.length; i++) {
            double error;
            if (Double.isFinite(truth[i]) && Double.isFinite(have[i])) {
                error = Math.abs(have[i] - truth[i]);
                maxRel = Math.max(maxRel, error == 0 ? 0 : error / Math.abs(truth[i]));
                dot += truth[i] * have[i];
                wantSquared += truth[i] * truth[i];
                haveSquared += have[i] * have[i];
            } else {
                // equal infinities, or NaN where the case expects one
                boolean same = truth[i] == have[i] || Double.isNaN(truth[i]) && Double.isNaN(have[i]);
                error = same ? 0 : Double.POSITIVE_INFINITY;
                patterns &= same;
            }
            if (error > maxAbs) {
                maxAbs = error;
                worst = i;
            }
        }
        double norm = Math.sqrt(wantSquared) * Math.sqrt(haveSquared);
        double cosine = norm > 0 ? dot / norm : wantSquared == haveSquared ? 1 : 0;
        boolean good = patterns && maxAbs <= budget;
        return new Comparison(expected.stage(), expected.layer(), expected.name(), good ? Verdict.PASS : Verdict.FAIL, maxAbs, patterns ? maxRel : Double.POSITIVE_INFINITY, cosine, budget,
                truth.length == 0 ? "" : want.shape().describeIndex(worst), truth.length == 0 ? 0 : truth[worst], truth.length == 0 ? 0 : have[worst], patterns ? "" : "the non-finite patterns differ");
    }

    private static boolean sameRows(DoubleTensor want, Tensor actual) {
        return actual.shape().rank() == 2 && want.shape().rank() == 2 && actual.shape().extent(0) == want.shape().extent(0);
    }

    /// Lists whose longest has another length: wrong in any case, but the list can be named.
    private static Comparison otherWidth(VectorCase golden, VectorCase.Expected expected, DoubleTensor want, DoubleTensor actual) {
        int width = want.shape().extent(1);
        int other = actual.shape().extent(1);
        for (int row = 0; row < want.shape().extent(0); row++) {
            int[] wanted = row(want.data(), row, width);
            int[] had = row(actual.data(), row, other);
            if (!Arrays.equals(wanted, had)) {
                int place = firstDifference(wanted, had);
                return new Comparison(expected.stage(), expected.layer(), expected.name(), Verdict.FAIL, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.NaN, 0,
                        width == 0 ? "" : want.shape().describeIndex(row * width + Math.min(place, width - 1)), at(wanted, place), at(had, place),
                        "shape " + Arrays.toString(extents(actual.shape())) + " where " + want.shape() + " is expected; " + describe(golden, expected, row, wanted, had));
            }
        }
        return wrong(expected, "shape " + Arrays.toString(extents(actual.shape())) + " where " + want.shape() + " is expected: the lists agree, they are as wide as the longest of them");
    }

    private static int firstDifference(int[] wanted, int[] had) {
        int place = Arrays.mismatch(wanted, had);
        return Math.max(place, 0);
    }

    private static double at(int[] list, int place) {
        return place < list.length ? list[place] : Selections.NONE;
    }

    /// Which list it is, where it first differs, and whether equal scores explain it.
    private static String describe(VectorCase golden, VectorCase.Expected expected, int row, int[] wanted, int[] had) {
        String keys = "keys " + Arrays.toString(had) + " where " + Arrays.toString(wanted) + " are expected";
        JsonNode rule = expected.comparison();
        if (!rule.has("lists")) {
            return keys;
        }
        double[] list = golden.expected().get(rule.get("lists").asText()).tensor().toDouble().data();
        int head = (int) list[row * 3];
        int place = firstDifference(wanted, had);
        return "list " + row + ", " + (head < 0 ? "all heads" : "head " + head) + rows((int) list[row * 3 + 1], (int) list[row * 3 + 2]) + ", entry " + place + ": "
                + entry(had, place) + " where " + entry(wanted, place) + " is expected; " + tie(golden, rule, row, wanted, had) + keys;
    }

    private static String rows(int start, int end) {
        return end - start == 1 ? ", row " + start : ", rows " + start + " to " + (end - 1);
    }

    private static String entry(int[] list, int place) {
        return place < list.length ? "key " + list[place] : "no key";
    }

    private static String tie(VectorCase golden, JsonNode rule, int row, int[] wanted, int[] had) {
        if (!rule.has("margin")) {
            return "";
        }
        double margin = golden.expected().get(rule.get("margin").asText()).tensor().toDouble().data()[row];
        if (onlyTied(golden, rule, row, wanted, had)) {
            return "a tie explains it: these keys score the same, and the lowest position comes first; ";
        }
        return margin == 0 ? "equal scores stand at the cut, but other keys differ too; " : Double.isInfinite(margin) ? "nothing was left out by score; "
                : "no tie: the last key taken scores " + String.format(Locale.ROOT, "%.3g", margin) + " more than the first one left out; ";
    }

    /// The same number of keys, and those that differ are all among those that tie at the cut.
    private static boolean onlyTied(VectorCase golden, JsonNode rule, int row, int[] wanted, int[] had) {
        if (!rule.has("ties") || wanted.length != had.length) {
            return false;
        }
        VectorCase.Expected matrix = golden.expected().get(rule.get("ties").asText());
        int[] tied = row(matrix.tensor().toDouble().data(), row, matrix.tensor().shape().extent(1));
        return difference(wanted, had).entrySet().stream().allMatch(e -> Math.abs(e.getValue()) == 1 && Arrays.binarySearch(tied, e.getKey()) >= 0);
    }

    private static Comparison selection(VectorCase golden, VectorCase.Expected expected, DoubleTensor want, double[] have) {
        int rows = want.shape().extent(0);
        int width = want.shape().extent(1);
        Verdict verdict = Verdict.PASS;
        int worst = 0;
        for (int row = 0; row < rows; row++) {
            int[] wanted = row(want.data(), row, width);
            int[] had = row(have, row, width);
            Verdict here = Arrays.equals(wanted, had) ? Verdict.PASS : nearTie(golden, expected, row, wanted, had) ? Verdict.NEAR_TIE : Verdict.FAIL;
            if (here.compareTo(verdict) > 0) {
                verdict = here;
                worst = row;
            }
        }
        if (verdict == Verdict.PASS) {
            return new Comparison(expected.stage(), expected.layer(), expected.name(), verdict, 0, 0, 1, 0, "", 0, 0, "");
        }
        int column = 0;
        while (want.data()[worst * width + column] == have[worst * width + column]) {
            column++;
        }
        int place = worst * width + column;
        return new Comparison(expected.stage(), expected.layer(), expected.name(), verdict, Math.abs(have[place] - want.data()[place]), 0, Double.NaN, 0, want.shape().describeIndex(place),
                want.data()[place], have[place], describe(golden, expected, worst, row(want.data(), worst, width), row(have, worst, width)));
    }

    private static int[] row(double[] matrix, int row, int width) {
        return Arrays.stream(matrix, row * width, (row + 1) * width).filter(k -> k != Selections.NONE).mapToInt(k -> (int) k).toArray();
    }

    /// The same number of keys, and those that differ all have one score, are there or not there once, are allowed and are not forced.
    private static boolean nearTie(VectorCase golden, VectorCase.Expected expected, int row, int[] wanted, int[] had) {
        JsonNode rule = expected.comparison();
        if (rule.has("ties")) {
            return onlyTied(golden, rule, row, wanted, had);
        }
        if (wanted.length != had.length || !rule.has("scores")) {
            return false;
        }
        Function<String, double[]> values = name -> (golden.expected().containsKey(name) ? golden.expected().get(name).tensor() : golden.inputs().get(name)).toDouble().data();
        String scoresName = rule.get("scores").asText();
        boolean given = !golden.expected().containsKey(scoresName);
        Tensor scores = given ? golden.inputs().get(scoresName) : golden.expected().get(scoresName).tensor();
        int keyLen = scores.shape().extent(1);
        int segment = rule.has("blocks") ? (int) values.apply(rule.get("blocks").asText())[row * 4 + 3] : row;
        double[] all = scores.toDouble().data();
        Set<Integer> forced = new HashSet<>();
        if (rule.has("forced")) {
            VectorCase.Expected matrix = golden.expected().get(rule.get("forced").asText());
            Arrays.stream(row(matrix.tensor().toDouble().data(), row, matrix.tensor().shape().extent(1))).forEach(forced::add);
        }
        int from = rule.has("allowed") ? (int) values.apply(rule.get("allowed").asText())[row * 2] : 0;
        int end = rule.has("allowed") ? (int) values.apply(rule.get("allowed").asText())[row * 2 + 1] : keyLen;
        double lowest = Double.POSITIVE_INFINITY;
        double highest = Double.NEGATIVE_INFINITY;
        for (Map.Entry<Integer, Integer> key : difference(wanted, had).entrySet()) {
            int j = key.getKey();
            if (Math.abs(key.getValue()) > 1 || forced.contains(j) || j < from || j >= end) {
                return false;
            }
            lowest = Math.min(lowest, all[segment * keyLen + j]);
            highest = Math.max(highest, all[segment * keyLen + j]);
        }
        return highest - lowest <= (given ? 0 : budget(golden.expected().get(scoresName), false));
    }

    private static Map<Integer, Integer> difference(int[] wanted, int[] had) {
        Map<Integer, Integer> counts = new HashMap<>();
        Arrays.stream(wanted).forEach(j -> counts.merge(j, 1, Integer::sum));
        Arrays.stream(had).forEach(j -> counts.merge(j, -1, Integer::sum));
        counts.values().removeIf(n -> n == 0);
        return counts;
    }
}
