package org.dhsa.eval.policy;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.dhsa.eval.policy.PolicyRegistry.Parameter;
import org.dhsa.policy.CascadePolicy;
import org.dhsa.policy.ChunkSource;
import org.dhsa.policy.DeltaPolicy;
import org.dhsa.policy.QuestPolicy;
import org.dhsa.policy.SparseAcceleratePolicy;
import org.dhsa.policy.SqueezedPolicy;
import org.dhsa.policy.TacticPolicy;
import org.dhsa.policy.TcaPolicy;
import org.dhsa.reference.baseline.TailFit;

/// Policies that read pages or clusters of keys: Quest, Tactic, Squeezed Attention and their kin.
final class PagePolicies {

    private static final int BUDGET = PolicyRegistry.BUDGET;
    private static final Parameter PROMPT = new Parameter("prompt", "dense",
            "dense, as in the paper, which decodes only; sparse: every row of the prompt chooses as a decoded token would");
    private static final Parameter PAGE = new Parameter("page", "16, or budget / 8 if smaller", "keys per page");
    private static final Parameter DENSE_LAYERS = new Parameter("dense-layers", "2", "first layers that stay dense");
    private static final Parameter SEED = new Parameter("seed", "0", "of k-means");

    private PagePolicies() {}

    static void addTo(PolicyRegistry.Adder registry) {
        registry.add("quest", "Quest: whole pages by the largest dot product that they could hold",
                List.of(new Parameter("budget", "256", "keys per row and head, in whole pages"), PAGE,
                        new Parameter("min-pages", "1", "fewest pages, whatever the budget; the official code has 3"), DENSE_LAYERS, PROMPT,
                        new Parameter("chunking", "pages", "pages, or dynamic chunks: predicted, fixed-N, sentences"),
                        PolicyRegistry.RULE.get(0), PolicyRegistry.RULE.get(1)),
                (s, r) -> {
                    int budget = s.integer("budget", BUDGET, 1);
                    return new QuestPolicy(budget, s.integer("page", PolicyRegistry.eighth(budget, 16), 1), s.integer("min-pages", 1, 1),
                            s.integer("dense-layers", 2, 0), sparsePrompt(s), chunks(s, r), PolicyRegistry.rule(s));
                }, PolicyRegistry::replaceBudget);
        registry.add("tactic", "Tactic: clusters of keys by their centroid, until a share of the attention is thought to be held",
                List.of(new Parameter("p", "0.9", "share of the attention, above 0 and at most 1"), new Parameter("cluster", "32", "keys per cluster on average"),
                        new Parameter("exact", "0.02", "share of the ranks whose logits are computed"),
                        new Parameter("first", "0.1", "where the fit's first window of samples begins, as a share of the ranks"),
                        new Parameter("second", "0.6", "where the second begins"), new Parameter("width", "0.01", "their width, as a share of the ranks"),
                        new Parameter("iterations", "10", "rounds of k-means at most"), SEED, PROMPT,
                        PolicyRegistry.RULE.get(0), PolicyRegistry.RULE.get(1)),
                (s, r) -> new TacticPolicy(s.number("p", 0.9), s.integer("cluster", 32, 1),
                        new TailFit.Sampling(s.number("exact", 0.02), s.number("first", 0.1), s.number("second", 0.6), s.number("width", 0.01)),
                        s.integer("iterations", 10, 1), s.integer("seed", 0, Integer.MIN_VALUE), sparsePrompt(s), PolicyRegistry.rule(s)), (s, b) -> s);
        registry.add("squeezed", "Squeezed Attention: clusters of a fixed prefix whose centroid scores above a calibrated threshold",
                List.of(new Parameter("keep", "0.3", "share of the prefix's clustered keys to read, above 0 and at most 1"),
                        new Parameter("centroids", "0.05", "clusters per key"), new Parameter("input", "64", "last tokens of the prompt: the user's input, no prefix"),
                        new Parameter("window", "100", "last tokens of the prefix, which calibrate and are always read"),
                        new Parameter("levels", "1", "1, or 2 for a hierarchy of centroids"),
                        new Parameter("keep-coarse", "0.5", "share of the keys whose coarse cluster is opened"), new Parameter("coarse", "0.01", "coarse clusters per key"),
                        new Parameter("iterations", "150", "rounds of k-means at most"), SEED, PolicyRegistry.RULE.get(0), PolicyRegistry.RULE.get(1)),
                (s, r) -> new SqueezedPolicy(s.number("keep", 0.3), s.number("centroids", 0.05), s.integer("input", 64, 0), s.integer("window", 100, 1),
                        s.choice("levels", "1", "2").equals("2"), s.number("keep-coarse", 0.5), s.number("coarse", 0.01), s.integer("iterations", 150, 1),
                        s.integer("seed", 0, Integer.MIN_VALUE), PolicyRegistry.rule(s)), (s, b) -> s);
        registry.add("delta", "DELTA: a few dense layers choose pages, the layers after them read these",
                List.of(new Parameter("budget", "256", "keys per row of a sparse layer, in whole pages"), PAGE,
                        new Parameter("recent", "8, or an eighth of the pages if fewer", "last pages, always read"), DENSE_LAYERS,
                        new Parameter("deltas", "spread", "layers that choose, as 2+14+22, or spread: three, evenly"), PROMPT,
                        new Parameter("rule", "static", "static, top-p, water-filling: who spends the pairs of the static budget; never more of them"),
                        new Parameter("mass", "0.9", "share of the estimated attention mass at which top-p stops")),
                (s, r) -> {
                    int budget = s.integer("budget", BUDGET, 1);
                    int page = s.integer("page", PolicyRegistry.eighth(budget, 16), 1);
                    return new DeltaPolicy(budget, page, s.integer("recent", PolicyRegistry.eighth(budget / page, 8), 0), s.integer("dense-layers", 2, 0),
                            deltas(s), sparsePrompt(s), PolicyRegistry.rule(s));
                }, PolicyRegistry::replaceBudget);
        registry.add("cascade", "Cascading KV Cache: what a cache of sub-caches would hold, each taking in half of what the one before loses",
                List.of(new Parameter("budget", "256", "keys in the cache, sinks included; a row also reads its own stride"),
                        new Parameter("sinks", "4", "first keys, always held"), new Parameter("cascades", "4", "sub-caches"),
                        new Parameter("stride", "1", "rows of the prompt that share a cache"), new Parameter("beta", "0.9999", "how slowly scores change")),
                (s, r) -> new CascadePolicy(s.integer("budget", BUDGET, 1), s.integer("sinks", 4, 0), s.integer("cascades", 4, 1), s.integer("stride", 1, 1),
                        s.number("beta", 0.9999)), PolicyRegistry::replaceBudget);
        registry.add("tca", "after TCA-Attention: each head keeps the least redundant keys of each block, by its calibrated share",
                List.of(new Parameter("budget", "256", "keys that the last row of the prompt reads, mean over the key heads"),
                        new Parameter("block", "64, or budget / 8 if smaller", "keys, and rows, per block"),
                        new Parameter("window", "64", "last rows of the prompt, which calibrate"),
                        new Parameter("mass", "0.9", "share of the attention by which heads are compared")),
                (s, r) -> {
                    int budget = s.integer("budget", BUDGET, 1);
                    return new TcaPolicy(budget, s.integer("block", PolicyRegistry.eighth(budget, 64), 1), s.integer("window", 64, 1), s.number("mass", 0.9));
                }, PolicyRegistry::replaceBudget);
        registry.add("sparse-accelerate", "after SparseAccelerate: each head takes the best of three patterns (triangular, interval-slash, block-cluster)",
                List.of(new Parameter("budget", "256", "keys per row, of block-cluster per block of rows"),
                        new Parameter("block", "64, or budget / 8 if smaller", "rows and keys per block of block-cluster"),
                        new Parameter("interval", "16, or budget / 8 if smaller", "distances per interval"),
                        new Parameter("window", "64", "last sparse rows, which judge"), PolicyRegistry.RULE.get(0), PolicyRegistry.RULE.get(1)),
                (s, r) -> {
                    int budget = s.integer("budget", BUDGET, 1);
                    return new SparseAcceleratePolicy(budget, s.integer("block", PolicyRegistry.eighth(budget, 64), 1),
                            s.integer("interval", PolicyRegistry.eighth(budget, 16), 1), s.integer("window", 64, 1), PolicyRegistry.rule(s));
                }, PolicyRegistry::replaceBudget);
    }

    private static boolean sparsePrompt(PolicySpec s) {
        return s.choice("prompt", "dense", "sparse").equals("sparse");
    }

    /// Empty for pages of one size.
    private static Optional<ChunkSource> chunks(PolicySpec s, PolicyResources resources) {
        String text = s.values().getOrDefault("chunking", "pages");
        if (text.equals("pages")) {
            return Optional.empty();
        }
        if (!text.startsWith("fixed-") && !List.of("predicted", "sentences").contains(text)) {
            throw new IllegalArgumentException(s.name() + ": chunking must be one of pages, predicted, fixed-N, sentences, was " + text);
        }
        return Optional.of(PolicyRegistry.chunks(s, resources));
    }

    /// Empty for an even spread.
    private static List<Integer> deltas(PolicySpec s) {
        String text = s.values().getOrDefault("deltas", "spread");
        if (text.equals("spread")) {
            return List.of();
        }
        if (!text.matches("\\d{1,5}(\\+\\d{1,5})*")) {
            throw new IllegalArgumentException(s.name() + ": deltas must be spread, or layers as 2+14+22, was " + text);
        }
        return Arrays.stream(text.split("\\+")).map(Integer::valueOf).toList();
    }
}
