package org.dhsa.golden.diff;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dhsa.bug.Diagnosis;
import org.dhsa.bug.KnownBug;
import org.dhsa.bug.KnownBugs;
import org.dhsa.bug.StageRun;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Which known mistake a divergence looks like.
///
/// The stage is computed again from ACTUAL's own inputs with every known mistake in it; so a stage is diagnosed although another
/// one before it is wrong too. A mistake must explain each layer where the stage is wrong, and must not show where it is right:
/// that tells mistakes apart which one call alone cannot.
final class Diagnosing {

    /// A mistake is in all layers or in those of one kind: a few calls are enough to know it.
    private static final int MOST_CALLS = 3;
    private static final double MUCH_CLOSER = 100;

    private final DiffEngine engine;
    private final List<NodeResult> results;

    Diagnosing(DiffEngine engine, List<NodeResult> results) {
        this.engine = engine;
        this.results = results;
    }

    /// @param group calls of one stage and role that are wrong by themselves
    Diagnosed of(List<NodeResult> group) throws GoldenFormatException {
        NodeResult first = group.getFirst();
        if (first.cause() == NodeResult.Cause.FOLLOWS) {
            return Diagnosed.unknown("no stage is wrong by itself");
        }
        try {
            if (engine.expected().recipe().whole().isPresent()) {
                Diagnosis whole = diagnose(engine.expected().recipe().whole().get(), engine.allOutputs(), Map.of());
                return new Diagnosed(whole.ids(), whole.text().lines().toList());
            }
            List<Diagnosis> all = new ArrayList<>();
            for (NodeResult result : group.subList(0, Math.min(MOST_CALLS, group.size()))) {
                all.add(diagnose(engine.call(result.node()), engine.actualOutputs(result.node()), budgets(result)));
            }
            if (ids(all.getFirst()).isEmpty() && !first.bridged().isEmpty()) {
                return acrossBridge(first, all.getFirst());
            }
            return together(first.node().stage(), all);
        } catch (IllegalArgumentException | GoldenFormatException e) {
            return Diagnosed.unknown(e.getMessage());
        }
    }

    private static Diagnosis diagnose(StageCall call, Map<String, DoubleTensor> outputs, Map<String, Double> budgets) {
        return Diagnosis.of(new StageRun(call.slug(), call.config(), call.inputs()), new LinkedHashMap<String, Tensor>(outputs), budgets);
    }

    /// By the contract's names of the outputs.
    private static Map<String, Double> budgets(NodeResult result) {
        Map<String, Double> budgets = new LinkedHashMap<>();
        result.node().outputs().forEach((component, name) -> result.alone().stream().filter(d -> d.name().equals(name)).forEach(d -> budgets.put(component, d.budget().error())));
        return budgets;
    }

    private Diagnosed together(Stage stage, List<Diagnosis> all) throws GoldenFormatException {
        Diagnosis first = all.getFirst();
        Set<String> common = new LinkedHashSet<>(ids(first));
        all.forEach(d -> common.retainAll(ids(d)));
        List<String> lines = new ArrayList<>(first.text().lines().toList());
        if (common.isEmpty()) {
            List<String> others = all.stream().skip(1).filter(d -> !ids(d).isEmpty()).map(d -> "in another layer it " + d.text()).distinct().toList();
            lines.addAll(others);
            return new Diagnosed(ids(first), lines);
        }
        if (common.size() > 1) {
            ruleOut(stage, common);
        }
        if (common.size() < ids(first).size()) {
            String kept = String.join(", ", common);
            lines = new ArrayList<>(List.of((common.size() == 1 ? "matches bug " : "matches one of ") + kept + words(common) + "; fits this stage as well: "
                    + String.join(", ", ids(first).stream().filter(id -> !common.contains(id)).toList()) + ", but not the other calls of it"));
        }
        return new Diagnosed(List.copyOf(common), lines);
    }

    static String words(Set<String> bugs) {
        return bugs.size() == 1 ? KnownBugs.byId(bugs.iterator().next()).map(b -> ": " + b.title() + "; " + b.remedy() + " (" + b.docsLink() + ")").orElse("") : "";
    }

