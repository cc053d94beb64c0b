package org.dhsa.weights;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/// Names that a missing one may have meant, by edit distance.
public final class NearNames {

    /// Beyond this many names, or names of this length, guessing costs more than it helps.
    private static final int MAX_CANDIDATES = 20_000;
    private static final int MAX_LENGTH = 200;

    private NearNames() {}

    /// `is missing; near names: a, b, c`.
    static String missing(String wanted, Collection<String> present) {
        if (present.isEmpty()) {
            return "is missing; there are no tensors at all";
        }
        List<String> near = near(wanted, present);
        return near.isEmpty() ? "is missing" : "is missing; near names: " + Printable.list(near, 3);
    }

    /// The three nearest names, nearest first.
    public static List<String> near(String wanted, Collection<String> present) {
        record Scored(String name, int distance) {}
        if (wanted.length() > MAX_LENGTH) {
            return List.of();
        }
        return present.stream()
                .limit(MAX_CANDIDATES)
                .filter(name -> name.length() <= MAX_LENGTH)
                .map(name -> new Scored(name, distance(wanted, name)))
                .sorted(Comparator.comparingInt(Scored::distance).thenComparing(Scored::name))
                .limit(3)
                .map(Scored::name)
                .toList();
    }

    /// Levenshtein distance, one row at a time.
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j < row.length; j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j < row.length; j++) {
                int replace = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replace, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[b.length()];
    }
}
