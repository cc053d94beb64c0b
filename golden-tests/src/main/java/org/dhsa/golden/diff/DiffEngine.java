package org.dhsa.golden.diff;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.dhsa.backend.Backend;
import org.dhsa.bug.KnownBug;
import org.dhsa.bug.StageRun;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Walks the stages in order, compares every tensor that ACTUAL has, and judges each stage after the first divergence by itself:
/// the reference is given ACTUAL's own inputs of that stage, so that what follows from a mistake is told from another one.
final class DiffEngine implements AutoCloseable {

    private static final long MOST_KEPT = 64L << 20;

    private final Expected expected;
    private final ActualTensors actual;
    private final Optional<DType> dtype;
    private final boolean everyStage;
    private final Backend reference = new ReferenceBackend();
    private final Backend plain = OptimizedBackend.scalar(1);
    /// Results of the reference on ACTUAL's inputs, the oldest forgotten first.
    private final Map<String, Computed> computed = new LinkedHashMap<>();

    private record Computed(DoubleTensor value, Set<TraceNode> by) {}

    /// @param dtype      arithmetic of ACTUAL, empty for the type of each of its tensors
    /// @param everyStage judge every stage by itself, not only those after the first divergence
    DiffEngine(Expected expected, ActualTensors actual, Optional<DType> dtype, boolean everyStage) {
        this.expected = expected;
        this.actual = actual;
        this.dtype = dtype;
        this.everyStage = everyStage;
    }

    List<NodeResult> run(Consumer<TraceNode> progress) throws GoldenFormatException {
        List<NodeResult> results = new ArrayList<>();
        boolean diverged = false;
        int stages = 0;
        for (TraceNode node : expected.recipe().nodes()) {
            if (node.tensors().stream().noneMatch(expected.tensors()::containsKey)) {
                continue;
            }
            progress.accept(node);
            stages++;
            NodeResult result = judge(node, stages, diverged);
            diverged |= result.differs();
            results.add(result);
        }
        return results;
    }

    private NodeResult judge(TraceNode node, int stages, boolean diverged) throws GoldenFormatException {
        List<TensorDiff> compared = new ArrayList<>();
        List<String> missing = new ArrayList<>();
        for (String name : node.tensors()) {
            if (!expected.tensors().containsKey(name)) {
                continue;
            }
            if (actual.has(name)) {
                DoubleTensor want = expected.tensor(name);
                DoubleTensor have = actual.read(name);
                KnownTensor known = expected.tensors().get(name);
                compared.add(known.kind() == KnownTensor.Kind.SELECTION ? selection(node, known, want, have)
                        : TensorDiff.numbers(name, want, have, known.budget(arithmetic(name), stages, largest(want))));
            } else if (!expected.tensors().get(name).optional()) {
                missing.add(name);
            }
        }
        if (compared.isEmpty()) {
            return new NodeResult(node, compared, missing, List.of(), "", List.of(), NodeResult.Cause.MISSING);
        }
        boolean differs = compared.stream().anyMatch(TensorDiff::differs);
        if (!differs && !everyStage) {
            return new NodeResult(node, compared, missing, List.of(), "", List.of(), NodeResult.Cause.SAME);
        }
        return alone(node, compared, missing, differs, diverged);
    }

    /// The stage on ACTUAL's inputs.
    private NodeResult alone(TraceNode node, List<TensorDiff> compared, List<String> missing, boolean differs, boolean diverged) throws GoldenFormatException {
        Set<TraceNode> bridged = new LinkedHashSet<>();
        List<TensorDiff> alone = new ArrayList<>();
        try {
            StageCall call = call(node, bridged);
            Map<String, DoubleTensor> truth = outputs(node, call.on(reference));
            Map<String, DoubleTensor> single = outputs(node, call.on(plain));
            for (TensorDiff direct : compared) {
                String name = direct.name();
                DoubleTensor want = truth.get(name);
                if (want == null) {
                    continue;
                }
                want = underNamesOf(expected.tensors().get(name), want);
                KnownTensor known = expected.tensors().get(name);
                alone.add(known.kind() == KnownTensor.Kind.SELECTION ? selectionAlone(name, want, actual.read(name), call)
                        : TensorDiff.numbers(name, want, actual.read(name), localBudget(known, want, single.get(name))));
            }
        } catch (IllegalArgumentException | IndexOutOfBoundsException | GoldenFormatException e) {
            NodeResult.Cause cause = !differs ? NodeResult.Cause.SAME : diverged ? NodeResult.Cause.OPEN : NodeResult.Cause.FIRST;
            return new NodeResult(node, compared, missing, List.of(), "it could not be computed from ACTUAL's inputs: " + e.getMessage(), List.copyOf(bridged), cause);
        }
        boolean guilty = alone.stream().anyMatch(TensorDiff::differs);
        NodeResult.Cause cause = guilty ? diverged ? NodeResult.Cause.OWN : NodeResult.Cause.FIRST
                : differs ? NodeResult.Cause.FOLLOWS : NodeResult.Cause.SAME;
        return new NodeResult(node, compared, missing, alone, "", List.copyOf(bridged), cause);
    }

