package org.dhsa.golden;

import java.util.List;
import java.util.Optional;
import org.dhsa.bug.Diagnosis;

/// Everything that was compared for one case.
///
/// @param message   why nothing was compared, what was left out and why; empty if there is nothing to say
/// @param diagnosis which known mistake a failing vector looks like; empty for what does not fail, and for recordings
public record CaseResult(String id, String family, Verdict verdict, List<Comparison> comparisons, String message, Optional<Diagnosis> diagnosis) {

    /// What the message of a case says of which a backend attended over the recorded lists and did not choose them.
    public static final String SELECTION_NOT_COVERED = "this part of the selection is FP64 code that all backends share; --backend reference compares it";

    public CaseResult {
        comparisons = List.copyOf(comparisons);
    }

    public CaseResult(String id, String family, Verdict verdict, List<Comparison> comparisons, String message) {
        this(id, family, verdict, comparisons, message, Optional.empty());
    }

    /// Ids of the known mistakes that explain a failure; empty for none.
    public List<String> bugs() {
        return diagnosis.map(Diagnosis::ids).orElse(List.of());
    }

    /// True where a backend attended over recorded lists without choosing them all by itself.
    public boolean selectionNotCovered() {
        return message.contains(SELECTION_NOT_COVERED);
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
