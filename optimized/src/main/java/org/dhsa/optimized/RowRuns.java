package org.dhsa.optimized;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
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
///     work = Σ over tiles (TILE + |union of the lists|) + Σ over rows read alone |list| / ALONE        the least is taken
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

    /// What a tile costs before its first key, in keys: queries are transposed on the way in, results on the way out.
    private static final int TILE = 32;

    /// How many keys of one row are read in the time that a tile takes for one key.
    private static final int ALONE = 4;

    private final AttentionRule rule;
    private final int keyLen;
    private final int columns;
    private final int longest;
    private final List<Run> runs = new ArrayList<>();

    /// @param columns rows of a tile, at most 32
    /// @param longest rows of a run at most
    private RowRuns(AttentionRule rule, int keyLen, int columns, int longest) {
        this.rule = rule;
        this.keyLen = keyLen;
        this.columns = columns;
        this.longest = longest;
    }

    /// Rows that read every visible key.
    static List<Run> dense(AttentionRule rule, int queryLen, int keyLen, int columns, int longest) {
        RowRuns all = new RowRuns(rule, keyLen, columns, longest);
        all.add(0, queryLen, null);
        return all.runs;
    }

    static List<Run> sparse(KeySelection selection, AttentionRule rule, int queryLen, int keyLen, int columns, int longest, Workers workers) {
        RowRuns all = new RowRuns(rule, keyLen, columns, longest);
        int start = rule.queryStart();
        List<Run> few = new ArrayList<>();
        for (int b = 0; b < selection.blocks().size(); b++) {
            QueryBlocks.Block block = selection.queryBlocks().blocks().get(b);
            int from = Math.max(start, block.start()) - start;
            int to = Math.min(start + queryLen, block.end()) - start;
            int[] list = selection.blocks().get(b).keys();
            if (to - from > columns) {
                all.join(few, workers);
                few.clear();
                all.add(from, to, list);
            } else if (from < to) {
                few.add(new Run(from, to, list, null, false));
            }
        }
        all.join(few, workers);
        all.add(Math.max(start, selection.queryBlocks().denseFrom()) - start, queryLen, null);
        return all.runs;
    }

    private void add(int from, int to, int[] list) {
        for (int at = from; at < to; at += longest) {
            runs.add(new Run(at, Math.min(to, at + longest), list, null, false));
        }
    }

    /// Adjoining blocks of at most a tile's rows, joined where that is less work.
    private void join(List<Run> blocks, Workers workers) {
        if (blocks.isEmpty()) {
            return;
        }
        int[] before = new int[blocks.size() + 1];
        boolean[] alone = new boolean[blocks.size() + 1];
        cut(blocks, before, alone);
        List<List<Run>> groups = new ArrayList<>();
        for (int end = blocks.size(); end > 0; end = before[end]) {
            Run last = blocks.get(end - 1);
            groups.add(alone[end] ? List.of(new Run(last.from, last.to, last.list, null, true)) : blocks.subList(before[end], end));
        }
        Run[] joined = new Run[groups.size()];
        Union[] scratch = new Union[workers.threads()];
        workers.run(joined.length, (task, worker) -> {
            List<Run> group = groups.get(joined.length - 1 - task);
            if (group.size() > 1 && scratch[worker] == null) {
                scratch[worker] = new Union();
            }
            joined[task] = group.size() == 1 ? group.getFirst() : scratch[worker].of(group);
        });
        runs.addAll(Arrays.asList(joined));
    }

    /// Finds the cuts with the least work: `before[end]` is where the run that ends in front of block `end` begins.
    private void cut(List<Run> blocks, int[] before, boolean[] alone) {
        long[] work = new long[blocks.size() + 1];
        int[] union = new int[blocks.size()];
        int[] lastBlock = new int[keyLen];
        Arrays.fill(lastBlock, -1);
        int earliest = 0;
        for (int i = 0; i < blocks.size(); i++) {
            Run block = blocks.get(i);
            // fresh[d]: keys that were listed d blocks before for the last time
            int[] fresh = new int[columns + 1];
            int keys = 0;
            int distinct = 0;
            int first = firstSeen(block.from);
            int last = lastSeen(block.to - 1);
            for (int position : block.list) {
                if (position >= first && position <= last) {
                    int row = position - rule.keyStart();
                    keys++;
                    if (lastBlock[row] != i) {
                        distinct++;
                        fresh[lastBlock[row] < 0 ? columns : Math.min(columns, i - lastBlock[row])]++;
                        lastBlock[row] = i;
                    }
                }
            }
            int rows = block.to - block.from;
            work[i + 1] = work[i] + Math.min(rows * (long) keys, ALONE * (long) (TILE + keys));
            before[i + 1] = i;
            alone[i + 1] = rows * (long) keys < ALONE * (long) (TILE + keys);
            if (distinct < keys) {
                earliest = i + 1;
            }
            int added = distinct;
            for (int j = i; j >= earliest && block.to - blocks.get(j).from <= columns; j--) {
                union[j] += added;
                long together = work[j] + ALONE * (long) (TILE + union[j]);
                if (j < i && together < work[i + 1]) {
                    work[i + 1] = together;
                    before[i + 1] = j;
                    alone[i + 1] = false;
                }
                added -= fresh[i - j + 1];
            }
        }
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
        private final BitSet listed = new BitSet(keyLen);

        Run of(List<Run> group) {
            int start = group.getFirst().from;
            int reach = reach(rule);
            for (Run block : group) {
                int rows = block.to - block.from;
                int first = firstSeen(block.from);
                int last = lastSeen(block.to - 1);
                for (int position : block.list) {
                    if (position >= first && position <= last) {
                        int row = position - rule.keyStart();
                        bits[row] |= seen(position, rule.queryStart() + block.from, rows, reach) << block.from - start;
                        listed.set(row);
                    }
                }
            }
            int[] keys = new int[listed.cardinality()];
            int[] members = new int[keys.length];
            int n = 0;
            for (int row = listed.nextSetBit(0); row >= 0; row = listed.nextSetBit(row + 1)) {
                keys[n] = rule.keyStart() + row;
                members[n++] = bits[row];
                bits[row] = 0;
            }
            listed.clear();
            return new Run(start, group.getLast().to, keys, members, false);
        }
    }
}
