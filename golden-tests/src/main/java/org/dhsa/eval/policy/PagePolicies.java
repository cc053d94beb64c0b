package org.dhsa.eval.policy;

import java.util.List;
import java.util.Optional;
import org.dhsa.eval.policy.PolicyRegistry.Parameter;
import org.dhsa.policy.ChunkSource;
import org.dhsa.policy.QuestPolicy;

/// Policies that read pages or clusters of keys: Quest, Tactic, Squeezed Attention and their kin.
final class PagePolicies {

    private static final Parameter PROMPT_DENSE = new Parameter("prompt", "dense",
            "dense, as in the paper, which decodes only; sparse: every row of the prompt chooses as a decoded token would");

    private PagePolicies() {}

    static void addTo(PolicyRegistry.Adder registry) {
        registry.add("quest", "Quest: whole pages by the largest dot product that they could hold",
                List.of(new Parameter("budget", "256", "keys per row and head, in whole pages"),
                        new Parameter("page", "16, or budget / 8 if smaller", "keys per page"),
                        new Parameter("min-pages", "1", "fewest pages, whatever the budget; the official code has 3"),
                        new Parameter("dense-layers", "2", "first layers that stay dense"), PROMPT_DENSE,
                        new Parameter("chunking", "pages", "pages, or dynamic chunks: predicted, fixed-N, sentences")),
                (s, r) -> {
                    int budget = s.integer("budget", PolicyRegistry.BUDGET, 1);
                    return new QuestPolicy(budget, s.integer("page", PolicyRegistry.eighth(budget, 16), 1), s.integer("min-pages", 1, 1),
                            s.integer("dense-layers", 2, 0), sparsePrompt(s), chunks(s, r));
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
        if (text.equals("random") || text.equals("labels")) {
            throw new IllegalArgumentException(s.name() + ": chunking must be one of pages, predicted, fixed-N, sentences, was " + text);
        }
        return Optional.of(PolicyRegistry.chunks(s, resources));
    }
}
