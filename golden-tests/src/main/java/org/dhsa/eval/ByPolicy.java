package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.dhsa.backend.Backend;
import org.dhsa.cli.Json;
import org.dhsa.eval.measure.HeadMeasure;
import org.dhsa.eval.measure.MeasureProbe;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;

/// A cell for every model, length, sample, policy and budget: how well keys were chosen, or what a run cost.
///
/// @param plan its depths' first one is used, and its first setting
public record ByPolicy(NeedlePlan plan, EvalSetup setup, List<PromptSource> sources, Measure measure, boolean timed) implements Sweep {

    private static final int NEW_TOKENS = 16;

    /// What is measured of one run.
    public interface Measure {
        void measure(Gemma2Forward forward, AttentionMode mode, NeedlePrompt prompt, ObjectNode result);
    }

    private record Cell(NeedlePlan.Unit unit, String policy, int budget) {
        String key() {
            return unit.key() + "/" + policy + "/" + budget;
        }
    }

    /// Recall of the oracle's keys, attention mass kept, regret and output error, over the prompt's sparse rows; global and local layers apart.
    ///
    /// @param maxRows most rows per head and layer that are looked at
    public static ByPolicy recall(NeedlePlan plan, EvalSetup setup, List<PromptSource> sources, int maxRows) {
        return new ByPolicy(plan, setup.alone(), sources, (forward, mode, prompt, result) -> {
            MeasureProbe probe = new MeasureProbe(forward.config(), maxRows);
            forward.open(mode, probe).prefill(prompt.ids());
            result.set("global", means(probe.measures(), m -> !m.isLocal()));
            result.set("local", means(probe.measures(), HeadMeasure::isLocal));
        }, false);
    }

    /// Seconds to the first token, new tokens per second, and peaks of memory. One run after the other, because times that are measured
    /// side by side disturb each other.
    public static ByPolicy latency(NeedlePlan plan, EvalSetup setup, List<PromptSource> sources) {
        return new ByPolicy(plan, setup.alone(), sources, (forward, mode, prompt, result) -> {
            // Once to warm up, once to measure.
            timed(forward, mode, prompt, Json.object());
            timed(forward, mode, prompt, result);
        }, true);
    }

    @Override
    public ObjectNode config() {
        return setup.describe(plan.json()).put("haystack", sources.getFirst().fingerprint());
    }

    @Override
    public List<String> cells() {
        return list().stream().map(Cell::key).toList();
    }

    private List<Cell> list() {
        List<Cell> cells = new ArrayList<>();
        for (NeedlePlan.Unit unit : plan.units(setup.models().size())) {
            for (String policy : plan.policies()) {
                plan.budgets().forEach(budget -> cells.add(new Cell(unit, policy, budget)));
            }
        }
        return cells;
    }

    @Override
    public ObjectNode compute(int number, Backend backend) {
        Cell cell = list().get(number);
        NeedlePlan.Unit unit = cell.unit();
        EvalModel model = setup.models().get(unit.model());
        NeedlePrompt prompt = sources.get(unit.model()).prompt(unit.length(), unit.depth(), unit.needles(), unit.sample());
        Gemma2Forward forward = new Gemma2Forward(model.model().config(), model.model().weights(), backend, model.scale());
        ObjectNode result = Json.object().put("unit", cell.key()).put("model", model.name()).put("length", unit.length()).put("sample", unit.sample())
                .put("policy", cell.policy()).put("budget", cell.budget());
        measure.measure(forward, Contenders.mode(Contenders.policy(cell.policy(), cell.budget(), model), plan.settings().getFirst(), prompt, plan.layers()), prompt, result);
        return result;
    }

    static ObjectNode means(List<HeadMeasure> all, Predicate<HeadMeasure> wanted) {
        List<HeadMeasure> heads = all.stream().filter(wanted).toList();
        ObjectNode json = Json.object().put("heads", heads.size());
        if (!heads.isEmpty()) {
            json.put("recall", NeedleTask.rounded(heads.stream().mapToDouble(HeadMeasure::recall).average().orElseThrow()));
            json.put("mass", NeedleTask.rounded(heads.stream().mapToDouble(HeadMeasure::mass).average().orElseThrow()));
            json.put("regret", NeedleTask.rounded(heads.stream().mapToDouble(HeadMeasure::regret).average().orElseThrow()));
            json.put("output_error", NeedleTask.rounded(heads.stream().mapToDouble(HeadMeasure::outputError).average().orElseThrow()));
        }
        return json;
    }

    private static void timed(Gemma2Forward forward, AttentionMode mode, NeedlePrompt prompt, ObjectNode result) {
        List<MemoryPoolMXBean> heap = ManagementFactory.getMemoryPoolMXBeans().stream().filter(p -> p.getType() == MemoryType.HEAP).toList();
        System.gc();
        heap.forEach(MemoryPoolMXBean::resetPeakUsage);
        Gemma2Forward.Session session = forward.open(mode, Probe.NONE);
        long begun = System.nanoTime();
        double[] logits = session.prefill(prompt.ids()).toDouble().data();
        double first = (System.nanoTime() - begun) / 1e9;
        begun = System.nanoTime();
        for (int n = 0; n < NEW_TOKENS; n++) {
            logits = session.decode(prompt.ids()[prompt.ids().length - 1 - n % 8]).toDouble().data();
        }
        double decode = (System.nanoTime() - begun) / 1e9;
        result.put("seconds_to_first_token", NeedleTask.rounded(first)).put("tokens_per_second", NeedleTask.rounded(NEW_TOKENS / decode)).put("vocabulary", logits.length)
                .put("peak_heap_bytes", heap.stream().mapToLong(p -> p.getPeakUsage().getUsed()).sum());
        long resident = resident();
        if (resident > 0) {
            result.put("off_heap_bytes", Math.max(0, resident - Runtime.getRuntime().totalMemory()));
        }
    }

    /// Resident memory of the process, 0 where the system does not say.
    private static long resident() {
        try {
            return Files.readAllLines(Path.of("/proc/self/status")).stream().filter(l -> l.startsWith("VmRSS:"))
                    .mapToLong(l -> 1024 * Long.parseLong(l.replaceAll("\\D", ""))).findFirst().orElse(0);
        } catch (java.io.IOException e) {
            return 0;
        }
    }
}
