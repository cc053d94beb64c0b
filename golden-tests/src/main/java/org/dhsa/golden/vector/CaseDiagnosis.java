package org.dhsa.golden.vector;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dhsa.bug.Diagnosis;
import org.dhsa.bug.StageRun;
import org.dhsa.golden.CaseResult;
import org.dhsa.golden.Verdict;
import org.dhsa.tensor.Tensor;

/// Names the known mistake behind a failed case: the stage is computed again with each of them put into the reference.
///
/// A mistake shows in many cases; a few of every stage are enough to know it, so a wholly wrong program is told in seconds.
public final class CaseDiagnosis {

    private static final int MOST_PER_STAGE = 4;

    private final Map<String, Integer> done = new HashMap<>();

    /// @param actual outputs by the names of the case
    public CaseResult of(VectorCase golden, Map<String, Tensor> actual, CaseResult result) {
        if (result.verdict() != Verdict.FAIL || done.merge(golden.slug(), 1, Integer::sum) > MOST_PER_STAGE) {
            return result;
        }
        Map<String, Double> budgets = new LinkedHashMap<>();
        golden.expected().values().forEach(e -> budgets.put(e.name(), VectorComparison.budget(e, false)));
        try {
            Diagnosis found = Diagnosis.of(new StageRun(golden.slug(), golden.config(), golden.inputs()), actual, budgets);
            List<String> bugs = new ArrayList<>(found.bugs().stream().map(m -> m.bug().id()).toList());
            found.second().ifPresent(second -> second.bugs().forEach(m -> bugs.add(m.bug().id())));
            return result.diagnosed(bugs, found.text());
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
            // outputs of another shape, or none: there is nothing to recognise a mistake by
            return result;
        }
    }
}
