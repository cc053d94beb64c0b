package org.dhsa.golden.vector;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dhsa.backend.Backend;
import org.dhsa.golden.CaseResult;
import org.dhsa.golden.Comparison;
import org.dhsa.golden.Verdict;
import org.dhsa.tensor.Tensor;

/// One published case on one backend, or against tensors that somebody else computed.
public final class VectorCheck {

    private VectorCheck() {}

    /// Runs the case's stage on a backend and compares, in walking order. A case that fails is diagnosed.
    public static CaseResult check(VectorCase golden, Backend backend) {
        return check(golden, backend, new CaseDiagnosis());
    }

    /// The same; how many cases of a stage are diagnosed is for `diagnosis` to say.
    public static CaseResult check(VectorCase golden, Backend backend, CaseDiagnosis diagnosis) {
        Map<String, Tensor> actual;
        try {
            actual = StageRunner.run(backend, golden.slug(), golden.config(), golden.inputs());
        } catch (UnsupportedOperationException e) {
            return new CaseResult(golden.id(), golden.slug(), Verdict.NOT_COVERED, List.of(), "the backend does not compute it: " + e.getMessage());
        } catch (RuntimeException e) {
            Comparison threw = new Comparison(golden.slug(), -1, "", Verdict.ERROR, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.NaN, 0, "", Double.NaN, Double.NaN, "threw " + e);
            return new CaseResult(golden.id(), golden.slug(), Verdict.ERROR, List.of(threw), "threw " + e);
        }
        return diagnosis.of(golden, actual, compare(golden, actual, backend.precision() == Backend.Precision.FP64));
    }

    /// Compares what a program computed in FP32, and diagnoses a failure.
    public static CaseResult judge(VectorCase golden, Map<String, ? extends Tensor> actual, CaseDiagnosis diagnosis) {
        Map<String, Tensor> tensors = new LinkedHashMap<>(actual);
        return diagnosis.of(golden, tensors, compare(golden, tensors, false));
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
            Comparison comparison = tensor == null ? VectorComparison.wrong(expected, actual.isEmpty() ? "is missing; there is no tensor at all" : "is missing; there are " + actual.keySet())
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
