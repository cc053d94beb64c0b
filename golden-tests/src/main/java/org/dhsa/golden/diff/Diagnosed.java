package org.dhsa.golden.diff;

import java.util.List;

/// What a divergence looks like.
///
/// @param bugs  ids of the known mistakes that fit; empty for none, which is then "unknown"
/// @param lines for people, at least one
record Diagnosed(List<String> bugs, List<String> lines) {

    static Diagnosed unknown(String why) {
        return new Diagnosed(List.of(), List.of("unknown" + (why.isEmpty() ? "" : ": " + why)));
    }
}
