package org.dhsa.bug;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dhsa.backend.Backend;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.Tensor;

/// An implementation with one mistake, which the vectors must notice.
///
/// @param id         `softcap-dropped`, or `stage/what` for one that is no known bug
/// @param what       the mistake in words
/// @param bug        the known bug that it is, and which form; empty for a systematic one
/// @param changes    what it does to stages
public record Mutant(String id, String what, Optional<KnownBug> bug, int variant, Changes changes) {

    /// Every form of every known bug, then the systematic ones.
    public static List<Mutant> all() {
        List<Mutant> all = new ArrayList<>();
        for (KnownBug bug : KnownBugs.all()) {
            for (int v = 0; v < bug.variants().size(); v++) {
                String form = bug.variants().get(v).name();
                all.add(new Mutant(bug.variants().size() == 1 ? bug.id() : bug.id() + " (" + form + ")", bug.title(), Optional.of(bug), v, bug.variants().get(v).changes()));
            }
        }
        all.addAll(SystematicMutants.all());
        return all;
    }

    static Mutant systematic(String id, String what, Changes changes) {
        return new Mutant(id, what, Optional.empty(), 0, changes);
    }

    /// False where the mistake cannot show, because it leaves a stage alone.
    boolean touches(StageRun run, boolean composite) {
        return composite || bug.map(KnownBug::wiringOnly).orElse(false) || changes.stages().stream().map(Stage::slug).anyMatch(run.slug()::equals);
    }

    Map<String, Tensor> run(StageRun run, Backend healthy) {
        return bug.isPresent() ? bug.get().run(run, healthy, variant) : run.on(new ChangedBackend(healthy, id, changes, run.context()));
    }
}