    /// A vector may call an axis otherwise than the stage does: a chunk of queries is a query block.
    private static DoubleTensor underNamesOf(KnownTensor known, DoubleTensor x) {
        Shape shape = known.shape();
        if (shape.names().equals(x.shape().names()) || shape.rank() != x.shape().rank()) {
            return x;
        }
        Object[] axes = new Object[2 * shape.rank()];
        for (int a = 0; a < shape.rank(); a++) {
            axes[2 * a] = shape.name(a);
            axes[2 * a + 1] = x.shape().extent(a);
        }
        return x.reshape(Shape.of(axes));
    }

    Expected expected() {
        return expected;
    }

    Backend reference() {
        return reference;
    }

    /// A stage with a mistake in it, or in the stages before it that ACTUAL did not dump.
    Map<String, DoubleTensor> through(TraceNode node, KnownBug bug, int variant) throws GoldenFormatException {
        return through(node, bug, variant, new LinkedHashMap<>());
    }

    /// @param wrong what was computed with the mistake so far: a residual is read by several stages, and each of its terms once again
    private Map<String, DoubleTensor> through(TraceNode node, KnownBug bug, int variant, Map<String, Computed> wrong) throws GoldenFormatException {
        StageCall call = expected.recipe().call(node, new TensorSource() {
            @Override
            public DoubleTensor tensor(String name) throws GoldenFormatException {
                Optional<TraceNode> producer = expected.recipe().producer(name);
                if (actual.hasInput(node, name)) {
                    return actual.input(node, name);
                }
                if (actual.has(name) || producer.isEmpty()) {
                    return actualTensor(name).value();
                }
                Computed kept = wrong.get(name);
                return kept == null ? through(producer.get(), bug, variant, wrong).get(name) : kept.value();
            }

            @Override
            public Tensor weight(String name) throws GoldenFormatException {
                return expected.weight(name);
            }
        });
        Map<String, DoubleTensor> outputs = new LinkedHashMap<>();
        bug.run(new StageRun(call.slug(), call.config(), call.inputs()), reference, variant).forEach((name, value) -> outputs.put(name, value.toDouble()));
        Map<String, DoubleTensor> named = outputs(node, outputs);
        named.forEach((name, value) -> keep(wrong, name, new Computed(value, Set.of())));
        return named;
    }

    /// A stage with ACTUAL's inputs.
    StageCall call(TraceNode node) throws GoldenFormatException {
        return call(node, new LinkedHashSet<>());
    }

    private StageCall call(TraceNode node, Set<TraceNode> bridged) throws GoldenFormatException {
        return expected.recipe().call(node, new TensorSource() {
            @Override
            public DoubleTensor tensor(String name) throws GoldenFormatException {
                if (actual.hasInput(node, name)) {
                    return actual.input(node, name);
                }
                Computed found = actualTensor(name);
                bridged.addAll(found.by());
                return found.value();
            }

            @Override
            public Tensor weight(String name) throws GoldenFormatException {
                return expected.weight(name);
            }
        });
    }

    /// ACTUAL's tensor; what it does not have is computed by the reference from what it has further up.
    private Computed actualTensor(String name) throws GoldenFormatException {
        if (actual.has(name)) {
            return new Computed(actual.read(name), Set.of());
        }
        Computed kept = computed.get(name);
        if (kept != null) {
            return kept;
        }
        Optional<TraceNode> producer = expected.recipe().producer(name);
        if (producer.isEmpty()) {
            return new Computed(expected.tensor(name), Set.of());
        }
        Set<TraceNode> by = new LinkedHashSet<>();
        StageCall call = call(producer.get(), by);
        by.add(producer.get());
        outputs(producer.get(), call.on(reference)).forEach((tensor, value) -> keep(computed, tensor, new Computed(value, by)));
        return computed.get(name);
    }

    private static void keep(Map<String, Computed> results, String name, Computed value) {
        results.put(name, value);
        long total = results.values().stream().mapToLong(c -> c.value().data().length).sum();
        for (String oldest : List.copyOf(results.keySet())) {
            if (total <= MOST_KEPT || results.size() <= 8) {
                return;
            }
            total -= results.remove(oldest).value().data().length;
        }
    }

