package org.dhsa.model;

import java.util.EnumSet;
import java.util.Set;

/// A named set of quirks.
public enum Profile {
    /// The paper's method on real Gemma 2: no quirk. The default.
    CORRECTED(EnumSet.noneOf(Quirk.class)),
    /// Parity with the authors' Gemma 2 code: every quirk.
    UPSTREAM(EnumSet.allOf(Quirk.class));

    private final Set<Quirk> quirks;

    Profile(EnumSet<Quirk> quirks) {
        this.quirks = Set.copyOf(quirks);
    }

    public Set<Quirk> quirks() {
        return quirks;
    }
}
