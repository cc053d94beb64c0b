package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;

/// What a policy chose for one layer: one list of keys per query block, for all heads or for each head.
///
/// @param perHead        one selection for all query heads, or one for each of them
/// @param heads          query heads of the layer
/// @param selectionFlops floating-point operations spent on scoring (a multiply-add counts two); sorting is not counted
public record LayerSelection(List<KeySelection> perHead, int heads, long selectionFlops) {

    public LayerSelection {
        perHead = List.copyOf(perHead);
        if (perHead.size() != 1 && perHead.size() != heads) {
            throw new IllegalArgumentException("one selection, or one for each of " + heads + " heads, not " + perHead.size());
        }
        QueryBlocks first = perHead.getFirst().queryBlocks();
        for (KeySelection selection : perHead) {
            if (selection.queryBlocks().denseFrom() != first.denseFrom() || selection.queryBlocks().end() != first.end()) {
                throw new IllegalArgumentException("all heads must cover the same rows");
            }
        }
    }

    /// One list of keys per block for all heads.
    public static LayerSelection shared(KeySelection selection, int heads, long selectionFlops) {
        return new LayerSelection(List.of(selection), heads, selectionFlops);
    }

    /// True when all heads read the same keys.
    public boolean isShared() {
        return perHead.size() == 1;
    }

    public KeySelection of(int head) {
        return perHead.get(isShared() ? 0 : head);
    }

    /// Keys that one query row of one head reads: its list as far as it sees it, or every visible key in a dense row.
    ///
    /// A key listed twice is there twice, as it is in the softmax.
    public int[] keysOf(int head, int position, AttentionRule rule, int keyLen) {
        QueryBlocks blocks = of(head).queryBlocks();
        int first = Math.max(rule.keyStart(), rule.visibility().first(position));
        int last = Math.min(position, rule.keyStart() + keyLen - 1);
        if (position >= blocks.denseFrom()) {
            return IntStream.rangeClosed(first, last).toArray();
        }
        int[] list = of(head).blocks().get(blockOf(position, blocks)).keys();
        int count = 0;
        int[] keys = new int[list.length];
        for (int j : list) {
            if (j >= first && j <= last) {
                keys[count++] = j;
            }
        }
        return Arrays.copyOf(keys, count);
    }

    /// Query-key pairs that attention will read, every query head counted: exactly what the attention stage counts.
    public long pairs(AttentionRule rule, int keyLen) {
        List<Long> counts = new ArrayList<>();
        for (KeySelection selection : perHead) {
            counts.add(pairs(selection, rule, keyLen));
        }
        return isShared() ? Math.multiplyExact(counts.getFirst(), (long) heads) : counts.stream().mapToLong(Long::longValue).sum();
    }

    private static long pairs(KeySelection selection, AttentionRule rule, int keyLen) {
        QueryBlocks blocks = selection.queryBlocks();
        long pairs = 0;
        for (int b = 0; b < blocks.blocks().size(); b++) {
            QueryBlocks.Block block = blocks.blocks().get(b);
            for (int j : selection.blocks().get(b).keys()) {
                pairs += rowsThatSee(j, block.start(), block.end(), rule, keyLen);
            }
        }
        for (int position = blocks.denseFrom(); position < blocks.end(); position++) {
            int first = Math.max(rule.keyStart(), rule.visibility().first(position));
            pairs += Math.max(0, Math.min(position, rule.keyStart() + keyLen - 1) - first + 1);
        }
        return pairs;
    }

    /// Rows of `[start, end)` that see key j: those from j on, and with a window not too far behind it.
    static long rowsThatSee(int j, int start, int end, AttentionRule rule, int keyLen) {
        if (j < rule.keyStart() || j >= rule.keyStart() + keyLen) {
            return 0;
        }
        int reach = rule.visibility().window() + (rule.visibility().extraKey() ? 1 : 0);
        long last = rule.visibility().isLocal() ? Math.min(end - 1L, j + reach - 1L) : end - 1L;
        return Math.max(0, last - Math.max(start, j) + 1);
    }

    private static int blockOf(int position, QueryBlocks blocks) {
        int low = 0;
        int high = blocks.blocks().size() - 1;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (blocks.blocks().get(middle).start() <= position) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }
}
