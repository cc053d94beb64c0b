package org.dhsa.bug;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.dhsa.backend.Backend;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.Tensor;

/// What the reference and each known bug make of one run; each is computed when it is first asked for, and kept.
public final class BugResults {

    private final StageRun run;
    private final Backend base;
    private final Map<String, Tensor> healthy;
    private final boolean composite;
    private final Map<String, Map<String, Tensor>> byBug = new HashMap<>();

    public BugResults(StageRun run, Backend base) {
        this.run = run;
        this.base = base;
        this.healthy = run.on(base);
        this.composite = Arrays.stream(Stage.values()).noneMatch(s -> s.slug().equals(run.slug()));
    }

    public StageRun run() {
        return run;
    }

    public Map<String, Tensor> healthy() {
        return healthy;
    }

    /// False for a bug that cannot show here, because it leaves this stage alone.
    public boolean possible(KnownBug bug, int variant) {
        return composite || bug.wiringOnly() || bug.variants().get(variant).changes().stages().stream().anyMatch(s -> s.slug().equals(run.slug()));
    }

    /// Outputs by name; none if an implementation with this bug fails on these inputs.
    public Map<String, Tensor> of(KnownBug bug, int variant) {
        return byBug.computeIfAbsent(bug.id() + " " + variant, key -> {
            try {
                return bug.run(run, base, variant);
            } catch (RuntimeException e) {
                return Map.of();
            }
        });
    }

    /// The same run with a bug taken for granted, to look for a second one.
    BugResults with(KnownBug bug, int variant) {
        return new BugResults(bug.variants().get(variant).wiring().apply(run), bug.inject(base, variant, run.context()));
    }
}
