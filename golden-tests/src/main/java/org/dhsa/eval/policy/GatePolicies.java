package org.dhsa.eval.policy;

import static org.dhsa.eval.policy.PolicyRegistry.BUDGET;
import static org.dhsa.eval.policy.PolicyRegistry.RULE;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.dhsa.eval.policy.PolicyRegistry.Parameter;
import org.dhsa.policy.IcmlBlockMask;
import org.dhsa.policy.IcmlMaskPolicy;
import org.dhsa.policy.IcmlQuirk;

/// Policies that choose blocks by learned gates, and the block masks of the later DHSA code.
final class GatePolicies {

    private static final Parameter PROFILE = new Parameter("profile", "corrected", "corrected, or upstream: with the quirks of the published code");

    private GatePolicies() {}

    static void addTo(PolicyRegistry.Adder registry) {
        icml(registry, IcmlBlockMask.Kind.TOPK, "the later DHSA code: blocks of keys by the dot product of block means, every head for itself");
        icml(registry, IcmlBlockMask.Kind.A, "the later DHSA code: the same with the first and the diagonal blocks forced");
        icml(registry, IcmlBlockMask.Kind.VS, "the later DHSA code: blocks on the columns and distances that the last queries look at");
        icml(registry, IcmlBlockMask.Kind.VSB, "the later DHSA code: the same on block means");
        icml(registry, IcmlBlockMask.Kind.VS_SAMPLE, "the later DHSA code: icml-vs from a few of the last queries");
    }

    private static void icml(PolicyRegistry.Adder registry, IcmlBlockMask.Kind kind, String summary) {
        boolean verticalSlash = kind != IcmlBlockMask.Kind.TOPK && kind != IcmlBlockMask.Kind.A;
        List<Parameter> parameters = new ArrayList<>(List.of(new Parameter("density", "0.125", "share of the key blocks that a query block reads"),
                new Parameter("budget", "none", "keys per query block, instead of a density"), new Parameter("block", "128", "queries per block"),
                new Parameter("key-block", "32", "keys per block")));
        if (verticalSlash) {
            parameters.add(new Parameter("ratio", "0.5", "share of the budget that goes to columns, the rest to distances"));
        }
        if (kind == IcmlBlockMask.Kind.VS_SAMPLE) {
            parameters.add(new Parameter("samples", "64", "queries of the last block that are looked at"));
        }
        parameters.add(PROFILE);
        parameters.addAll(RULE);
        registry.add("icml-" + kind.slug(), summary + "; prompts only", parameters, (s, r) -> {
            boolean budget = s.values().containsKey("budget");
            if (budget && s.values().containsKey("density")) {
                throw new IllegalArgumentException(s.name() + ": give a budget or a density, not both");
            }
            return new IcmlMaskPolicy(kind, budget ? s.integer("budget", BUDGET, 1) : 0, budget ? 0 : density(s), s.integer("block", 128, 1),
                    s.integer("key-block", 32, 1), verticalSlash ? s.number("ratio", 0.5) : 0.5, s.integer("samples", 64, 1),
                    s.choice("profile", "corrected", "upstream").equals("upstream") ? IcmlQuirk.UPSTREAM : Set.of(), PolicyRegistry.rule(s));
        }, (s, b) -> s.without("density").with("budget", String.valueOf(b)));
    }

    private static double density(PolicySpec s) {
        double density = s.number("density", 0.125);
        if (!(density > 0 && density <= 1)) {
            throw new IllegalArgumentException(s.name() + ": density must be above 0 and at most 1, was " + density);
        }
        return density;
    }
}
