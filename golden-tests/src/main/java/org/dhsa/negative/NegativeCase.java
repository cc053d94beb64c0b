package org.dhsa.negative;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.Map;

/// One case of the corpus: a file, or a small folder, and what a loader must make of it.
///
/// @param id      `kind/name`
/// @param open    the file to open, relative to the corpus
/// @param files   every file of the case by its path relative to the corpus
/// @param accept  whether a loader must load it; else it must refuse it
/// @param rule    key of [Rules]: the rule that is broken, or that makes the oddity legal
/// @param names   tensor or field that a good message names, empty for the file as a whole
/// @param keyword a word of this project's own message, empty for accepted cases
/// @param lenient where a well-known reader decides otherwise and why that is no model to follow, else empty
/// @param expect  dtype, shape and values by tensor name, for accepted files of tensors
record NegativeCase(String id, String open, Map<String, byte[]> files, boolean accept, String rule, String names, String keyword,
                    String note, String lenient, Map<String, ObjectNode> expect) {

    NegativeCase {
        if (!Rules.ALL.containsKey(rule)) {
            throw new IllegalArgumentException(id + ": there is no rule " + rule);
        }
        if (!files.containsKey(open)) {
            throw new IllegalArgumentException(id + ": opens " + open + ", which is not among its files");
        }
        files = new LinkedHashMap<>(files);
    }

    String kind() {
        return id.substring(0, id.indexOf('/'));
    }

    NegativeCase lenient(String text) {
        return new NegativeCase(id, open, files, accept, rule, names, keyword, note, text, expect);
    }

    NegativeCase expect(Map<String, ObjectNode> tensors) {
        return new NegativeCase(id, open, files, accept, rule, names, keyword, note, lenient, tensors);
    }
}
