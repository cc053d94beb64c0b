package org.dhsa.eval;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dhsa.cli.BadInput;
import org.dhsa.eval.policy.PolicyRegistry;
import org.dhsa.forward.AttentionMode;
import org.dhsa.policy.PolicySetting;
import org.dhsa.policy.SelectionPolicy;

/// The policies that are set against each other: short names for the usual ones, any name of [PolicyRegistry] otherwise.
///
/// The short names have sizes for models with a window of 64 tokens: blocks of 16 queries, 16 recent and 4 first keys. For a real
/// Gemma 2 give the registry's names (`dhsa:block=128,local=128,sinks=128`).
public final class Contenders {

    static final String DENSE = "dense";
    static final String DHSA = "dhsa";

    public static final String DHSA_BASE = "dhsa:block=16,local=16,sinks=4";

    private static final Map<String, String> SHORT = new LinkedHashMap<>();

    static {
        SHORT.put(DHSA, DHSA_BASE);
        SHORT.put("block-sparse", "block-topk:block=16");
        SHORT.put("sliding", "sliding");
        SHORT.put("streaming", "streaming:sinks=4");
        SHORT.put("oracle", "oracle-row");
        SHORT.put("oracle-shared", "oracle-block:block=16");
        for (String chunking : List.of("fixed-16", "fixed-32", "fixed-64", "random", "sentences", "labels")) {
            SHORT.put("dhsa/" + chunking, DHSA_BASE + ",chunking=" + chunking);
        }
        for (String aggregation : List.of("mean", "sum", "max", "min-max")) {
            SHORT.put("dhsa/" + aggregation, DHSA_BASE + ",aggregation=" + aggregation);
        }
        SHORT.put("dhsa/each-head", DHSA_BASE + ",heads=each");
        SHORT.put("dhsa/query-chunks", DHSA_BASE + ",queries=chunks");
        SHORT.put("dhsa/own-boundaries", DHSA_BASE + ",boundaries=each");
        SHORT.put("dhsa/shared-masks", DHSA_BASE + ",masks=shared");
        SHORT.put("dhsa/one-query", DHSA_BASE.replace("block=16", "block=1"));
        SHORT.put("dhsa/one-query-fixed-16", DHSA_BASE.replace("block=16", "block=1") + ",chunking=fixed-16");
    }

    private Contenders() {}

    /// The ablations of DHSA, the whole first.
    public static List<String> ablations() {
        List<String> names = new ArrayList<>(List.of(DHSA));
        SHORT.keySet().stream().filter(n -> n.startsWith("dhsa/") && !n.contains("one-query")).forEach(names::add);
        names.add("oracle-shared");
        return names;
    }

    /// Splits `dense,dhsa:block=16,local=16` into its two names: a piece like `local=16` belongs to the name before it.
    public static List<String> split(List<String> pieces) {
        List<String> names = new ArrayList<>();
        for (String piece : pieces) {
            String name = piece.strip();
            if (name.contains("=") && !name.contains(":") && !names.isEmpty()) {
                names.set(names.size() - 1, names.getLast() + "," + name);
            } else {
                names.add(name);
            }
        }
        return names;
    }

    /// @throws BadInput naming what is wrong with the name
    static SelectionPolicy policy(String name, int budget, EvalModel model) {
        try {
            return PolicyRegistry.create(PolicyRegistry.withBudget(SHORT.getOrDefault(name, name), budget), model.resources());
        } catch (IllegalArgumentException e) {
            throw new BadInput("--policies: " + e.getMessage() + " (" + name + ", budget " + budget + "). Short names: dense, " + String.join(", ", SHORT.keySet()) + ".", e);
        }
    }

    static AttentionMode mode(SelectionPolicy policy, Setting setting, NeedlePrompt prompt, String layers) {
        PolicySetting where = switch (setting) {
            case AUTHORS -> PolicySetting.questionDense(prompt.questionTokens());
            case STRICT -> PolicySetting.STRICT;
        };
        return new AttentionMode.Policy(policy, where.on(layers.equals("global") ? PolicySetting.Layers.GLOBAL_ONLY : PolicySetting.Layers.ALL));
    }
}
