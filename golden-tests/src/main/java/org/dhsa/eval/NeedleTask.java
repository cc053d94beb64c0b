package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.dhsa.backend.Backend;
import org.dhsa.cli.Json;

/// Answers the prompts of a plan with every policy, budget and setting: a prompt is a cell.
///
/// Lines hold no times, so the same plan gives the same lines, in an order that may differ.
///
/// @param sources prompts, one source per model
public record NeedleTask(NeedlePlan plan, EvalSetup setup, List<PromptSource> sources) implements Sweep {

    @Override
    public ObjectNode config() {
        return setup.describe(plan.json()).put("haystack", sources.getFirst().fingerprint());
    }

    @Override
    public List<String> cells() {
        return plan.units(setup.models().size()).stream().map(NeedlePlan.Unit::key).toList();
    }

    @Override
    public ObjectNode compute(int cell, Backend backend) {
        return unit(plan.units(setup.models().size()).get(cell), backend);
    }

    private ObjectNode unit(NeedlePlan.Unit unit, Backend backend) {
        EvalModel model = setup.models().get(unit.model());
        NeedlePrompt prompt = sources.get(unit.model()).prompt(unit.length(), unit.depth(), unit.needles(), unit.sample());
        ObjectNode result = Json.object().put("unit", unit.key()).put("model", model.name()).put("length", unit.length()).put("depth", unit.depth())
                .put("needles", unit.needles()).put("sample", unit.sample()).put("tokens", prompt.ids().length);
        result.set("runs", PolicyRuns.of(prompt, plan, model, backend));
        return result;
    }

    /// A mean with its interval, as results print it.
    public static ObjectNode json(Interval i) {
        return Json.object().put("mean", rounded(i.mean())).put("low", rounded(i.low())).put("high", rounded(i.high())).put("prompts", i.units());
    }

    /// Four significant digits: more is noise of the arithmetic.
    public static double rounded(double value) {
        return value == 0 || !Double.isFinite(value) ? value : new java.math.BigDecimal(value).round(new java.math.MathContext(4)).doubleValue();
    }
}
