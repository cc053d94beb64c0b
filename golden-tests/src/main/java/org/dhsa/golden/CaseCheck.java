package org.dhsa.golden;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.dhsa.backend.Backend;
import org.dhsa.stage.Stage;
import org.dhsa.stage.StageOp;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// One case on one backend while it is being checked: collects comparisons and remembers which tensors were used.
///
/// A recorded tensor must be compared, be an input, or be left out with a reason. One that is none of these makes the case
/// "not covered": no tensor is skipped in silence.
final class CaseCheck {

    /// Says that the inputs of a stage cannot be had, because what should have made them is wrong.
    static final class Broken extends RuntimeException {
        private static final long serialVersionUID = 1;

        Broken(String message) {
            super(message);
        }
    }

    /// Makes something of golden tensors.
    interface Making<T> {
        T make() throws GoldenFormatException;
    }

    private final GoldenCase golden;
    private final Backend backend;
    private final Tolerance tolerance;
    private final List<Comparison> comparisons = new ArrayList<>();
    private final Set<String> compared = new LinkedHashSet<>();
    private final Set<String> inputs = new LinkedHashSet<>();
    private final Map<String, String> excused = new LinkedHashMap<>();
    private String notCovered = "";
    private String note = "";
    private String prefix = "";
    private String restReason = "";
    private List<String> restNames = List.of();

    CaseCheck(GoldenCase golden, Backend backend) {
        this.golden = golden;
        this.backend = backend;
        this.tolerance = Tolerance.of(golden.tolerance(), backend.precision());
    }

    GoldenCase golden() {
        return golden;
    }

    Backend backend() {
        return backend;
    }

    Tolerance tolerance() {
        return tolerance;
    }

    /// Nothing can be compared, and why.
    void notCovered(String reason) {
        notCovered = reason;
    }

    /// The check could not go on. If no comparison says so yet, one does now: a case must not pass because it stopped early.
    void broken(String message) {
        if (comparisons.stream().noneMatch(c -> c.verdict() == Verdict.FAIL || c.verdict() == Verdict.ERROR)) {
            comparisons.add(new Comparison("harness", -1, "", Verdict.ERROR, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.NaN, 0, "",
                    Double.NaN, Double.NaN, message));
        }
    }

    /// What the next comparisons are, if not the plain stage from golden inputs: "end to end".
    void note(String text) {
        note = text;
    }

    /// Which element of the batch comes next; nothing is shown for a batch of one.
    void batch(int index, int count) {
        prefix = count == 1 ? "" : "batch=" + index;
    }

    /// These tensors are given to the implementation.
    void input(String... names) {
        inputs.addAll(Arrays.asList(names));
    }

    /// This tensor is not compared, for a reason that the report shows.
    void excuse(String name, String reason) {
        if (golden.has(name)) {
            excused.put(name, reason);
        }
    }

    /// Every tensor that nothing looked at is left out for one reason, and so are the numbers of case.json.
    void excuseRest(String reason) {
        List<String> rest = new ArrayList<>(forgotten());
        rest.forEach(name -> excused.put(name, reason));
        restReason = reason;
        restNames = rest;
    }

    /// Runs one stage. Inputs that contradict each other are the case's fault as long as nothing has gone wrong before;
    /// anything the stage throws is its own.
    <I, O> O apply(Stage stage, int layer, String tensor, Making<I> input, StageOp<I, O> op) throws GoldenFormatException {
        I made = inputs(stage, layer, tensor, input);
        try {
            return op.apply(made);
        } catch (RuntimeException e) {
            throw threw(stage.slug(), layer, tensor, e);
        }
    }

    /// Runs a function that is no stage.
    <O> O call(String function, int layer, String tensor, Making<O> body) throws GoldenFormatException {
        try {
            return body.make();
        } catch (Broken e) {
            throw e;
        } catch (RuntimeException e) {
            throw threw(function, layer, tensor, e);
        }
    }

    private <I> I inputs(Stage stage, int layer, String tensor, Making<I> input) throws GoldenFormatException {
        try {
            return input.make();
        } catch (Broken e) {
            throw e;
        } catch (RuntimeException e) {
            if (comparisons.stream().anyMatch(c -> c.verdict() == Verdict.FAIL || c.verdict() == Verdict.ERROR)) {
                throw threw(stage.slug(), layer, tensor, e);
            }
            throw new GoldenFormatException(golden.folder(), "the inputs of " + stage + " for " + tensor + " contradict each other: "
                    + e.getMessage(), "record the case again", e);
        }
    }

