package org.dhsa.bug;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import org.dhsa.backend.Backend;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.Tensor;

/// A mistake that ports of Gemma 2 or DHSA really make.
///
/// @param id       name for people and machines: `softcap-after-mask`
/// @param level    first conformance level whose cases show it, `L0` to `L6`
/// @param title    what goes wrong: "the cap is applied after the mask"
/// @param remedy   what to do: "apply it before"
/// @param seenIn   public issues, `project#number`, or other sources
/// @param variants forms in which it occurs, the usual one first
public record KnownBug(String id, String level, String title, String remedy, List<String> seenIn, List<Variant> variants) {

    /// One form of a bug.
    ///
    /// @param name    what tells this form from the others, empty for the only one
    /// @param changes what it does to stages
    /// @param wiring  what it does to tokens or configuration before any stage runs
    public record Variant(String name, Changes changes, UnaryOperator<StageRun> wiring) {}

    public KnownBug {
        if (!id.matches("[a-z0-9]+(-[a-z0-9]+)*")) {
            throw new IllegalArgumentException("a bug's id is words in lower case joined by hyphens, was " + id);
        }
        if (!level.matches("L[0-6]")) {
            throw new IllegalArgumentException(id + ": level must be L0 to L6, was " + level);
        }
        if (variants.isEmpty()) {
            throw new IllegalArgumentException(id + " has no variant");
        }
        seenIn = List.copyOf(seenIn);
        variants = List.copyOf(variants);
    }

    /// Where it is explained.
    public String docsLink() {
        return "docs/bugs.md#" + id;
    }

    /// Stages at which it can show, in the order a token meets them; none for a bug that shows only in a whole run.
    public Set<Stage> stages() {
        Set<Stage> stages = new TreeSet<>();
        variants.forEach(v -> stages.addAll(v.changes().stages()));
        return Collections.unmodifiableSet(stages);
    }

    /// True if no stage computes anything wrong: the wiring does.
    public boolean wiringOnly() {
        return stages().isEmpty();
    }

    /// A backend that has this bug in its usual form.
    public Backend inject(Backend healthy) {
        return inject(healthy, 0, BugContext.DEFAULT);
    }

    public Backend inject(Backend healthy, int variant, BugContext context) {
        return new ChangedBackend(healthy, id, variants.get(variant).changes(), context);
    }

    /// What an implementation with this bug gives.
    ///
    /// @return outputs by name
    public Map<String, Tensor> run(StageRun run, Backend healthy, int variant) {
        StageRun wired = variants.get(variant).wiring().apply(run);
        return wired.on(inject(healthy, variant, run.context()));
    }

    static Draft of(String id, String level, String title, String remedy) {
        return new Draft(id, level, title, remedy);
    }

    /// A bug that is being described.
    static final class Draft {
        private final String id;
        private final String level;
        private final String title;
        private final String remedy;
        private final List<String> seenIn = new ArrayList<>();
        private final List<Variant> variants = new ArrayList<>();

        private Draft(String id, String level, String title, String remedy) {
            this.id = id;
            this.level = level;
            this.title = title;
            this.remedy = remedy;
        }

        Draft seenIn(String... sources) {
            seenIn.addAll(List.of(sources));
            return this;
        }

        /// The only form of a bug of stages.
        KnownBug shows(Changes changes) {
            return variant("", changes).build();
        }

        /// One form of several.
        Draft variant(String name, Changes changes) {
            return variant(name, changes, UnaryOperator.identity());
        }

        Draft variant(String name, Changes changes, UnaryOperator<StageRun> wiring) {
            variants.add(new Variant(name, changes, wiring));
            return this;
        }

        KnownBug build() {
            return new KnownBug(id, level, title, remedy, seenIn, variants);
        }
    }
}
