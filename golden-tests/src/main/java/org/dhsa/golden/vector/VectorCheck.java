package org.dhsa.golden.vector;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dhsa.backend.Backend;
import org.dhsa.bug.Diagnosis;
import org.dhsa.bug.StageRun;
import org.dhsa.golden.CaseResult;
import org.dhsa.golden.Comparison;
import org.dhsa.golden.Verdict;
import org.dhsa.tensor.Tensor;

/// One published case on one backend, or against tensors that somebody else computed.
public final class VectorCheck {

    private VectorCheck() {}

    /// Runs the case's stage on a backend and compares, in walking order. A case that fails is diagnosed.
    public static CaseResult check(VectorCase golden, Backend backend) {
        Map<String, Tensor> actual;
        try {
            actual = StageRunner.run(backend, golden.slug(), golden.config(), golden.inputs());
        } catch (UnsupportedOperationException e) {
            return new CaseResult(golden.id(), golden.slug(), Verdict.NOT_COVERED, List.of(), "the backend does not compute it: " + e.getMessage());
        } catch (RuntimeException e) {
            Comparison threw = new Comparison(golden.slug(), -1, "", Verdict.ERROR, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.NaN, 0, "", Double.NaN, Double.NaN, "threw " + e);
            return new CaseResult(golden.id(), golden.slug(), Verdict.ERROR, List.of(threw), "threw " + e);
        }
        return diagnosed(golden, actual, compare(golden, actual, backend.precision() == Backend.Precision.FP64));
    }

    /// Compares what a program computed, and diagnoses what fails.
    ///
    /// @param actual by the names of the case; evidence that is not required may be left out
    public static CaseResult judge(VectorCase golden, Map<String, Tensor> actual) {
        return diagnosed(golden, actual, compare(golden, actual, false));
    }

    /// The stage is computed again with each known bug, from the case's inputs.
    private static CaseResult diagnosed(VectorCase golden, Map<String, Tensor> actual, CaseResult result) {
        boolean nothing = golden.expected().keySet().stream().noneMatch(actual::containsKey);
        if (result.verdict() != Verdict.FAIL || nothing) {
            return result;
        }
        Map<String, Tensor> known = new LinkedHashMap<>(actual);
        known.keySet().retainAll(golden.expected().keySet());
        Diagnosis diagnosis = Diagnosis.of(new StageRun(golden.slug(), golden.config(), golden.inputs()), known, VectorComparison.budgets(golden));
        return new CaseResult(result.id(), result.family(), result.verdict(), result.comparisons(), result.message(),
                Optional.of(diagnosis).filter(d -> d.verdict() != Diagnosis.Verdict.HEALTHY));
    }

    /// @param actual by the names of the case; evidence that is not required may be left out
    /// @param fp64   hold it to FP64 accuracy
    public static CaseResult compare(VectorCase golden, Map<String, Tensor> actual, boolean fp64) {
        List<Comparison> comparisons = new ArrayList<>();
        Verdict verdict = Verdict.PASS;
        String message = "";
        for (VectorCase.Expected expected : golden.expected().values()) {
            Tensor tensor = actual.get(expected.name());
            if (tensor == null && !expected.required()) {
                continue;
            }
            Comparison comparison = tensor == null ? VectorComparison.wrong(expected, "is missing; there are " + actual.keySet())
                    : VectorComparison.compare(golden, expected, tensor, fp64);
            comparisons.add(comparison);
            verdict = comparison.verdict().compareTo(verdict) > 0 ? comparison.verdict() : verdict;
            if (comparison.verdict() == Verdict.NEAR_TIE && StageCatalog.INSTANCE.composite(golden.slug())) {
                message = "not compared: what follows from the other keys of " + expected.name();
                break;
            }
        }
        return new CaseResult(golden.id(), golden.slug(), verdict, comparisons, message);
    }
}