    private Broken threw(String stage, int layer, String tensor, RuntimeException e) {
        compared.add(tensor);
        comparisons.add(new Comparison(stage, layer, tensor, Verdict.ERROR, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.NaN, 0,
                "", Double.NaN, Double.NaN, (note.isEmpty() ? "" : note + "; ") + "threw " + e));
        return new Broken(stage + " threw " + e);
    }

    Compare.Place place(String stage, int layer, String tensor) {
        return new Compare.Place(stage, layer, tensor, prefix, note);
    }

    Comparison add(Comparison comparison) {
        compared.add(comparison.tensor());
        comparisons.add(comparison);
        return comparison;
    }

    void close(Stage stage, int layer, String tensor, DoubleTensor expected, Tensor actual) {
        close(stage.slug(), layer, tensor, expected, actual);
    }

    void close(String stage, int layer, String tensor, DoubleTensor expected, Tensor actual) {
        add(Compare.close(place(stage, layer, tensor), tolerance, expected, actual));
    }

    void exact(Stage stage, int layer, String tensor, DoubleTensor expected, Tensor actual) {
        add(Compare.exact(place(stage.slug(), layer, tensor), expected, actual));
    }

    /// Integers in a row, along one axis.
    void exact(String stage, int layer, String tensor, String axis, int[] expected, int[] actual) {
        if (expected.length != actual.length) {
            add(place(stage, layer, tensor).wrong(actual.length + " values where " + expected.length + " are expected: "
                    + Arrays.toString(actual) + " and not " + Arrays.toString(expected)));
        } else {
            add(Compare.exact(place(stage, layer, tensor), vector(axis, expected), vector(axis, actual)));
        }
    }

    /// A number that stands in case.json.
    void close(String stage, String result, double expected, double actual) {
        close(stage, -1, "results." + result, DoubleTensor.of(Shape.of(), expected), DoubleTensor.of(Shape.of(), actual));
    }

    static DoubleTensor vector(String axis, int[] values) {
        return DoubleTensor.of(Shape.of(axis, values.length), Arrays.stream(values).asDoubleStream().toArray());
    }

    List<Comparison> comparisons() {
        return comparisons;
    }

    Map<String, String> excused() {
        return excused;
    }

    /// Tensors of the case that nothing looked at.
    Set<String> forgotten() {
        Set<String> left = new TreeSet<>(golden.tensors().keySet());
        left.removeAll(compared);
        left.removeAll(inputs);
        left.removeAll(excused.keySet());
        return left;
    }

    Set<String> compared() {
        return compared;
    }

    Set<String> inputs() {
        return inputs;
    }

    CaseResult result() {
        if (!notCovered.isEmpty()) {
            return new CaseResult(golden.id(), golden.family(), Verdict.NOT_COVERED, List.of(), notCovered);
        }
        Verdict verdict = comparisons.stream().map(Comparison::verdict).reduce(Verdict.PASS, Verdict::worse);
        List<String> message = new ArrayList<>();
        Set<String> forgotten = forgotten();
        boolean broken = verdict == Verdict.ERROR || verdict == Verdict.FAIL;
        if (comparisons.isEmpty()) {
            verdict = verdict.worse(Verdict.NOT_COVERED);
            message.add("nothing was compared");
        } else if (!forgotten.isEmpty() && !broken) {
            verdict = verdict.worse(Verdict.NOT_COVERED);
            message.add("no comparison exists for " + String.join(", ", forgotten));
        }
        if (!restReason.isEmpty()) {
            message.add("not compared: " + String.join(", ", restNames) + (restNames.isEmpty() ? "" : " and ") + "the numbers of case.json, " + restReason);
        }
        excused.forEach((name, reason) -> {
            if (!restNames.contains(name)) {
                message.add("not compared: " + name + ", " + reason);
            }
        });
        return new CaseResult(golden.id(), golden.family(), verdict, comparisons, String.join("; ", message));
    }
}
