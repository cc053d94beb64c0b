package org.dhsa.policy;

import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;

/// Kept columns and kept diagonals, as lists of keys.
///
///     key j for rows [s, e)  ⇔  column j is kept, or a kept distance d has s ≤ j + d < e
///
/// For blocks of one row that is the exact pattern; rows of a longer block read each diagonal as a band as wide as their block.
final class Lines {

    private final boolean[] columns;
    /// kept distances below d
    private final int[] kept;

    /// @param columns   by key position
    /// @param distances by distance
    Lines(boolean[] columns, boolean[] distances) {
        this.columns = columns;
        this.kept = new int[distances.length + 1];
        for (int d = 0; d < distances.length; d++) {
            kept[d + 1] = kept[d] + (distances[d] ? 1 : 0);
        }
    }

    boolean read(QueryBlocks.Block rows, int key) {
        int nearest = Math.max(0, rows.start() - key);
        int farthest = rows.end() - 1 - key;
        return columns[key] || kept[farthest + 1] > kept[nearest];
    }

    /// Which of `length` lines a choice of them keeps.
    static boolean[] flags(BlockSelection choice, int length) {
        boolean[] flags = new boolean[length];
        for (int line : choice.keys()) {
            flags[line] = true;
        }
        return flags;
    }

    /// The visible keys of a block that pass a test.
    static BlockSelection where(LayerState layer, QueryBlocks.Block rows, IntPredicate key) {
        return Lists.byPosition(IntStream.range(layer.firstVisible(rows.start()), rows.end()).filter(key).toArray());
    }

    KeySelection lists(LayerState layer, QueryBlocks blocks) {
        return Lists.each(blocks, rows -> where(layer, rows, j -> read(rows, j)));
    }
}
