package org.dhsa.golden;

import java.util.List;
import java.util.Optional;
import org.dhsa.bug.Diagnosis;

/// Everything that was compared for one case.
///
/// @param message   why nothing was compared, what was left out and why; empty if there is nothing to say
/// @param diagnosis which known mistake a failing vector looks like; empty for what does not fail, and for recordings
public record CaseResult(String id, String family, Verdict verdict, List<Comparison> comparisons, String message, Optional<Diagnosis> diagnosis) {

    public CaseResult {
        comparisons = List.copyOf(comparisons);
    }

    public CaseResult(String id, String family, Verdict verdict, List<Comparison> comparisons, String message) {
        this(id, family, verdict, comparisons, message, Optional.empty());
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
