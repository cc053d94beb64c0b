package org.dhsa.negative;

import java.util.Map;

/// Where the format's own Python package, in the version that was tried, decides otherwise than the corpus.
///
/// What it does was seen by running `golden-tests/ports/python/negative_cross_check.py`, which also says when this
/// table is no longer what the installed version does.
final class Leniency {

    static final String READER = "safetensors 0.8.0 (Python), files of kind safetensors only";

    private static final Map<String, String> SEEN = Map.of(
            "safetensors/header-starts-with-space", "its parser skips the space, although the format's own text forbids it.",
            "safetensors/duplicate-tensor", "the last entry counts; it is refused only where the two entries leave a hole.",
            "safetensors/duplicate-metadata-key", "the last value counts.",
            "safetensors/metadata-is-null", "null counts as no metadata.",
            "safetensors/entry-is-list", "its parser takes a list for the fields in the order of their declaration.");

    private Leniency() {}

    static NegativeCase note(NegativeCase c) {
        String seen = SEEN.get(c.id());
        return seen == null ? c : c.lenient(READER.substring(0, READER.indexOf(',')) + " " + (c.accept() ? "refuses" : "accepts") + " it: " + seen);
    }
}
