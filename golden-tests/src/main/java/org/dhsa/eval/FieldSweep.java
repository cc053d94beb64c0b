package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;
import org.dhsa.backend.Backend;
import org.dhsa.cli.BadInput;
import org.dhsa.cli.Json;
import org.dhsa.eval.field.DenseStates;
import org.dhsa.eval.field.EqualPairs;
import org.dhsa.eval.field.EqualPairs.Phase;
import org.dhsa.eval.field.EqualPairs.Reading;
import org.dhsa.eval.policy.PolicyKnob;
import org.dhsa.eval.policy.PolicyRegistry;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.LayerKind;
import org.dhsa.policy.PolicySetting;

/// All policies at equal pairs read. A cell is one prompt under one policy: turned up to each share of the pairs, in the prompt and while decoding,
/// measured on the states of dense attention, and then asked for the needle.
///
/// @param sources prompts, one source per model
public record FieldSweep(FieldPlan plan, EvalSetup setup, List<PromptSource> sources) implements Sweep {

    @Override
    public ObjectNode config() {
        return setup.describe(plan.json()).put("haystack", sources.getFirst().fingerprint());
    }

    @Override
    public List<String> cells() {
        return plan.cells(setup.models().size()).stream().map(FieldPlan.Cell::key).toList();
    }

    /// @throws BadInput naming a policy that cannot be made for a model or has nothing to turn
    public static void require(FieldPlan plan, EvalModel model) {
        for (String policy : plan.needles().policies()) {
            try {
                String spec = Contenders.spec(policy);
                PolicyKnob knob = PolicyKnob.of(spec, 256).orElseThrow(() -> new IllegalArgumentException(policy + " has no budget and no share that could be turned"));
                PolicyRegistry.create(knob.at(knob.steps()), model.resources());
            } catch (IllegalArgumentException e) {
                throw new BadInput("--policies: " + e.getMessage() + ". Leave it away, or name another.", e);
            }
        }
    }

    @Override
    public ObjectNode compute(int number, Backend backend) {
        FieldPlan.Cell cell = plan.cells(setup.models().size()).get(number);
        NeedlePlan.Unit unit = cell.unit();
        EvalModel model = setup.models().get(unit.model());
        NeedlePrompt prompt = sources.get(unit.model()).prompt(unit.length(), unit.depth(), unit.needles(), unit.sample());
        Gemma2Forward forward = new Gemma2Forward(model.model().config(), model.model().weights(), backend, model.scale());
        boolean globalOnly = plan.needles().layers().equals("global");
        Predicate<LayerKind> ruled = kind -> !globalOnly || !(kind instanceof LayerKind.Local);
        EqualPairs pairs = new EqualPairs(DenseStates.of(forward, backend, prompt.ids()), model.resources(), ruled, plan.maxRows());
        Answered dense = Answered.run(forward, new AttentionMode.Dense(), prompt, model.tokenizer(), null);
        ObjectNode result = Json.object().put("unit", cell.key()).put("model", model.name()).put("length", unit.length()).put("depth", unit.depth()).put("sample", unit.sample())
                .put("policy", cell.policy()).put("tokens", prompt.ids().length);
        ArrayNode runs = result.putArray("runs");
        for (Phase phase : Phase.values()) {
            for (double share : plan.shares()) {
                Optional<Reading> reading = pairs.at(Contenders.spec(cell.policy()), phase, share);
                reading.ifPresent(r -> {
                    PolicySetting where = new PolicySetting(phase == Phase.PROMPT ? 0 : prompt.ids().length, phase == Phase.PROMPT,
                            globalOnly ? PolicySetting.Layers.GLOBAL_ONLY : PolicySetting.Layers.ALL);
                    Answered answered = Answered.run(forward, new AttentionMode.Policy(PolicyRegistry.create(r.spec(), model.resources()), where), prompt, model.tokenizer(), dense);
                    runs.add(line(phase, share, r, answered));
                });
            }
        }
        return result;
    }

    private static ObjectNode line(Phase phase, double share, Reading r, Answered answered) {
        ObjectNode json = Json.object().put("phase", phase.name().toLowerCase(Locale.ROOT)).put("share", share).put("spec", r.spec()).put("pairs", r.pairs()).put("visible", r.visible())
                .put("selection_flops", r.selectionFlops()).put("attention_flops", r.attentionFlops()).put("recall", NeedleTask.rounded(r.recall()))
                .put("mass", NeedleTask.rounded(r.mass())).put("regret", NeedleTask.rounded(r.regret())).put("output_error", NeedleTask.rounded(r.outputError()))
                .put("score", NeedleTask.rounded(answered.score()));
        answered.kl().ifPresent(kl -> json.put("kl", NeedleTask.rounded(kl)));
        return json;
    }
}
