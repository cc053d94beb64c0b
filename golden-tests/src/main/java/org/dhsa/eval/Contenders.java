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

    public static final String DENSE = "dense";
    public static final String DHSA = "dhsa";

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

    /// Every method with sizes for the small models: blocks of 16 queries, pages of 8 keys, no layer dense. Under `small/` in names.
    private static final Map<String, String> SMALL = new LinkedHashMap<>();

    static {
        SMALL.put("dhsa-each-head", DHSA_BASE + ",heads=each");
        SMALL.put("dhsa-water-filling", DHSA_BASE + ",rule=water-filling");
        SMALL.put("oracle-topp", "oracle-topp");
        SMALL.put("a-shape", "minference-a-shape");
        SMALL.put("vertical-slash", "minference-vertical-slash:last_q=16,block_size=16");
        SMALL.put("minference-blocks", "minference-block-sparse:block_size=16");
        SMALL.put("xattention", "xattention:block_size=16,stride=4");
        SMALL.put("flexprefill", "flexprefill:block_size=16,min_budget=1");
        SMALL.put("sample-attention", "sample-attention:block=16,r_window=0.02");
        for (String kind : List.of("topk", "a", "vs", "vsb", "vs-sample")) {
            SMALL.put("icml-" + kind, "icml-" + kind + ":block=16,key-block=8");
        }
        SMALL.put("quest", "quest:page=8,dense-layers=0,prompt=sparse");
        SMALL.put("quest-chunks", "quest:dense-layers=0,prompt=sparse,chunking=predicted");
        SMALL.put("tactic", "tactic:cluster=8,prompt=sparse");
        SMALL.put("squeezed", "squeezed:window=16");
        SMALL.put("squeezed-2-levels", "squeezed:window=16,levels=2");
        SMALL.put("cascade", "cascade");
        SMALL.put("tca", "tca:block=16,window=16");
        SMALL.put("sparse-accelerate", "sparse-accelerate:block=16,interval=8,window=16");
        for (String kind : List.of("h2o", "pyramidkv", "snapkv")) {
            SMALL.put(kind, kind + ":window=8");
        }
        SMALL.put("streaming-cache", "streaming-cache");
        SMALL.forEach((name, spec) -> SHORT.put("small/" + name, spec));
    }
    private static final List<String> FIELD = List.of(DHSA, "dhsa/fixed-16", "block-sparse", "sliding", "streaming", "oracle", "oracle-shared", "oracle-topp",
            "h2o:window=8", "streaming-cache", "pyramidkv:window=8", "snapkv:window=8",
            "minference-a-shape", "minference-vertical-slash", "minference-block-sparse:block_size=8", "xattention:block_size=16,stride=4",
            "flexprefill:block_size=8,min_budget=4", "sample-attention:block=16,r_window=0.02");

    private Contenders() {}

    /// The ablations of DHSA, the whole first.
    public static List<String> ablations() {
        List<String> names = new ArrayList<>(List.of(DHSA));
        SHORT.keySet().stream().filter(n -> n.startsWith("dhsa/") && !n.contains("one-query")).forEach(names::add);
        names.add("oracle-shared");
        return names;
    }

    /// One of every method that needs no trained gate, for a comparison at equal pairs.
    public static List<String> field() {
        List<String> names = new ArrayList<>(List.of(DHSA, "dhsa/fixed-16", "block-sparse", "sliding", "streaming", "oracle", "oracle-shared"));
        SMALL.keySet().forEach(name -> names.add("small/" + name));
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

    /// What a short name stands for; any other name as it is.
    static String spec(String name) {
        return SHORT.getOrDefault(name, name);
    }

    /// @throws BadInput naming what is wrong with the name
    static SelectionPolicy policy(String name, int budget, EvalModel model) {
        try {
            return PolicyRegistry.create(PolicyRegistry.withBudget(spec(name), budget), model.resources());
        } catch (IllegalArgumentException e) {
            throw new BadInput("--policies: " + e.getMessage() + " (" + name + ", budget " + budget + "). Short names: dense, " + String.join(", ", SHORT.keySet()) + ".", e);
        }
    }

    static AttentionMode mode(SelectionPolicy policy, Setting setting, Prompt prompt, String layers) {
        PolicySetting where = setting.policySetting(prompt.questionTokens());
        return new AttentionMode.Policy(policy, where.on(layers.equals("global") ? PolicySetting.Layers.GLOBAL_ONLY : PolicySetting.Layers.ALL));
    }
}
