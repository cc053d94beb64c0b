package org.dhsa.golden.vector;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
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
        Map<String, Tensor> known = new LinkedHashMap<>(actual);
        known.keySet().retainAll(golden.expected().keySet());
        if (result.verdict() != Verdict.FAIL || known.isEmpty() || done.merge(golden.id().substring(0, golden.id().lastIndexOf('/')), 1, Integer::sum) > MOST_PER_STAGE) {
            return result;
        }
        try {
            Diagnosis found = Diagnosis.of(new StageRun(golden.slug(), golden.config(), golden.inputs()), known, VectorComparison.budgets(golden));
            return new CaseResult(result.id(), result.family(), result.verdict(), result.comparisons(), result.message(),
                    Optional.of(found).filter(d -> d.verdict() != Diagnosis.Verdict.HEALTHY));
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
            // outputs of another shape: there is nothing to recognise a mistake by
            return result;
        }
    }
}
