package org.dhsa.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.stream.Collectors;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.EvalModel;
import org.dhsa.eval.NeedlePlan;

/// Lengths and budgets as far as they were given. What was not given follows the models: a command's own sizes where a model is small,
/// those of the published tests where every model has a window of 1024 tokens or more.
///
/// @param lengths null if not given
/// @param budgets null if not given
record Sizes(List<Integer> lengths, List<Integer> budgets) {

    private static final List<Integer> LARGE_LENGTHS = List.of(4096, 8192);
    private static final List<Integer> LARGE_BUDGETS = List.of(1024, 2048);

    List<Integer> lengthsOr(List<Integer> small) {
        return lengths == null ? small : lengths;
    }

    List<Integer> budgetsOr(List<Integer> small) {
        return budgets == null ? small : budgets;
    }

    /// The plan for these models; says so where it is another than for small ones.
    ///
    /// @param small with the sizes of small models where none were given
    NeedlePlan fit(NeedlePlan small, List<EvalModel> models, EvalOptions options, PrintWriter err) {
        if (lengths != null && budgets != null || !models.stream().allMatch(Contenders::isLarge)) {
            return small;
        }
        int most = models.stream().mapToInt(m -> m.model().config().maxPositionEmbeddings()).min().orElseThrow();
        NeedlePlan plan = small.with(lengthsOr(within(LARGE_LENGTHS, most)), budgetsOr(within(LARGE_BUDGETS, most)));
        if (!options.json) {
            err.println("Not given, so as usual for models of this size:" + (lengths == null ? " --lengths " + said(plan.lengths()) : "")
                    + (budgets == null ? " --budgets " + said(plan.budgets()) : "") + ".");
            err.flush();
        }
        return plan;
    }

    /// Those that are not more than the most; the most itself where all are more.
    private static List<Integer> within(List<Integer> sizes, int most) {
        List<Integer> kept = sizes.stream().filter(s -> s <= most).toList();
        return kept.isEmpty() ? List.of(most) : kept;
    }

    private static String said(List<Integer> sizes) {
        return sizes.stream().map(String::valueOf).collect(Collectors.joining(","));
    }
}