    private static Map<String, DoubleTensor> outputs(TraceNode node, Map<String, DoubleTensor> outputs) {
        Map<String, DoubleTensor> named = new LinkedHashMap<>();
        node.outputs().forEach((component, name) -> {
            if (outputs.containsKey(component)) {
                named.put(name, outputs.get(component));
            }
        });
        return named;
    }

    private DType arithmetic(String name) {
        return dtype.orElseGet(() -> actual.dtype(name));
    }

    /// What one stage of an honest program may add, measured on these very inputs.
    private Budget localBudget(KnownTensor known, DoubleTensor truth, DoubleTensor single) {
        if (known.kind() == KnownTensor.Kind.EXACT) {
            return Budget.EXACT;
        }
        double worst = worstError(truth, single).orElse(0);
        double largest = largest(truth);
        return Budget.measured(Export.RATIO, worst, Export.FLOOR_ROUNDINGS * Budget.FLOAT32 * largest, largest, arithmetic(known.name()),
                "error of the float32 stage on these inputs");
    }

    /// Worst finite error; empty if the two have not the same number of values.
    static OptionalDouble worstError(DoubleTensor truth, DoubleTensor single) {
        double[] want = truth.data();
        double[] have = single.data();
        return want.length != have.length ? OptionalDouble.empty()
                : OptionalDouble.of(IntStream.range(0, want.length).mapToDouble(i -> Math.abs(want[i] - have[i])).filter(Double::isFinite).max().orElse(0));
    }

    /// Lists against EXPECTED's, with EXPECTED's scores.
    private TensorDiff selection(TraceNode node, KnownTensor known, DoubleTensor want, DoubleTensor have) throws GoldenFormatException {
        if (want.shape().equals(have.shape()) && Arrays.equals(want.data(), have.data())) {
            return TensorDiff.numbers(known.name(), want, have, Budget.EXACT);
        }
        Optional<KnownTensor> scores = known.scores().map(expected.tensors()::get);
        if (scores.isEmpty()) {
            return TensorDiff.numbers(known.name(), want, have, Budget.EXACT);
        }
        DoubleTensor values = expected.tensor(scores.get().name());
        StageCall call = expected.recipe().call(node, expected);
        double slack = expected.recipe().producer(scores.get().name()).isEmpty() ? 0
                : 2 * scores.get().budget(dtype.orElse(DType.F32), 1, largest(values)).error();
        return SelectionDiff.compare(known.name(), want, have, evidence(call), values, slack);
    }

    /// Lists against those that the reference makes of ACTUAL's own scores: no rounding in between.
    private TensorDiff selectionAlone(String name, DoubleTensor want, DoubleTensor have, StageCall call) {
        if (want.shape().equals(have.shape()) && Arrays.equals(want.data(), have.data())) {
            return TensorDiff.numbers(name, want, have, Budget.EXACT);
        }
        return SelectionDiff.compare(name, want, have, evidence(call), call.inputs().get("tokenScores").toDouble(), 0);
    }

    private Map<String, DoubleTensor> evidence(StageCall call) {
        Map<String, DoubleTensor> evidence = call.on(reference);
        evidence.put("blocks", call.inputs().get("blocks").toDouble());
        return evidence;
    }

    static double largest(DoubleTensor x) {
        return Arrays.stream(x.data()).filter(Double::isFinite).map(Math::abs).max().orElse(0);
    }

    /// Error of one tensor for a picture, against the truth that the finding was judged by.
    Optional<HeatMap> heatMap(NodeResult result, TensorDiff diff) throws GoldenFormatException {
        DoubleTensor have = actual.read(diff.name());
        DoubleTensor want = !result.alone().contains(diff) ? expected.tensor(diff.name())
                : underNamesOf(expected.tensors().get(diff.name()), outputs(result.node(), call(result.node()).on(reference)).get(diff.name()));
        return HeatMap.of(want, have, diff.budget().error());
    }

    /// ACTUAL's results of a stage under the names of the contract.
    Map<String, DoubleTensor> actualOutputs(TraceNode node) throws GoldenFormatException {
        return actual(node.outputs());
    }

    /// What ACTUAL has of these tensors.
    ///
    /// @param names in the contract, and of the tensor
    Map<String, DoubleTensor> actual(Map<String, String> names) throws GoldenFormatException {
        Map<String, DoubleTensor> outputs = new LinkedHashMap<>();
        for (Map.Entry<String, String> out : names.entrySet()) {
            if (actual.has(out.getValue())) {
                outputs.put(out.getKey(), actual.read(out.getValue()));
            }
        }
        return outputs;
    }

    @Override
    public void close() {
        plain.close();
        reference.close();
    }
}
