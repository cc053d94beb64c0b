package org.dhsa.policy;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;

/// Small tools that policies share: making lists of keys, and the one order of equal scores.
final class Lists {

    private Lists() {}

    /// A list that position alone decides: every key of it was forced.
    static BlockSelection byPosition(int[] keys) {
        return new BlockSelection(keys, keys.length, 0, Double.NaN, Double.POSITIVE_INFINITY, 0, new int[0]);
    }

    static KeySelection each(QueryBlocks blocks, Function<QueryBlocks.Block, BlockSelection> list) {
        return new KeySelection(blocks, blocks.blocks().stream().map(list).toList());
    }

    /// The `count` best of the candidates `[first, first + scores.length)`; equal scores lowest position first.
    static BlockSelection best(double[] scores, int first, int count) {
        int taken = Math.min(count, scores.length);
        if (taken <= 0) {
            return byPosition(new int[0]);
        }
        double[] ascending = scores.clone();
        Arrays.sort(ascending);
        double threshold = ascending[scores.length - taken];
        double margin = taken < scores.length ? threshold - ascending[scores.length - taken - 1] : Double.POSITIVE_INFINITY;
        int greater = (int) Arrays.stream(scores).filter(s -> s > threshold).count();
        int[] ties = IntStream.range(0, scores.length).filter(j -> scores[j] == threshold).map(j -> first + j).toArray();
        int[] keys = new int[taken];
        int n = 0;
        int tiesLeft = taken - greater;
        for (int j = 0; j < scores.length; j++) {
            if (scores[j] > threshold || scores[j] == threshold && tiesLeft-- > 0) {
                keys[n++] = first + j;
            }
        }
        return new BlockSelection(keys, 0, taken, threshold, margin, greater, ties);
    }

    /// Indices by falling score, equal scores lowest index first.
    static List<Integer> ranked(double[] scores) {
        return IntStream.range(0, scores.length).boxed()
                .sorted(Comparator.<Integer>comparingDouble(i -> 0.0 - scores[i]).thenComparing(Comparator.naturalOrder()))
                .toList();
    }

    static void notNegative(String field, int value) {
        if (value < 0) {
            throw new IllegalArgumentException(field + " must be at least 0, was " + value);
        }
    }

    /// A share above 0 and at most 1.
    static void share(String field, double value) {
        if (!(value > 0 && value <= 1)) {
            throw new IllegalArgumentException(field + " must be above 0 and at most 1, was " + value);
        }
    }

    static void positive(String field, int value) {
        if (value <= 0) {
            throw new IllegalArgumentException(field + " must be positive, was " + value);
        }
    }
}
