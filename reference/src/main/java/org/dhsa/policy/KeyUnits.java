package org.dhsa.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;

/// Keys of a layer cut into units (blocks, pages, chunks) that a policy reads whole or not at all, and the blocks of rows that choose among them.
///
///     keys(i) = { j in the kept units of block i : a row of block i sees j }
///
/// @param layer  whose keys these are
/// @param rows   blocks of query rows that share a list
/// @param bounds of the units, as rows of the cache: unit u holds positions `keyStart + bounds.start(u)` to `keyStart + bounds.end(u) − 1`
record KeyUnits(LayerState layer, QueryBlocks rows, Boundaries bounds) {

    /// Units of `size` keys by absolute position: on a local layer the oldest is what the cache still has of it.
    static KeyUnits fixed(LayerState layer, int rowBlock, int size) {
        int start = layer.rule().keyStart();
        int end = layer.end();
        return new KeyUnits(layer, layer.blocks(rowBlock), Boundaries.of(IntStream.concat(IntStream.concat(IntStream.of(0),
                IntStream.iterate((start / size + 1) * size, b -> b < end, b -> b + size).map(b -> b - start)), IntStream.of(end - start)).toArray()));
    }

    int units() {
        return bounds.chunks();
    }

    /// Unit that holds a position.
    int unitOf(int position) {
        return bounds.chunkOf(position - layer.rule().keyStart());
    }

    /// First unit with a key that a row of the block sees.
    int first(QueryBlocks.Block block) {
        return unitOf(layer.firstVisible(block.start()));
    }

    /// Unit of the block's last row: the last with a key that it sees.
    int last(QueryBlocks.Block block) {
        return unitOf(block.end() - 1);
    }

    /// Positions of a unit that a row of the block sees, ascending; none outside its reach.
    IntStream visible(int unit, QueryBlocks.Block block) {
        int start = layer.rule().keyStart();
        return IntStream.range(Math.max(layer.firstVisible(block.start()), start + bounds.start(unit)), Math.min(block.end(), start + bounds.end(unit)));
    }

    /// Lists of whole units.
    ///
    /// @param kept `[blocks of rows][units]`
    KeySelection keep(boolean[][] kept) {
        List<BlockSelection> lists = new ArrayList<>();
        for (QueryBlocks.Block block : rows.blocks()) {
            boolean[] row = kept[lists.size()];
            lists.add(Lists.byPosition(IntStream.range(0, units()).filter(u -> row[u]).flatMap(u -> visible(u, block)).toArray()));
        }
        return new KeySelection(rows, lists);
    }
}
