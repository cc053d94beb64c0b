package org.dhsa.bug;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// The catalogue of known bugs, explained in `docs/bugs.md`.
public final class KnownBugs {

    private static final Map<String, KnownBug> BY_ID = new LinkedHashMap<>();

    static {
        Stream.of(GemmaBugs.all(), BoundaryBugs.rotary(), AttentionBugs.all(), BoundaryBugs.predictor(), BoundaryBugs.suppression(), SelectionBugs.chunks(),
                        SelectionBugs.selection(), SelectionBugs.attention())
                .flatMap(List::stream)
                .forEach(bug -> {
                    if (BY_ID.put(bug.id(), bug) != null) {
                        throw new IllegalStateException("two bugs are called " + bug.id());
                    }
                });
    }

    private KnownBugs() {}

    /// Every bug, Gemma 2 first, in the order in which a token would meet them.
    public static List<KnownBug> all() {
        return List.copyOf(BY_ID.values());
    }

    public static Optional<KnownBug> byId(String id) {
        return Optional.ofNullable(BY_ID.get(id));
    }
}
