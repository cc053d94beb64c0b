package org.dhsa.cli;

import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/// Reads one of a few names: any case, `-` or `_`; of a name of several words the first ones will do where they fit only one
/// (`bf16` for `bf16-rounded`). Offers the nearest otherwise.
public final class Choice<E extends Enum<E>> implements ITypeConverter<E> {

    private final Class<E> type;

    Choice(Class<E> type) {
        this.type = type;
    }

    @Override
    public E convert(String value) {
        List<E> all = List.of(type.getEnumConstants());
        String wanted = name(value);
        List<E> exact = all.stream().filter(e -> name(e.name()).equals(wanted)).toList();
        List<E> fitting = exact.isEmpty() ? all.stream().filter(e -> name(e.name()).startsWith(wanted + "-")).toList() : exact;
        if (fitting.size() == 1 && !wanted.isEmpty()) {
            return fitting.getFirst();
        }
        throw new TypeConversionException(unknown(value, all.stream().map(e -> name(e.name())).toList()));
    }

    /// `MEAN_SQRT_LENGTH` as it is written on the command line: `mean-sqrt-length`.
    static String name(String constant) {
        return constant.strip().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /// `"dens" is not known; did you mean dense? There are: dense, dhsa`.
    public static String unknown(String value, Collection<String> known) {
        String nearest = known.stream().min(Comparator.comparingInt(k -> farness(value, k))).orElse("");
        boolean near = farness(value, nearest) <= Math.max(2, value.length() / 3);
        return "\"" + value + "\" is not known" + (near ? "; did you mean " + nearest + "?" : ".")
                + " There " + (known.size() == 1 ? "is only: " : "are: ") + String.join(", ", known);
    }

    /// Edit distance to the name or, a little further, to its beginning.
    private static int farness(String value, String known) {
        return Math.min(distance(value, known), 1 + distance(value, known.substring(0, Math.min(value.length(), known.length()))));
    }

    /// Edit distance, ignoring case.
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        Arrays.setAll(row, j -> j);
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j < row.length; j++) {
                boolean same = Character.toLowerCase(a.charAt(i - 1)) == Character.toLowerCase(b.charAt(j - 1));
                int replaced = diagonal + (same ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[b.length()];
    }
}
