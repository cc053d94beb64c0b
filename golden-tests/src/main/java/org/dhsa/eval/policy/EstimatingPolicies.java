package org.dhsa.eval.policy;

import java.util.List;
import java.util.Locale;
import org.dhsa.eval.policy.PolicyRegistry.Parameter;
import org.dhsa.model.Profile;
import org.dhsa.policy.FlexPrefillPolicy;
import org.dhsa.policy.MInferenceAShapePolicy;
import org.dhsa.policy.MInferenceBlockSparsePolicy;
import org.dhsa.policy.MInferenceVerticalSlashPolicy;
import org.dhsa.policy.SampleAttentionPolicy;
import org.dhsa.policy.XAttentionPolicy;

/// Policies that estimate attention from a sample of it: MInference, XAttention, FlexPrefill, SampleAttention.
final class EstimatingPolicies {

    private static final Parameter PROFILE = new Parameter("profile", "corrected", "corrected: the paper; upstream: the official code with its quirks");

    private EstimatingPolicies() {}

    static void addTo(PolicyRegistry.Adder registry) {
        registry.add("minference-a-shape", "MInference: the first keys and the recent ones, in the prompt",
                List.of(new Parameter("n_init", "1024", "first keys"), new Parameter("n_local", "4096", "recent keys, the row's own included"),
                        new Parameter("block", "1", "rows that share a list; above 1 a row reads up to block - 1 keys more")),
                (s, r) -> new MInferenceAShapePolicy(s.integer("n_init", 1024, 0), s.integer("n_local", 4096, 1), s.integer("block", 1, 1)),
                (s, b) -> with(with(s, "n_init", b / 5), "n_local", b - b / 5));
        registry.add("minference-vertical-slash", "MInference: whole columns and diagonals, found with the last queries",
                List.of(new Parameter("vertical_size", "1000", "columns"), new Parameter("slash_size", "6096", "diagonals, the own key's included"),
                        new Parameter("last_q", "64", "last queries that judge"),
                        new Parameter("block_size", "64, or (vertical_size + slash_size) / 8 if smaller", "rows that share a list; 64 with profile=upstream"), PROFILE),
                (s, r) -> {
                    int columns = s.integer("vertical_size", 1000, 1);
                    int diagonals = s.integer("slash_size", 6096, 1);
                    Profile profile = profile(s);
                    int block = profile == Profile.UPSTREAM ? 64 : PolicyRegistry.eighth(columns + diagonals, 64);
                    return new MInferenceVerticalSlashPolicy(columns, diagonals, s.integer("last_q", 64, 1), s.integer("block_size", block, 1), profile);
                }, (s, b) -> with(with(s, "vertical_size", Math.max(1, b / 7)), "slash_size", Math.max(1, b - b / 7)));
        registry.add("minference-block-sparse", "MInference: whole blocks by the dot product of their means, the own one not forced",
                List.of(new Parameter("block_size", "64", "queries and keys per block"), new Parameter("top_k", "100", "blocks of keys per block of queries"), PROFILE,
                        PolicyRegistry.RULE.get(0), PolicyRegistry.RULE.get(1)),
                (s, r) -> new MInferenceBlockSparsePolicy(s.integer("block_size", 64, 1), s.integer("top_k", 100, 1), profile(s), PolicyRegistry.rule(s)),
                (s, b) -> {
                    int block = s.integer("block_size", PolicyRegistry.eighth(b, 64), 1);
                    return with(with(s, "block_size", block), "top_k", Math.max(1, b / block));
                });
        registry.add("xattention", "XAttention: whole blocks by the sums of their antidiagonals, up to a share of the mass",
                List.of(new Parameter("block_size", "128", "queries and keys per block"), new Parameter("stride", "16", "tokens of a group; divides block_size"),
                        new Parameter("threshold", "0.9", "share of the estimated mass, above 0 and at most 1"), PROFILE, PolicyRegistry.RULE.get(0), PolicyRegistry.RULE.get(1)),
                (s, r) -> new XAttentionPolicy(s.integer("block_size", 128, 1), s.integer("stride", 16, 1), s.number("threshold", 0.9), profile(s), PolicyRegistry.rule(s)),
                (s, b) -> s);
        registry.add("flexprefill", "FlexPrefill: blocks or lines, head by head, up to a share of the mass",
                List.of(new Parameter("gamma", "0.9", "share of the estimated mass, above 0 and at most 1"),
                        new Parameter("tau", "0.1", "a head whose distance is below it takes blocks; 0 for never"),
                        new Parameter("min_budget", "1024", "fewest columns, and fewest diagonals"), new Parameter("max_budget", "none", "most columns, and most diagonals, or none"),
                        new Parameter("block_size", "128", "queries and keys per block, and last queries that judge"), PROFILE,
                        PolicyRegistry.RULE.get(0), PolicyRegistry.RULE.get(1)),
                (s, r) -> new FlexPrefillPolicy(s.number("gamma", 0.9), s.number("tau", 0.1), s.integer("min_budget", 1024, 1),
                        s.values().getOrDefault("max_budget", "none").equals("none") ? 0 : s.integer("max_budget", 0, 1), s.integer("block_size", 128, 1), profile(s),
                        PolicyRegistry.rule(s)),
                (s, b) -> {
                    int most = Math.max(1, b / 2);
                    return with(with(s, "max_budget", most), "min_budget", Math.min(s.integer("min_budget", 1024, 1), most));
                });
        registry.add("sample-attention", "SampleAttention: columns that hold a share of the mass of sampled rows, and a window",
                List.of(new Parameter("alpha", "0.95", "share of the sampled mass, above 0 and at most 1"), new Parameter("r_row", "0.05", "share of the rows that are sampled"),
                        new Parameter("r_window", "0.08", "share of the prompt that the window holds"),
                        new Parameter("block", "64", "rows that share a list; above 1 a row reads up to block - 1 keys more")),
                (s, r) -> new SampleAttentionPolicy(s.number("alpha", 0.95), s.number("r_row", 0.05), s.number("r_window", 0.08), s.integer("block", 64, 1)), (s, b) -> s);
    }

    private static Profile profile(PolicySpec spec) {
        return Profile.valueOf(spec.choice("profile", "corrected", "upstream").toUpperCase(Locale.ROOT));
    }

    private static PolicySpec with(PolicySpec spec, String key, int value) {
        return spec.with(key, String.valueOf(value));
    }
}
