package org.dhsa.eval.policy;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/// Why some policies take no rule for their budget ([org.dhsa.policy.BudgetRule]): a rule shares out whole units among rows, by their estimated attention.
///
/// Every policy of [PolicyRegistry] either has a parameter `rule` or stands here; docs/policies.md lists both.
public final class WithoutRule {

    private static final Map<String, String> REASONS = new LinkedHashMap<>();

    static {
        REASONS.put("dense", "every visible key is read, there is no budget");
        String position = "position alone says what is read, nothing estimates attention";
        REASONS.put("sliding", position);
        REASONS.put("streaming", position);
        String oracle = "it chooses single keys by the true attention, there are no units";
        REASONS.put("oracle-row", oracle);
        REASONS.put("oracle-block", oracle);
        REASONS.put("oracle-topp", "it is the top-p rule itself, on single keys");
        String cache = "it chooses single keys of the prompt, once for all decoded tokens, so no row has a budget of its own";
        REASONS.put("h2o", cache);
        REASONS.put("streaming-cache", cache);
        REASONS.put("pyramidkv", cache);
        REASONS.put("snapkv", cache);
        REASONS.put("minference-a-shape", position);
        String lines = "one choice of columns and diagonals serves all rows, and a pair where two cross belongs to neither, so pairs cannot move between rows";
        REASONS.put("minference-vertical-slash", lines);
        REASONS.put("vsprefill", lines);
        REASONS.put("sample-attention", "one choice of columns serves all rows, and the window is given by position, so pairs cannot move between rows");
        REASONS.put("cascade", "it holds single keys, and what a row reads decides what later rows can read, so pairs cannot move between rows");
        REASONS.put("tca", "it ranks single keys by redundancy, which says nothing about the attention that a unit would hold");
    }

    private WithoutRule() {}

    /// @return nothing for a policy that takes a rule
    public static Optional<String> reason(String policy) {
        return Optional.ofNullable(REASONS.get(policy));
    }
}
