package org.dhsa.eval;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.OptionalDouble;
import org.dhsa.backend.Backend;
import org.dhsa.cli.Json;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.generate.AttentionCount;

/// One prompt, answered by every policy of a plan at every budget and setting.
final class PolicyRuns {

    private PolicyRuns() {}

    /// One entry for each; dense attention, which has neither budget nor setting, once.
    static ArrayNode of(Prompt prompt, NeedlePlan plan, EvalModel model, Backend backend) {
        Gemma2Forward forward = new Gemma2Forward(model.model().config(), model.model().weights(), backend, model.scale());
        ArrayNode runs = Json.array();
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
        return runs;
    }

    private static JsonNode line(String policy, int budget, Setting setting, Answered answered) {
        ObjectNode json = Json.object().put("policy", policy);
        if (setting != null) {
            json.put("budget", budget).put("setting", setting.slug());
        }
        json.put("score", NeedleTask.rounded(answered.score()));
        put(json, "nll", answered.nll());
        put(json, "kl", answered.kl());
        AttentionCount count = answered.count();
        json.set("global", pairs(count.globalPrompt()));
        json.set("local", pairs(count.localPrompt()));
        json.set("decode", pairs(count.globalDecoded().plus(count.localDecoded())));
        if (answered.response() != null) {
            json.put("response", answered.response());
        }
        return json;
    }

    private static ArrayNode pairs(AttentionCount.Pairs pairs) {
        return Json.array().add(pairs.read()).add(pairs.visible());
    }

    private static void put(ObjectNode json, String name, OptionalDouble value) {
        value.ifPresent(v -> json.put(name, NeedleTask.rounded(v)));
    }
}
