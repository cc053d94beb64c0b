package org.dhsa.eval.policy;

import static org.dhsa.eval.policy.PolicyRegistry.BUDGET;
import static org.dhsa.eval.policy.PolicyRegistry.RULE;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.dhsa.eval.policy.PolicyRegistry.Parameter;
import org.dhsa.model.GateWeights;
import org.dhsa.policy.IcmlBlockMask;
import org.dhsa.policy.IcmlLearnedPolicy;
import org.dhsa.policy.IcmlMaskPolicy;
import org.dhsa.policy.IcmlQuirk;
import org.dhsa.policy.SeerAttentionPolicy;
import org.dhsa.policy.VsPrefillPolicy;

/// Policies that choose blocks by learned gates, and the block masks of the later DHSA code.
final class GatePolicies {

    private static final Parameter PROFILE = new Parameter("profile", "corrected", "corrected, or upstream: with the quirks of the published code");

    private static final Parameter DENSITY = new Parameter("density", "0.125", "share of the key blocks that a query block reads");
    private static final Parameter INSTEAD = new Parameter("budget", "none", "keys per query block, instead of a density");
    private static final Parameter BLOCK = new Parameter("block", "128", "queries per block");
    private static final Parameter KEY_BLOCK = new Parameter("key-block", "32", "keys per block");

    private GatePolicies() {}

    static void addTo(PolicyRegistry.Adder registry) {
        icml(registry, IcmlBlockMask.Kind.TOPK, "the later DHSA code: blocks of keys by the dot product of block means, every head for itself");
        icml(registry, IcmlBlockMask.Kind.A, "the later DHSA code: the same with the first and the diagonal blocks forced");
        icml(registry, IcmlBlockMask.Kind.VS, "the later DHSA code: blocks on the columns and distances that the last queries look at");
        icml(registry, IcmlBlockMask.Kind.VSB, "the later DHSA code: the same on block means");
        icml(registry, IcmlBlockMask.Kind.VS_SAMPLE, "the later DHSA code: icml-vs from a few of the last queries");
        registry.add("icml-learned", "the later DHSA code: blocks by a trained score (needs --gate); prompts only",
                concat(List.of(DENSITY, INSTEAD, BLOCK, KEY_BLOCK, new Parameter("budgets", "static", "static: every row alike; dynamic: by the gate's table")), RULE),
                (s, r) -> new IcmlLearnedPolicy(r.gate(s.name(), GateWeights.LearnedTopK.class), s.choice("budgets", "static", "dynamic").equals("dynamic"), budget(s),
                        density(s), s.integer("block", 128, 1), s.integer("key-block", 32, 1), PolicyRegistry.rule(s)), GatePolicies::budgetInstead);
        registry.add("seerattention", "SeerAttention: blocks by a trained gate (needs --gate); prompts only",
                concat(List.of(new Parameter("threshold", "0.002", "softmax weight above which a block is read"),
                        new Parameter("nz-ratio", "none", "share of the causal blocks, instead of a threshold"),
                        new Parameter("budget", "none", "keys per query block, instead of a threshold"),
                        new Parameter("own", "forced", "forced: a query block always reads its own keys; gate: only if the gate says so, as published"),
                        new Parameter("last", "sparse", "dense: the last two query blocks read everything")), RULE),
                GatePolicies::seer, (s, b) -> s.without("threshold").without("nz-ratio").with("budget", String.valueOf(b)));
        registry.add("vsprefill", "VSPrefill: columns and distances by a trained indexer (needs --gate); prompts only",
                List.of(new Parameter("threshold", "0.9", "share of the columns' and of the distances' weight that is read"),
                        new Parameter("budget", "none", "keys per row, instead of a threshold"), new Parameter("block", "64", "rows that share a list")),
                (s, r) -> {
                    boolean budget = one(s, "budget", "threshold");
                    return new VsPrefillPolicy(r.gate(s.name(), GateWeights.VsPrefill.class), budget ? 0 : s.number("threshold", 0.9), budget ? s.integer("budget", BUDGET, 1) : 0,
                            s.integer("block", 64, 1));
                }, (s, b) -> s.without("threshold").with("budget", String.valueOf(b)));
    }

    private static SeerAttentionPolicy seer(PolicySpec s, PolicyResources resources) {
        boolean budget = one(s, "budget", "threshold", "nz-ratio");
        boolean ratio = one(s, "nz-ratio", "threshold", "budget");
        return new SeerAttentionPolicy(resources.gate(s.name(), GateWeights.SeerAttention.class), budget || ratio ? 0 : s.number("threshold", 0.002),
                ratio ? s.number("nz-ratio", 0) : 0, budget ? s.integer("budget", BUDGET, 1) : 0, s.choice("own", "forced", "gate").equals("forced"),
                s.choice("last", "sparse", "dense").equals("dense"), PolicyRegistry.rule(s));
    }

    /// True if a parameter is given, and none that it excludes.
    private static boolean one(PolicySpec s, String key, String... others) {
        for (String other : others) {
            if (s.values().containsKey(key) && s.values().containsKey(other)) {
                throw new IllegalArgumentException(s.name() + ": give " + key + " or " + other + ", not both");
            }
        }
        return s.values().containsKey(key);
    }

    private static List<Parameter> concat(List<Parameter> first, List<Parameter> second) {
        return Stream.concat(first.stream(), second.stream()).toList();
    }

    private static PolicySpec budgetInstead(PolicySpec s, int budget) {
        return s.without("density").with("budget", String.valueOf(budget));
    }

    private static int budget(PolicySpec s) {
        return one(s, "budget", "density") ? s.integer("budget", BUDGET, 1) : 0;
    }

    private static void icml(PolicyRegistry.Adder registry, IcmlBlockMask.Kind kind, String summary) {
        boolean verticalSlash = kind != IcmlBlockMask.Kind.TOPK && kind != IcmlBlockMask.Kind.A;
        List<Parameter> parameters = new ArrayList<>(List.of(DENSITY, INSTEAD, BLOCK, KEY_BLOCK));
        if (verticalSlash) {
            parameters.add(new Parameter("ratio", "0.5", "share of the budget that goes to columns, the rest to distances"));
        }
        if (kind == IcmlBlockMask.Kind.VS_SAMPLE) {
            parameters.add(new Parameter("samples", "64", "queries of the last block that are looked at"));
        }
        parameters.add(PROFILE);
        parameters.addAll(RULE);
        registry.add("icml-" + kind.slug(), summary + "; prompts only", parameters,
                (s, r) -> new IcmlMaskPolicy(kind, budget(s), density(s), s.integer("block", 128, 1), s.integer("key-block", 32, 1),
                        verticalSlash ? s.number("ratio", 0.5) : 0.5, s.integer("samples", 64, 1),
                        s.choice("profile", "corrected", "upstream").equals("upstream") ? IcmlQuirk.UPSTREAM : Set.of(), PolicyRegistry.rule(s)),
                GatePolicies::budgetInstead);
    }

    /// 0 where a budget is given.
    private static double density(PolicySpec s) {
        if (s.values().containsKey("budget")) {
            return 0;
        }
        double density = s.number("density", 0.125);
        if (!(density > 0 && density <= 1)) {
            throw new IllegalArgumentException(s.name() + ": density must be above 0 and at most 1, was " + density);
        }
        return density;
    }
}
