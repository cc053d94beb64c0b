package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import org.dhsa.backend.Backend;
import org.dhsa.cli.Json;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.policy.DensePolicy;
import org.dhsa.policy.SelectionPolicy;

/// Every policy and budget on one prompt: what the sweeps of recall and latency share. A prompt is a cell, or a repetition of it.
///
/// @param plan    its first setting is used
/// @param sources prompts, one source per model
/// @param repeats lines per prompt
public record UnitRuns(NeedlePlan plan, EvalSetup setup, List<PromptSource> sources, int repeats) {

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

    private record Cell(NeedlePlan.Unit unit, int repeat, String key) {}

    private List<Cell> list() {
        List<Cell> cells = new ArrayList<>();
        for (NeedlePlan.Unit unit : plan.units(setup.models().size())) {
            for (int repeat = 0; repeat < repeats; repeat++) {
                cells.add(new Cell(unit, repeat, repeats == 1 ? unit.key() : unit.key() + "/r" + repeat));
            }
        }
        return cells;
    }

    ObjectNode config() {
        return new NeedleTask(plan, setup, sources).config();
    }

    List<String> cells() {
        return list().stream().map(Cell::key).toList();
    }

    ObjectNode compute(int number, Backend backend, Measure measure) {
        Cell cell = list().get(number);
        NeedlePlan.Unit unit = cell.unit();
        EvalModel model = setup.models().get(unit.model());
        PromptSource source = sources.get(unit.model());
        NeedlePrompt prompt = source.prompt(unit.length(), unit.depth(), unit.needles(), unit.sample());
        Gemma2Forward forward = new Gemma2Forward(model.model().config(), model.model().weights(), backend, model.scale());
        ObjectNode result = Json.object().put("unit", cell.key()).put("model", model.name()).put("length", unit.length()).put("depth", unit.depth())
                .put("sample", unit.sample()).put("repeat", cell.repeat()).put("tokens", prompt.ids().length);
        measure.measure(new Job(model, backend, forward, prompt, cell.repeat(), contenders(model, prompt), source), result.putArray("runs"));
        return result;
    }

    private List<Contender> contenders(EvalModel model, NeedlePrompt prompt) {
        List<Contender> all = new ArrayList<>();
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
