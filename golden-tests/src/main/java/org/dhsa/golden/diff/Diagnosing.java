package org.dhsa.golden.diff;

import java.util.List;
import org.dhsa.golden.GoldenFormatException;

/// Which known mistake a divergence looks like.
final class Diagnosing {

    private Diagnosing() {}

    static Diagnosed of(DiffEngine engine, List<NodeResult> group) throws GoldenFormatException {
        return Diagnosed.unknown("");
    }
}
