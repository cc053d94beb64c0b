package org.dhsa.testing;

import java.util.Arrays;
import java.util.function.BiPredicate;
import java.util.function.IntUnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.Visibility;

/// Little masks as text: `x` where a query reads a key, `.` where it does not, a digit where it reads it several times.
public final class Picture {

    private Picture() {}

    public static String of(int rows, int columns, BiPredicate<Integer, Integer> reads) {
        return IntStream.range(0, rows)
                .mapToObj(i -> IntStream.range(0, columns).mapToObj(j -> reads.test(i, j) ? "x" : ".").collect(Collectors.joining(" ")))
                .collect(Collectors.joining("\n"));
    }

    public static String of(boolean[][] mask) {
        return of(mask.length, mask[0].length, (i, j) -> mask[i][j]);
    }

    /// One row per query block: its list of keys.
    public static String ofLists(KeySelection selection, int keyLen) {
        return selection.blocks().stream()
                .map(block -> row(keyLen, j -> (int) Arrays.stream(block.keys()).filter(k -> k == j).count()))
                .collect(Collectors.joining("\n"));
    }

    /// One row per query: the keys of its block's list that it sees.
    public static String ofRows(KeySelection selection, Visibility visibility, int keyLen) {
        return IntStream.range(0, selection.blocks().size())
                .mapToObj(b -> IntStream.range(selection.queryBlocks().blocks().get(b).start(), selection.queryBlocks().blocks().get(b).end())
                        .mapToObj(q -> row(keyLen, j -> !visibility.sees(q, j) ? 0
                                : (int) Arrays.stream(selection.blocks().get(b).keys()).filter(k -> k == j).count()))
                        .collect(Collectors.joining("\n")))
                .collect(Collectors.joining("\n"));
    }

    private static String row(int keyLen, IntUnaryOperator times) {
        return IntStream.range(0, keyLen).map(times)
                .mapToObj(n -> n == 0 ? "." : n == 1 ? "x" : String.valueOf(n)).collect(Collectors.joining(" "));
    }
}
