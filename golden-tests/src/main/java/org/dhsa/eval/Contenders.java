package org.dhsa.eval;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.dhsa.cli.BadInput;
import org.dhsa.eval.policy.PolicyRegistry;
import org.dhsa.forward.AttentionMode;
import org.dhsa.policy.PolicySetting;
import org.dhsa.policy.SelectionPolicy;

/// The policies that are set against each other: short names for the usual ones, any name of [PolicyRegistry] otherwise.
///
/// The short names have sizes for models with a window of 64 tokens: blocks of 16 queries, 16 recent and 4 first keys. On a model with
/// a window of 1024 tokens or more they have the registry's sizes, which grow with the budget: at 1024 keys the published ones.
public final class Contenders {

    public static final String DENSE = "dense";
    public static final String DHSA = "dhsa";

    private static final int LARGE_WINDOW = 1024;
    private static final Set<String> SMALL_SIZES = Set.of("block=16", "local=16", "sinks=4");

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

    /// Methods with sizes for the small models: blocks of 16 queries, pages of 8 keys, no layer dense. Under `small/` in names.
    private static final Map<String, String> SMALL = new LinkedHashMap<>();

    static {
        SMALL.put("dhsa-water-filling", DHSA_BASE + ",rule=water-filling");
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
        SMALL.put("tca", "tca:block=16,window=16");
        SMALL.put("sparse-accelerate", "sparse-accelerate:block=16,interval=8,window=16");
        for (String kind : List.of("h2o", "pyramidkv", "snapkv")) {
            SMALL.put(kind, kind + ":window=8");
        }
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
        List<String> names = new ArrayList<>(List.of(DHSA, "dhsa/fixed-16", "dhsa/each-head", "block-sparse", "sliding", "streaming", "oracle", "oracle-shared", "oracle-topp",
                "minference-a-shape", "cascade", "streaming-cache"));
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

    /// What a short name stands for on a model.
    static String spec(String name, int window) {
        String spec = spec(name);
        int colon = spec.indexOf(':');
        if (!SHORT.containsKey(name) || window < LARGE_WINDOW || colon < 0 || name.equals("streaming") || name.contains("one-query")) {
            return spec;
        }
        String kept = Arrays.stream(spec.substring(colon + 1).split(",")).filter(p -> !SMALL_SIZES.contains(p)).collect(Collectors.joining(","));
        return spec.substring(0, colon) + (kept.isEmpty() ? "" : ":" + kept);
    }

    /// Whether a model's window is that of the published models: sizes for the small ones mean little there.
    public static boolean isLarge(EvalModel model) {
        return model.model().config().slidingWindow() >= LARGE_WINDOW;
    }

    /// What a user should know about the sizes of a plan on a real model; empty if there is nothing to say.
    public static List<String> sizes(NeedlePlan plan, EvalModel model) {
        int window = model.model().config().slidingWindow();
        List<String> said = new ArrayList<>();
        if (isLarge(model)) {
            if (plan.budgets().stream().allMatch(b -> b < LARGE_WINDOW / 4)) {
                said.add("Budgets of " + plan.budgets().stream().map(String::valueOf).collect(Collectors.joining(", ")) + " keys are sizes for the small models of this project; " + model.name()
                        + " has a window of " + window + ". The published budget is --budgets 1024.");
            }
            List<String> shorts = plan.policies().stream().filter(p -> !spec(p, window).equals(spec(p))).toList();
            if (!shorts.isEmpty()) {
                said.add("On " + model.name() + " blocks, recent and first keys of " + String.join(", ", shorts) + " are an eighth of the budget, at most 128.");
            }
        }
        return said;
    }

    /// @throws BadInput naming what is wrong with the name
    static SelectionPolicy policy(String name, int budget, EvalModel model) {
        try {
            return PolicyRegistry.create(PolicyRegistry.withBudget(spec(name, model.model().config().slidingWindow()), budget), model.resources());
        } catch (IllegalArgumentException e) {
            if (model.predictor().isEmpty() && e.getMessage().contains("boundary predictor")) {
                throw new BadInput("--policies: " + name + " needs a boundary predictor, and there is none in the folder of " + model.name()
                        + ". Name one with --predictor FILE, or cut chunks without one: dhsa/fixed-16, or dhsa:chunking=fixed-16.", e);
            }
            throw new BadInput("--policies: " + e.getMessage() + " (" + name + ", budget " + budget + "). Short names: dense, " + String.join(", ", SHORT.keySet()) + ".", e);
        }
    }

    static AttentionMode mode(SelectionPolicy policy, Setting setting, Prompt prompt, String layers) {
        PolicySetting where = setting.policySetting(prompt.questionTokens());
        return new AttentionMode.Policy(policy, where.on(layers.equals("global") ? PolicySetting.Layers.GLOBAL_ONLY : PolicySetting.Layers.ALL));
    }
}
