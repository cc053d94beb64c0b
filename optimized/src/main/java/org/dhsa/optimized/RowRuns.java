package org.dhsa.optimized;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;

/// Cuts the query rows of a layer into runs that are read together.
///
/// Rows that share a list fill tiles of their own. Rows with a list each would leave all lanes of a tile but one empty, so
/// adjoining ones share a tile over the *union* of their lists, ascending, with a word of bits for each key: bit j is set
/// where row j lists the key and sees it. Where they share too little, they are read one by one, with lanes along headDim.
/// Which of the two, and where the cuts are, is counted:
///
///     work = ALONE · Σ over tiles (TILE + |union of the lists|) + Σ over rows read alone (ROW + |list|)        the least is taken
///
/// The size of the union of blocks j … i is known without making it: a key of block i is new where no block from j on
/// listed it, so it is enough to remember which block listed each key last. A list that holds a key twice joins no
/// union: the key counts twice in the softmax, and one bit cannot say so.
///
/// The cuts depend on the lists and the width of a tile, never on threads.
final class RowRuns {

    /// Adjoining query rows `[from, to)`, counted from the first query, that are read together.
    ///
    /// @param list    positions of their keys; null for every visible key
    /// @param members for each key of the list the rows that read it, bit `row − from`; null where all rows read what they see
    /// @param alone   true for rows that are read one by one
    record Run(int from, int to, int[] list, int[] members, boolean alone) {}

    /// How many keys a row reads alone in the time that a tile takes for one.
    static final int ALONE = 3;

    /// What a tile costs before its first key, in keys: queries are transposed on the way in, results on the way out.
    static final int TILE = 64;

    /// What a row alone costs before its first key, in keys.
    static final int ROW = 16;

    private final AttentionRule rule;
    private final int queryLen;
    private final int keyLen;
    private final int columns;
    private final int longest;
    private final List<Run> runs = new ArrayList<>();

    /// @param columns rows of a tile, at most 32
    /// @param longest rows of a run at most
    RowRuns(AttentionRule rule, int queryLen, int keyLen, int columns, int longest) {
        this.rule = rule;
        this.queryLen = queryLen;
        this.keyLen = keyLen;
        this.columns = columns;
        this.longest = longest;
    }

    /// All rows read every visible key.
    List<Run> dense() {
        add(0, queryLen, null, false);
        return runs;
    }

    /// Every list by itself.
    List<Run> apart(KeySelection selection) {
        blocks(selection).forEach(block -> add(block.from, block.to, block.list, false));
        add(denseFrom(selection), queryLen, null, false);
        return runs;
    }

    /// Lists joined where that is less work.
    List<Run> joined(KeySelection selection, Workers workers) {
        join(blocks(selection), workers);
        add(denseFrom(selection), queryLen, null, false);
        return runs;
    }

    private int denseFrom(KeySelection selection) {
        return Math.max(rule.queryStart(), selection.queryBlocks().denseFrom()) - rule.queryStart();
    }

    private List<Run> blocks(KeySelection selection) {
        int start = rule.queryStart();
        List<Run> blocks = new ArrayList<>();
        for (int b = 0; b < selection.blocks().size(); b++) {
            QueryBlocks.Block block = selection.queryBlocks().blocks().get(b);
            int from = Math.max(start, block.start()) - start;
            int to = Math.min(start + queryLen, block.end()) - start;
            if (from < to) {
                blocks.add(new Run(from, to, selection.blocks().get(b).keys(), null, false));
            }
        }
        return blocks;
    }

    private void add(int from, int to, int[] list, boolean alone) {
        for (int at = from; at < to; at += longest) {
            runs.add(new Run(at, Math.min(to, at + longest), list, null, alone));
        }
    }

    /// Adds adjoining blocks, joined where that is less work.
    private void join(List<Run> blocks, Workers workers) {
        int[] before = new int[blocks.size() + 1];
        boolean[] alone = new boolean[blocks.size() + 1];
        cut(blocks, before, alone);
        int[] after = new int[blocks.size()];
        for (int end = blocks.size(); end > 0; end = before[end]) {
            after[before[end]] = end;
        }
        List<Integer> unions = new ArrayList<>();
        List<List<Run>> groups = new ArrayList<>();
        for (int b = 0; b < blocks.size(); b = after[b]) {
            Run block = blocks.get(b);
            if (after[b] == b + 1) {
                add(block.from, block.to, block.list, alone[b + 1]);
            } else {
                unions.add(runs.size());
                groups.add(blocks.subList(b, after[b]));
                runs.add(null);
            }
        }
        Union[] scratch = new Union[workers.threads()];
        workers.run(unions.size(), (task, worker) -> {
            if (scratch[worker] == null) {
                scratch[worker] = new Union();
            }
            runs.set(unions.get(task), scratch[worker].of(groups.get(task)));
        });
    }