    /// Takes away the mistakes that would show at calls of this stage where ACTUAL is right; never all.
    private void ruleOut(Stage stage, Set<String> bugs) throws GoldenFormatException {
        List<NodeResult> right = results.stream().filter(r -> r.node().stage() == stage && (r.cause() == NodeResult.Cause.SAME || r.cause() == NodeResult.Cause.FOLLOWS)
                && !r.compared().isEmpty()).limit(MOST_CALLS).toList();
        for (NodeResult result : right) {
            for (String id : List.copyOf(bugs)) {
                if (bugs.size() > 1 && wouldShow(KnownBugs.byId(id).orElseThrow(), result)) {
                    bugs.remove(id);
                }
            }
        }
    }

    private boolean wouldShow(KnownBug bug, NodeResult result) throws GoldenFormatException {
        StageCall call = engine.call(result.node());
        Map<String, DoubleTensor> actual = engine.actualOutputs(result.node());
        for (int v = 0; v < bug.variants().size(); v++) {
            Map<String, Tensor> wrong = bug.run(new StageRun(call.slug(), call.config(), call.inputs()), engine.reference(), v);
            boolean shows = actual.entrySet().stream().anyMatch(a -> {
                TensorDiff diff = result.compared().stream().filter(d -> d.name().equals(result.node().outputs().get(a.getKey()))).findFirst().orElseThrow();
                return TensorDiff.numbers(a.getKey(), wrong.get(a.getKey()).toDouble(), a.getValue(), new Budget(MUCH_CLOSER * diff.budget().error(), "")).differs();
            });
            if (!shows) {
                return false;
            }
        }
        return true;
    }

    /// Between this stage and what ACTUAL has lie stages that it did not dump: each mistake of one of them is carried through.
    private Diagnosed acrossBridge(NodeResult result, Diagnosis alone) throws GoldenFormatException {
        Set<Stage> stages = new LinkedHashSet<>();
        result.bridged().forEach(n -> stages.add(n.stage()));
        Map<String, DoubleTensor> actual = engine.actualOutputs(result.node());
        Map<String, Double> residuals = new LinkedHashMap<>();
        for (KnownBug bug : KnownBugs.all()) {
            if (bug.stages().stream().anyMatch(stages::contains)) {
                for (int v = 0; v < bug.variants().size(); v++) {
                    try {
                        double worst = distance(result.node(), engine.through(result.node(), bug, v), actual);
                        residuals.merge(bug.id(), worst, Math::min);
                    } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
                        // an implementation that fails here gives nothing that could fit
                        residuals.putIfAbsent(bug.id(), Double.POSITIVE_INFINITY);
                    }
                }
            }
        }
        double healthy = result.alone().stream().mapToDouble(TensorDiff::maxAbs).max().orElse(Double.POSITIVE_INFINITY);
        double budget = result.alone().stream().mapToDouble(d -> d.budget().error()).max().orElse(0);
        double best = residuals.values().stream().mapToDouble(Double::doubleValue).min().orElse(Double.POSITIVE_INFINITY);
        if (best > budget && best > healthy / MUCH_CLOSER) {
            return new Diagnosed(List.of(), alone.text().lines().toList());
        }
        Set<String> fits = new LinkedHashSet<>();
        residuals.forEach((id, residual) -> {
            if (residual <= Math.max(budget, 10 * best)) {
                fits.add(id);
            }
        });
        return new Diagnosed(List.copyOf(fits), List.of((fits.size() == 1 ? "matches bug " : "matches one of ") + String.join(", ", fits) + words(fits)
                + "; in a stage that ACTUAL did not dump, error " + DiffText.error(best) + " where the healthy result is " + DiffText.error(healthy) + " away"));
    }

    private static double distance(TraceNode node, Map<String, DoubleTensor> wrong, Map<String, DoubleTensor> actual) {
        double worst = 0;
        for (Map.Entry<String, DoubleTensor> a : actual.entrySet()) {
            worst = Math.max(worst, TensorDiff.numbers(a.getKey(), wrong.get(node.outputs().get(a.getKey())), a.getValue(), Budget.EXACT).maxAbs());
        }
        return worst;
    }

    private static List<String> ids(Diagnosis diagnosis) {
        return diagnosis.bugs().stream().map(m -> m.bug().id()).toList();
    }
}
