package org.dhsa.eval;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import org.dhsa.backend.Backend;
import org.dhsa.cli.Json;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.generate.AttentionCount;

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
        Gemma2Forward forward = new Gemma2Forward(model.model().config(), model.model().weights(), backend, model.scale());
        ObjectNode result = Json.object().put("unit", unit.key()).put("model", model.name()).put("length", unit.length()).put("depth", unit.depth())
                .put("needles", unit.needles()).put("sample", unit.sample()).put("tokens", prompt.ids().length);
        ArrayNode runs = result.putArray("runs");
        Answered dense = Answered.run(forward, new AttentionMode.Dense(), prompt, model.tokenizer(), null);
        if (plan.policies().contains(Contenders.DENSE)) {
            runs.add(line(Contenders.DENSE, 0, null, dense));
        }
        for (String policy : plan.policies()) {
            if (policy.equals(Contenders.DENSE)) {
                continue;
            }
            for (int budget : plan.budgets()) {
                for (Setting setting : plan.settings()) {
                    Answered answered = Answered.run(forward,
                            Contenders.mode(Contenders.policy(policy, budget, model), setting, prompt, plan.layers()), prompt, model.tokenizer(), dense);
                    runs.add(line(policy, budget, setting, answered));
                }
            }
        }
        return result;
    }

    private static JsonNode line(String policy, int budget, Setting setting, Answered answered) {
        ObjectNode json = Json.object().put("policy", policy);
        if (setting != null) {
            json.put("budget", budget).put("setting", setting.name().toLowerCase(Locale.ROOT));
        }
        json.put("score", rounded(answered.score()));
        put(json, "nll", answered.nll());
        put(json, "kl", answered.kl());
        AttentionCount count = answered.count();
        json.set("global", pairs(count.globalPrompt()));
        json.set("local", pairs(count.localPrompt()));
        json.set("decode", pairs(count.globalDecoded().plus(count.localDecoded())));
        return json;
    }

    private static ArrayNode pairs(AttentionCount.Pairs pairs) {
        return Json.array().add(pairs.read()).add(pairs.visible());
    }

    private static void put(ObjectNode json, String name, OptionalDouble value) {
        value.ifPresent(v -> json.put(name, rounded(v)));
    }

    /// Four significant digits: more is noise of the arithmetic.
    public static double rounded(double value) {
        return value == 0 || !Double.isFinite(value) ? value : new java.math.BigDecimal(value).round(new java.math.MathContext(4)).doubleValue();
    }
}
