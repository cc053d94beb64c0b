package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.dhsa.backend.Backend;
import org.dhsa.cli.Json;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.policy.DensePolicy;
import org.dhsa.policy.SelectionPolicy;

/// Prompts one after the other on one backend, every policy and budget on each, one line of results per unit of work.
///
/// Nothing runs beside it, because times that are measured side by side disturb each other. A stopped run goes on with the
/// first unit that has no line yet.
///
/// @param plan    its first setting is used
/// @param sources prompts, one source per model
/// @param backend opens the backend
/// @param repeats lines per prompt
public record UnitRuns(NeedlePlan plan, List<EvalModel> models, List<PromptSource> sources, Supplier<Backend> backend, Shard shard, int repeats) {

    /// One policy at one budget.
    ///
    /// @param budget 0 for dense attention
    record Contender(String name, int budget, SelectionPolicy policy, AttentionMode mode) {
        boolean dense() {
            return budget == 0;
        }

        ObjectNode json() {
            return dense() ? Json.object().put("policy", name) : Json.object().put("policy", name).put("budget", budget);
        }
    }

    /// One prompt on one model, and what is set against each other on it.
    record Job(EvalModel model, Backend backend, Gemma2Forward forward, NeedlePrompt prompt, int repeat, List<Contender> contenders, PromptSource source) {}

    /// What is measured.
    interface Measure {
        void measure(Job job, ArrayNode runs);
    }

    /// What must be equal for two runs to be one.
    public ObjectNode config(String backendName) {
        return new NeedleTask(plan, models, sources, backend, shard, 1).config(backendName);
    }

    int run(ResultLog log, NeedleTask.Watcher watcher, Measure measure) {
        Set<String> done = new HashSet<>();
        log.results().forEach(r -> done.add(r.path("unit").asText()));
        List<NeedlePlan.Unit> units = plan.units(models.size());
        int number = 0;
        int now = 0;
        try (Backend opened = backend.get()) {
            for (NeedlePlan.Unit unit : units) {
                for (int repeat = 0; repeat < repeats; repeat++) {
                    String key = repeats == 1 ? unit.key() : unit.key() + "/r" + repeat;
                    if (shard.has(number++) && !done.contains(key)) {
                        EvalModel model = models.get(unit.model());
                        PromptSource source = sources.get(unit.model());
                        NeedlePrompt prompt = source.prompt(unit.length(), unit.depth(), unit.needles(), unit.sample());
                        Gemma2Forward forward = new Gemma2Forward(model.model().config(), model.model().weights(), opened, model.scale());
                        ObjectNode result = Json.object().put("unit", key).put("model", model.name()).put("length", unit.length()).put("depth", unit.depth())
                                .put("sample", unit.sample()).put("repeat", repeat).put("tokens", prompt.ids().length);
                        measure.measure(new Job(model, opened, forward, prompt, repeat, contenders(model, prompt), source), result.putArray("runs"));
                        log.add(result);
                        now++;
                        watcher.done(number, units.size() * repeats);
                    }
                }
            }
        }
        return now;
    }

    private List<Contender> contenders(EvalModel model, NeedlePrompt prompt) {
        List<Contender> all = new java.util.ArrayList<>();
        for (String name : plan.policies()) {
            if (name.equals(Contenders.DENSE)) {
                all.add(new Contender(name, 0, new DensePolicy(), new AttentionMode.Dense()));
                continue;
            }
            for (int budget : plan.budgets()) {
                SelectionPolicy policy = Contenders.policy(name, budget, model);
                all.add(new Contender(name, budget, policy, Contenders.mode(policy, plan.settings().getFirst(), prompt, plan.layers())));
            }
        }
        return all;
    }
}
