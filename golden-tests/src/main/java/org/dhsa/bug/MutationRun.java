package org.dhsa.bug;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.dhsa.backend.Backend;
import org.dhsa.golden.CaseResult;
import org.dhsa.golden.Verdict;
import org.dhsa.golden.vector.StageCatalog;
import org.dhsa.golden.vector.VectorCase;
import org.dhsa.golden.vector.VectorCheck;
import org.dhsa.golden.vector.VectorComparison;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.tensor.Tensor;

/// The vectors run against every mutant: which of them notice it, and whether the diagnosis gives it its name.
public final class MutationRun {

    /// What became of one mutant.
    ///
    /// @param killedBy   ids of the cases that fail
    /// @param named      cases in which the diagnosis names it alone
    /// @param amongSome  cases in which it is one of several that the case cannot tell apart
    /// @param unknown    cases in which the diagnosis says unknown
    /// @param misnamed   what the diagnosis said instead, for a known bug; what it took a systematic mutant for
    public record Outcome(Mutant mutant, List<String> killedBy, List<String> named, List<String> amongSome, List<String> unknown, Set<String> misnamed) {

        public boolean killed() {
            return !killedBy.isEmpty();
        }

        /// A known bug that was called by its name, alone or with those that no case tells apart from it, and never by another.
        public boolean diagnosed() {
            return misnamed.isEmpty() && (!named.isEmpty() || !amongSome.isEmpty());
        }
    }

    /// Told after each case.
    public interface Progress {
        void done(int cases, int all);
    }

    private MutationRun() {}

    /// @param backend what the mistakes are put into; a float32 one shows that the diagnosis stands its rounding
    public static List<Outcome> of(List<VectorCase> cases, Backend backend, Progress progress) {
        List<Mutant> mutants = Mutant.all();
        Map<String, Outcome> outcomes = new LinkedHashMap<>();
        for (Mutant mutant : mutants) {
            outcomes.put(mutant.id(), new Outcome(mutant, new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new TreeSet<>()));
        }
        int done = 0;
        for (VectorCase golden : cases) {
            StageRun run = new StageRun(golden.slug(), golden.config(), golden.inputs());
            BugResults results = new BugResults(run, new ReferenceBackend());
            boolean composite = StageCatalog.INSTANCE.composite(golden.slug());
            for (Mutant mutant : mutants) {
                if (mutant.touches(run, composite)) {
                    judge(golden, results, backend, mutant, outcomes.get(mutant.id()));
                }
            }
            progress.done(++done, cases.size());
        }
        return List.copyOf(outcomes.values());
    }

    private static void judge(VectorCase golden, BugResults results, Backend backend, Mutant mutant, Outcome outcome) {
        Map<String, Tensor> actual;
        try {
            boolean kept = mutant.bug().isPresent() && backend.precision() == Backend.Precision.FP64;
            actual = kept ? results.of(mutant.bug().get(), mutant.variant()) : mutant.run(results.run(), backend);
        } catch (RuntimeException e) {
            actual = Map.of();
        }
        if (actual.isEmpty()) {
            // the mistake makes the stage fail on these inputs
            outcome.killedBy().add(golden.id());
            outcome.unknown().add(golden.id());
            return;
        }
        CaseResult result = VectorCheck.compare(golden, actual, false);
        if (result.verdict() != Verdict.FAIL && result.verdict() != Verdict.ERROR) {
            return;
        }
        outcome.killedBy().add(golden.id());
        Diagnosis diagnosis = Diagnosis.of(results, actual, VectorComparison.budgets(golden));
        Set<String> ids = diagnosis.bugs().stream().map(m -> m.bug().id()).collect(Collectors.toCollection(TreeSet::new));
        if (mutant.bug().isEmpty()) {
            if (ids.isEmpty()) {
                outcome.unknown().add(golden.id());
            } else {
                outcome.misnamed().add(String.join(" or ", ids));
            }
        } else if (ids.equals(Set.of(mutant.bug().get().id()))) {
            outcome.named().add(golden.id());
        } else if (ids.contains(mutant.bug().get().id())) {
            outcome.amongSome().add(golden.id() + ": " + String.join(" or ", ids));
        } else if (ids.isEmpty()) {
            outcome.unknown().add(golden.id());
        } else {
            outcome.misnamed().add(String.join(" or ", ids) + " in " + golden.id());
        }
    }

}
