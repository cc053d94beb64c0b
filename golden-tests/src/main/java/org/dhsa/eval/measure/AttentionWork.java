package org.dhsa.eval.measure;

import org.dhsa.model.LayerKind;
import org.dhsa.policy.LayerSelection;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;

/// What attention of one layer costs under a selection, as exact integers.
///
/// @param pairsRead      query-key pairs, every query head counted
/// @param pairsVisible   pairs that dense attention reads
/// @param attentionFlops 4 · headDim per pair: the dot product and the weighted sum; soft cap and softmax are not counted
/// @param selectionFlops what the policy spent on scoring
/// @param elementsLoaded numbers of K and V that a kernel loads which reads each list once per KV head (once per query head where heads choose
///                       for themselves); dense rows are read in tiles of [#DENSE_TILE]. Times the size of a number: bytes
public record AttentionWork(int layer, LayerKind kind, long pairsRead, long pairsVisible, long attentionFlops, long selectionFlops,
                            long elementsLoaded) {

    /// Dense rows that share one reading of the keys.
    public static final int DENSE_TILE = 128;

    public static AttentionWork of(int layer, LayerKind kind, LayerSelection selection, AttentionRule rule, int keyLen, int kvHeads, int headDim) {
        long pairs = selection.pairs(rule, keyLen);
        long visible = 0;
        QueryBlocks rows = selection.of(0).queryBlocks();
        for (int position = rule.queryStart(); position < rows.end(); position++) {
            visible += position - first(rule, position) + 1;
        }
        long listed = 0;
        for (KeySelection one : selection.perHead()) {
            for (KeySelection.BlockSelection block : one.blocks()) {
                listed += block.keys().length;
            }
        }
        long dense = 0;
        for (int from = rows.denseFrom(); from < rows.end(); from += DENSE_TILE) {
            dense += Math.min(rows.end(), from + DENSE_TILE) - first(rule, from);
        }
        long loadedRows = (selection.isShared() ? listed * kvHeads : listed) + dense * kvHeads;
        return new AttentionWork(layer, kind, pairs, visible * selection.heads(), Math.multiplyExact(pairs, 4L * headDim),
                selection.selectionFlops(), Math.multiplyExact(loadedRows, 2L * headDim));
    }

    private static int first(AttentionRule rule, int position) {
        return Math.max(rule.keyStart(), rule.visibility().first(position));
    }

    /// Share of the visible pairs that was read: the real density, not the nominal one.
    public double density() {
        return pairsVisible == 0 ? 1 : (double) pairsRead / pairsVisible;
    }

    public long bytesLoaded(int bytesPerElement) {
        return Math.multiplyExact(elementsLoaded, (long) bytesPerElement);
    }
}