    /// Finds the cuts with the least work: `before[end]` is where the run that ends in front of block `end` begins.
    private void cut(List<Run> blocks, int[] before, boolean[] alone) {
        long[] work = new long[blocks.size() + 1];
        int[] union = new int[blocks.size()];
        int[] lastBlock = new int[keyLen];
        Arrays.fill(lastBlock, -columns);
        int earliest = 0;
        for (int i = 0; i < blocks.size(); i++) {
            Run block = blocks.get(i);
            int rows = block.to - block.from;
            int[] since = since(block, i, lastBlock);
            int keys = Arrays.stream(since).sum();
            long inTiles = (rows + columns - 1) / columns * tileWork(keys);
            long byRow = rows * (long) (ROW + keys);
            before[i + 1] = i;
            alone[i + 1] = byRow < inTiles;
            work[i + 1] = work[i] + Math.min(byRow, inTiles);
            if (since[0] > 0) {
                earliest = i + 1;
            }
            int added = keys - since[0];
            for (int j = i; j >= earliest && block.to - blocks.get(j).from <= columns; j--) {
                union[j] += added;
                if (j < i && work[j] + tileWork(union[j]) < work[i + 1]) {
                    before[i + 1] = j;
                    alone[i + 1] = false;
                    work[i + 1] = work[j] + tileWork(union[j]);
                }
                added -= since[i - j + 1];
            }
        }
    }

    private static long tileWork(int keys) {
        return ALONE * (long) (TILE + keys);
    }

    /// How many keys of block i were listed d blocks before for the last time: `[d]` up to `columns`, which also counts what is
    /// longer ago or new. `[0]` counts repetitions inside the block.
    ///
    /// @param lastBlock for each row of the cache the last block that listed it (overwritten)
    private int[] since(Run block, int i, int[] lastBlock) {
        int[] since = new int[columns + 1];
        int first = firstSeen(block.from);
        int last = lastSeen(block.to - 1);
        int keyStart = rule.keyStart();
        int one = 0;
        for (int position : block.list) {
            if (position >= first && position <= last) {
                int ago = i - lastBlock[position - keyStart];
                lastBlock[position - keyStart] = i;
                if (ago == 1) {
                    one++;
                } else {
                    since[Math.min(columns, ago)]++;
                }
            }
        }
        since[1] += one;
        return since;
    }

    private int firstSeen(int row) {
        return Math.max(rule.keyStart(), rule.visibility().first(rule.queryStart() + row));
    }

    private int lastSeen(int row) {
        return Math.min(rule.queryStart() + row, rule.keyStart() + keyLen - 1);
    }

    /// Which rows see a key by position alone: bit j for the row at `position + j`.
    ///
    /// @param reach keys that a row sees, its own included, [#reach]
    static int seen(int key, int position, int rows, int reach) {
        int from = Math.max(0, key - position);
        long to = Math.min(rows - 1L, (long) key + reach - 1 - position);
        return from > to ? 0 : -1 << from & -1 >>> 31 - to;
    }

    static int reach(AttentionRule rule) {
        return rule.visibility().isLocal() ? rule.visibility().window() + (rule.visibility().extraKey() ? 1 : 0) : Integer.MAX_VALUE;
    }

    /// Makes the union of the lists of a group; one for each thread.
    private final class Union {
        private final int[] bits = new int[keyLen];
        private final long[] listed = new long[(keyLen + 63) / 64];

        Run of(List<Run> group) {
            int start = group.getFirst().from;
            int reach = reach(rule);
            int keyStart = rule.keyStart();
            for (Run block : group) {
                int rows = block.to - block.from;
                int position = rule.queryStart() + block.from;
                int first = firstSeen(block.from);
                int last = lastSeen(block.to - 1);
                for (int key : block.list) {
                    if (key >= first && key <= last) {
                        int row = key - keyStart;
                        if (bits[row] == 0) {
                            listed[row >> 6] |= 1L << row;
                        }
                        bits[row] |= (rows == 1 ? 1 : seen(key, position, rows, reach)) << block.from - start;
                    }
                }
            }
            int[] keys = new int[Arrays.stream(listed).mapToInt(Long::bitCount).sum()];
            int[] members = new int[keys.length];
            int n = 0;
            for (int w = 0; w < listed.length; w++) {
                for (long left = listed[w]; left != 0; left &= left - 1) {
                    int row = 64 * w + Long.numberOfTrailingZeros(left);
                    keys[n] = keyStart + row;
                    members[n++] = bits[row];
                    bits[row] = 0;
                }
                listed[w] = 0;
            }
            return new Run(start, group.getLast().to, keys, members, false);
        }
    }
}
