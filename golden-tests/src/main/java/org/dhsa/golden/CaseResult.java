package org.dhsa.golden;

import java.util.List;
import java.util.Optional;

/// Everything that was compared for one case.
///
/// @param message   why nothing was compared, what was left out and why; empty if there is nothing to say
/// @param bugs      known mistakes that explain a failure; empty for none
/// @param diagnosis the same in words; empty where nobody looked
public record CaseResult(String id, String family, Verdict verdict, List<Comparison> comparisons, String message, List<String> bugs, String diagnosis) {

    public CaseResult {
        comparisons = List.copyOf(comparisons);
        bugs = List.copyOf(bugs);
    }

    public CaseResult(String id, String family, Verdict verdict, List<Comparison> comparisons, String message) {
        this(id, family, verdict, comparisons, message, List.of(), "");
    }

    public CaseResult diagnosed(List<String> found, String words) {
        return new CaseResult(id, family, verdict, comparisons, message, found, words);
    }

    /// The first comparison, in the order of the computation, that did not agree exactly enough. A near tie counts: what
    /// follows it may differ because of it.
    public Optional<Comparison> firstDivergence() {
        return comparisons.stream()
                .filter(c -> c.verdict() == Verdict.NEAR_TIE || c.verdict() == Verdict.FAIL || c.verdict() == Verdict.ERROR)
                .findFirst();
    }

    /// The comparison that used most of its budget.
    public Optional<Comparison> worst() {
        return comparisons.stream().max(java.util.Comparator.comparingDouble(Comparison::strain));
    }
}
