package org.dhsa.weights;

import java.util.Collection;
import java.util.stream.Collectors;

/// Names from files, made fit for an error message: control characters escaped, long ones cut, long lists cut.
final class Printable {

    private static final int MAX_NAME = 120;

    private Printable() {}

    /// The name itself when it is plain, else escaped and cut; never more than a line.
    static String name(String raw) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < raw.length() && out.length() < MAX_NAME; i++) {
            char c = raw.charAt(i);
            if (Character.isISOControl(c) || Character.isSurrogate(c) || Character.getType(c) == Character.FORMAT) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return raw.isEmpty() ? "\"\"" : out.length() < MAX_NAME ? out.toString() : out + "...";
    }

    /// `a, b, c and 12 more`.
    static String list(Collection<String> names, int shown) {
        String head = names.stream().limit(shown).map(Printable::name).collect(Collectors.joining(", "));
        return names.size() <= shown ? head : head + " and " + (names.size() - shown) + " more";
    }
}
