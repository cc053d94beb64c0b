package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import org.dhsa.backend.Backend;
import org.dhsa.cli.Json;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.policy.DensePolicy;
import org.dhsa.policy.SelectionPolicy;

/// The cells of a sweep that measures every policy and budget on one prompt, side by side in one line: prompts, or repetitions of them.
///
/// @param plan    its first setting is used
/// @param sources prompts, one source per model
/// @param repeats cells per prompt
public record UnitRuns(NeedlePlan plan, EvalSetup setup, List<PromptSource> sources, int repeats) {

    private record Cell(NeedlePlan.Unit unit, int repeat, String key) {}

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
    ///
    /// @param line the result so far: what the cell is
    record Job(EvalModel model, Backend backend, Gemma2Forward forward, NeedlePrompt prompt, int repeat, List<Contender> contenders, ObjectNode line) {}

    ObjectNode config() {
        return setup.describe(plan.json()).put("haystack", sources.getFirst().fingerprint());
    }

    List<String> cells() {
        return list().stream().map(Cell::key).toList();
    }

    /// Repetition by repetition, so that a stopped run has repeated everything about equally often.
    private List<Cell> list() {
        List<Cell> cells = new ArrayList<>();
        for (int repeat = 0; repeat < repeats; repeat++) {
            for (NeedlePlan.Unit unit : plan.units(setup.models().size())) {
                cells.add(new Cell(unit, repeat, repeat == 0 ? unit.key() : unit.key() + "/again-" + repeat));
            }
        }
        return cells;
    }

    Job job(int number, Backend backend) {
        Cell cell = list().get(number);
        NeedlePlan.Unit unit = cell.unit();
        EvalModel model = setup.models().get(unit.model());
        NeedlePrompt prompt = sources.get(unit.model()).prompt(unit.length(), unit.depth(), unit.needles(), unit.sample());
        Gemma2Forward forward = new Gemma2Forward(model.model().config(), model.model().weights(), backend, model.scale());
        ObjectNode line = Json.object().put("unit", cell.key()).put("model", model.name()).put("length", unit.length()).put("depth", unit.depth())
                .put("sample", unit.sample()).put("repeat", cell.repeat()).put("tokens", prompt.ids().length);
        return new Job(model, backend, forward, prompt, cell.repeat(), contenders(model, prompt), line);
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
