package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import org.dhsa.cli.BadInput;
import org.dhsa.cli.Json;

/// What a needle test measures: every combination of these.
///
/// @param task     which command
/// @param lengths  tokens of prompt and answer together
/// @param depths   percent
/// @param samples  prompts per cell
/// @param policies names in the order of the report, `dense` among them or not
/// @param budgets  keys that a query may read
/// @param layers   `all`, or `global` to leave local layers dense
public record NeedlePlan(String task, List<Integer> lengths, List<Integer> depths, List<Integer> needles, int samples, List<String> policies, List<Integer> budgets,
                         List<Setting> settings, String layers, long seed) {

    public NeedlePlan {
        lengths = some("--lengths", lengths);
        depths = some("--depths", depths);
        needles = some("--needles", needles);
        policies = some("--policies", policies);
        budgets = some("--budgets", budgets);
        settings = some("--settings", settings);
        if (!layers.equals("all") && !layers.equals("global")) {
            throw new BadInput("--layers is all or global, was \"" + layers + "\".");
        }
        positive("--lengths", lengths);
        positive("--needles", needles);
        positive("--samples", List.of(samples));
        for (int budget : budgets) {
            if (budget <= 0) {
                throw new BadInput("--budgets: a query must be allowed at least one key, the budget was " + budget + ". Example: --budgets 64,128.");
            }
        }
        for (int depth : depths) {
            if (depth < 0 || depth > 100) {
                throw new BadInput("--depths are percent, from 0 to 100, one was " + depth + ".");
            }
        }
    }

    private static <T> List<T> some(String option, List<T> values) {
        if (values == null || values.isEmpty()) {
            throw new BadInput(option + " names nothing. Give at least one, or leave the option away.");
        }
        return values.stream().distinct().toList();
    }

    private static void positive(String option, List<Integer> values) {
        for (int value : values) {
            if (value <= 0) {
                throw new BadInput(option + " must be positive, one was " + value + ".");
            }
        }
    }

    /// The same with other lengths and budgets.
    public NeedlePlan with(List<Integer> otherLengths, List<Integer> otherBudgets) {
        return new NeedlePlan(task, otherLengths, depths, needles, samples, policies, otherBudgets, settings, layers, seed);
    }

    /// @throws BadInput if a length is longer than the model, or a policy cannot be made for it
    public void requireFits(EvalModel model) {
        requireLengths(model.name(), model.model().config().maxPositionEmbeddings());
        for (String policy : policies) {
            if (!policy.equals(Contenders.DENSE)) {
                budgets.forEach(budget -> Contenders.policy(policy, budget, model));
            }
        }
    }

    public void requireLengths(String model, int maxPositions) {
        for (int length : lengths) {
            if (length > maxPositions) {
                throw new BadInput("--lengths: " + length + " tokens are more than the model " + model + " was made for (max_position_embeddings " + maxPositions
                        + "). Give at most " + maxPositions + ".");
            }
        }
    }

    /// One prompt of one model; all policies answer it.
    public record Unit(int model, int length, int depth, int needles, int sample) {
        public String key() {
            return model + "/" + length + "/" + depth + "/" + needles + "/" + sample;
        }
    }

    /// Sample by sample, so that a stopped run has measured every cell about equally often.
    List<Unit> units(int models) {
        List<Unit> units = new ArrayList<>();
        for (int sample = 0; sample < samples; sample++) {
            for (int model = 0; model < models; model++) {
                for (int count : needles) {
                    for (int length : lengths) {
                        for (int depth : depths) {
                            units.add(new Unit(model, length, depth, count, sample));
                        }
                    }
                }
            }
        }
        return units;
    }

    /// @return the fields that must be equal for two runs to be one; more samples may be added to a file, so their number is none of them
    ObjectNode json() {
        ObjectNode json = Json.object().put("task", task);
        json.set("lengths", ints(lengths));
        json.set("depths", ints(depths));
        json.set("needles", ints(needles));
        ArrayNode names = json.putArray("policies");
        policies.forEach(names::add);
        json.set("budgets", ints(budgets));
        ArrayNode where = json.putArray("settings");
        settings.forEach(s -> where.add(s.slug()));
        return json.put("layers", layers).put("seed", seed);
    }

    private static ArrayNode ints(List<Integer> values) {
        return Json.array(values.stream().mapToInt(Integer::intValue).toArray());
    }
}
