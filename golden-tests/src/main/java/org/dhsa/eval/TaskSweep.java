package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.dhsa.backend.Backend;

/// Prompts of any tasks, each answered by every policy, budget and setting of a plan: a prompt is a cell.
///
/// @param plan  policies, budgets, settings and layers; lengths too where the task has any. Its depths and needles mean nothing here
/// @param about what else must be equal for two runs to be one: task names, files, the haystack
/// @param units the prompts of all models
public record TaskSweep(NeedlePlan plan, EvalSetup setup, ObjectNode about, List<Unit> units) implements Sweep {

    /// One prompt of one model.
    ///
    /// @param model  its number
    /// @param key    unlike every other
    /// @param head   what the result line says of it: `task`, `sample`, `length`
    /// @param prompt makes it; called whenever the cell is computed, on any thread
    public record Unit(int model, String key, ObjectNode head, Supplier<? extends Prompt> prompt) {}

    public TaskSweep {
        units = List.copyOf(units);
        Map<String, Unit> seen = new HashMap<>();
        for (Unit unit : units) {
            if (seen.put(unit.key(), unit) != null) {
                throw new IllegalArgumentException("two prompts have the key " + unit.key());
            }
        }
    }

    @Override
    public ObjectNode config() {
        ObjectNode config = plan.json();
        config.remove(List.of("depths", "needles"));
        if (units.stream().noneMatch(u -> u.head().has("length"))) {
            config.remove("lengths");
        }
        config.setAll(about.deepCopy());
        return setup.describe(config);
    }

    @Override
    public List<String> cells() {
        return units.stream().map(Unit::key).toList();
    }

    @Override
    public ObjectNode compute(int cell, Backend backend) {
        Unit unit = units.get(cell);
        EvalModel model = setup.models().get(unit.model());
        Prompt prompt = unit.prompt().get();
        ObjectNode result = org.dhsa.cli.Json.object().put("unit", unit.key()).put("model", model.name());
        result.setAll(unit.head());
        result.put("tokens", prompt.ids().length);
        result.set("runs", PolicyRuns.of(prompt, plan, model, backend));
        return result;
    }
}
