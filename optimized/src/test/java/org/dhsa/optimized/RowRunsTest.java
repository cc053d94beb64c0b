package org.dhsa.optimized;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.dhsa.backend.Backend;
import org.dhsa.optimized.RowRuns.Run;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Rows with a list each, read as one tile over the union of their keys: the runs are right and the cheapest, and the results are
/// those of FP64 and of every row alone.
class RowRunsTest {

    private static final Backend REFERENCE = new ReferenceBackend();
    private static final Backend SCALAR = OptimizedBackend.scalar(1);
    private static final OptimizedBackend FAST = new OptimizedBackend(3);
    private static final int COLUMNS = KernelChoice.best().columns();

    @AfterAll
    static void close() {
        SCALAR.close();
        FAST.close();
        ThreeRungs.report("lists per row, " + FAST.description());
    }

    /// What lists of neighbours have in common.
    enum Kind {
        /// The first keys and the last ones.
        STREAMING {
            @Override
            IntStream keys(SplittableRandom random, int row) {
                return IntStream.concat(IntStream.range(0, Math.min(3, Math.max(0, row - 39))), IntStream.rangeClosed(Math.max(0, row - 39), row));
            }
        },
        /// Nothing: read row by row, where there are enough rows.
        BY_CHANCE {
            @Override
            IntStream keys(SplittableRandom random, int row) {
                return random.ints(6, 0, row + 1).distinct().sorted();
            }
        },
        /// Much within a dozen rows, little beyond.
        DRIFTING {
            @Override
            IntStream keys(SplittableRandom random, int row) {
                return IntStream.concat(new SplittableRandom(row / 12).ints(90, 0, row + 1), random.ints(3, 0, row + 1)).distinct().sorted();
            }
        },
        /// Out of order; some rows list nothing, some only keys that they do not see, some a key three times.
        WILD {
            @Override
            IntStream keys(SplittableRandom random, int row) {
                return switch (row % 13) {
                    case 3, 4 -> IntStream.empty();
                    case 7 -> IntStream.of(row + 1, row + 2);
                    case 9 -> IntStream.of(row, row / 2, row, 0, row, row / 2);
                    default -> random.ints(50, 0, row + 3).distinct();
                };
            }
        };

        abstract IntStream keys(SplittableRandom random, int row);

        /// One list for each block; blocks of one row, or of one to four in turn.
        KeySelection select(long seed, int denseFrom, int end, boolean single) {
            SplittableRandom random = new SplittableRandom(seed);
            List<QueryBlocks.Block> blocks = new ArrayList<>();
            for (int start = 0; start < denseFrom; start = blocks.getLast().end()) {
                int to = Math.min(denseFrom, start + (single ? 1 : 1 + blocks.size() % 4));
                blocks.add(new QueryBlocks.Block(start, to, to, 0));
            }
            return new KeySelection(new QueryBlocks(blocks, denseFrom, end), blocks.stream().map(block -> {
                int[] keys = keys(random, block.end() - 1).toArray();
                return new BlockSelection(keys, keys.length, 0, Double.NaN, Double.POSITIVE_INFINITY, 0, new int[0]);
            }).toList());
        }
    }

    private static List<Run> runs(KeySelection selection, AttentionRule rule, int queryLen, int keyLen, int columns) {
        try (Workers workers = new Workers(2)) {
            return new RowRuns(rule, queryLen, keyLen, columns, 2 * columns).joined(selection, workers);
        }
    }

    // ---------------------------------------------------------------- the runs

    /// Every row stands in one run, and through it reads the keys of its list that it sees, as often as they are listed.
    @ParameterizedTest
    @EnumSource
    void everyRowReadsItsListAndNothingElse(Kind kind) {
        for (int columns : new int[] {8, 32}) {
            for (int[] c : new int[][] {{97, 0, 0, 97}, {60, 37, 0, 97}, {60, 37, 20, 77}, {31, 0, 0, 20}}) {
                for (int window : new int[] {0, 1, 17}) {
                    AttentionRule rule = new AttentionRule(1, OptionalDouble.empty(), new Visibility(window, window == 17), c[1], c[2]);
                    int end = c[0] + c[1];
                    KeySelection selection = kind.select(columns, end - 5, end, window == 1);
                    int row = 0;
                    for (Run run : runs(selection, rule, c[0], c[3], columns)) {
                        assertThat(run.from()).isEqualTo(row);
                        assertThat(run.to()).isBetween(row + 1, row + 2 * columns);
                        for (; row < run.to(); row++) {
                            assertThat(reads(run, row, rule, c[3])).as("%s row %d of %s, window %d", kind, row, Arrays.toString(c), window)
                                    .isEqualTo(listed(selection, row, rule, c[3]));
                        }
                    }
                    assertThat(row).isEqualTo(c[0]);
                }
            }
        }
    }

    private static boolean sees(int row, int key, AttentionRule rule, int keyLen) {
        return rule.visibility().sees(rule.queryStart() + row, key) && key >= rule.keyStart() && key < rule.keyStart() + keyLen;
    }

    private static TreeMap<Integer, Integer> listed(KeySelection selection, int row, AttentionRule rule, int keyLen) {
        int position = rule.queryStart() + row;
        int[] keys = IntStream.rangeClosed(0, position).toArray();
        for (int b = 0; b < selection.blocks().size(); b++) {
            QueryBlocks.Block block = selection.queryBlocks().blocks().get(b);
            keys = block.start() <= position && position < block.end() ? selection.blocks().get(b).keys() : keys;
        }
        return counts(Arrays.stream(keys).filter(key -> sees(row, key, rule, keyLen)));
    }

    private static TreeMap<Integer, Integer> reads(Run run, int row, AttentionRule rule, int keyLen) {
        if (run.members() == null) {
            return counts((run.list() == null ? IntStream.rangeClosed(0, rule.queryStart() + row) : Arrays.stream(run.list()))
                    .filter(key -> sees(row, key, rule, keyLen)));
        }
        assertThat(run.list()).isSorted().doesNotHaveDuplicates();
        return counts(IntStream.range(0, run.list().length).filter(n -> (run.members()[n] >>> row - run.from() & 1) == 1).map(n -> run.list()[n]));
    }

    private static TreeMap<Integer, Integer> counts(IntStream keys) {
        TreeMap<Integer, Integer> counts = new TreeMap<>();
        keys.forEach(key -> counts.merge(key, 1, Integer::sum));
        return counts;
    }

    /// Trying all cuts of up to ten blocks finds none with less work.
    @ParameterizedTest
    @EnumSource
    void noOtherCutIsLessWork(Kind kind) {
        AttentionRule rule = new AttentionRule(1, OptionalDouble.empty(), Visibility.GLOBAL, 60, 0);
        for (int rows = 1; rows <= 10; rows++) {
            for (boolean single : new boolean[] {true, false}) {
                KeySelection selection = kind.select(rows, 60 + rows, 60 + rows, single);
                long least = least(selection, rule, rows, 0, 8, new long[rows + 1]);
                long taken = 0;
                for (Run run : runs(selection, rule, rows, 60 + rows, 8)) {
                    int keys = counts(Arrays.stream(run.list()).filter(key -> key < 60 + run.to())).values().stream().mapToInt(Integer::intValue).sum();
                    taken += run.alone() ? (run.to() - run.from()) * (long) (RowRuns.ROW + keys) : RowRuns.ALONE * (long) (RowRuns.TILE + keys);
                }
                assertThat(taken).as("%s, %d rows", kind, rows).isEqualTo(least);
            }
        }
    }

    /// Least work of the rows from `row` on, by definition.
    private static long least(KeySelection selection, AttentionRule rule, int rows, int row, int columns, long[] known) {
        if (row == rows || known[row] > 0) {
            return row == rows ? 0 : known[row];
        }
        List<QueryBlocks.Block> blocks = selection.queryBlocks().blocks();
        int first = IntStream.range(0, blocks.size()).filter(b -> blocks.get(b).end() > 60 + row).findFirst().orElseThrow();
        known[row] = Long.MAX_VALUE;
        TreeMap<Integer, Integer> union = new TreeMap<>();
        for (int b = first; b < blocks.size() && blocks.get(b).end() - 60 - row <= columns && (b == first || union.values().stream().allMatch(n -> n == 1)); b++) {
            int to = blocks.get(b).end() - 60;
            TreeMap<Integer, Integer> own = counts(Arrays.stream(selection.blocks().get(b).keys()).filter(key -> key < 60 + to));
            if (b > first && own.values().stream().anyMatch(n -> n > 1)) {
                break;
            }
            own.forEach((key, n) -> union.merge(key, n, Math::max));
            int keys = union.values().stream().mapToInt(Integer::intValue).sum();
            long work = RowRuns.ALONE * (long) (RowRuns.TILE + keys);
            if (b == first) {
                work = Math.min(work, (to - row) * (long) (RowRuns.ROW + keys));
            }
            known[row] = Math.min(known[row], work + least(selection, rule, rows, to, columns, known));
        }
        return known[row];
    }

    @Test
    void aSlidingWindowFillsEveryTile() {
        AttentionRule rule = new AttentionRule(1, OptionalDouble.empty(), Visibility.GLOBAL, 0, 0);
        List<Run> runs = runs(Kind.STREAMING.select(1, 128, 128, true), rule, 128, 128, 32);
        assertThat(runs).extracting(Run::to).containsExactly(32, 64, 96, 128);
        // three first keys, 39 before the tile's first row and its own 32
        assertThat(runs).extracting(run -> run.list().length).containsExactly(32, 64, 3 + 71, 3 + 71);
    }

    @Test
    void listsWithNothingInCommonAreReadRowByRow() {
        AttentionRule rule = new AttentionRule(1, OptionalDouble.empty(), Visibility.GLOBAL, 4000, 0);
        QueryBlocks blocks = new QueryBlocks(IntStream.range(4000, 4032).mapToObj(p -> new QueryBlocks.Block(p, p + 1, p + 1, 0)).toList(), 4032, 4032);
        KeySelection apart = new KeySelection(blocks, IntStream.range(0, 32).mapToObj(row -> new BlockSelection(IntStream.range(0, 100).map(n -> n * 40 + row).toArray(),
                100, 0, 0, 0, 0, new int[0])).toList());
        assertThat(runs(apart, rule, 32, 4032, 32)).hasSize(32).allMatch(Run::alone);
    }

    // ---------------------------------------------------------------- the results

    private static BlockSelection listOf(KeySelection selection, int position) {
        List<QueryBlocks.Block> blocks = selection.queryBlocks().blocks();
        return selection.blocks().get(IntStream.range(0, blocks.size()).filter(b -> position < blocks.get(b).end()).findFirst().orElseThrow());
    }

    @ParameterizedTest
    @EnumSource
    void tilesOverUnionsAgreeWithEveryRowAloneAndWithFp64(Kind kind) {
        SplittableRandom random = new SplittableRandom(kind.ordinal());
        OptionalDouble[] caps = {OptionalDouble.empty(), OptionalDouble.of(50), OptionalDouble.of(100)};
        int turn = kind.ordinal();
        for (int length : new int[] {1, 2, COLUMNS - 1, COLUMNS + 1, 67}) {
            // far enough for unions of more keys than attention takes at once
            int start = length == 67 ? 400 : 29;
            for (int window : new int[] {0, 9}) {
                for (boolean bf16 : new boolean[] {false, true}) {
                    compare(kind, random, length, new AttentionRule(0.25, caps[turn++ % 3], new Visibility(window, false), start, window == 0 ? 0 : start - 9), bf16);
                }
            }
        }
    }

    private static void compare(Kind kind, SplittableRandom random, int length, AttentionRule rule, boolean bf16) {
        int headDim = 20;
        int end = rule.queryStart() + length;
        int keyLen = end - rule.keyStart();
        String where = kind + " length " + length + " window " + rule.visibility().window() + " " + rule.softCap() + (bf16 ? " bf16" : "");
        DoubleTensor query = Floats.tensor(random, 2, "heads", 6, "queryLen", length, "headDim", headDim);
        Tensor key = cached(Floats.tensor(random, 2, "kvHeads", 2, "keyLen", keyLen, "headDim", headDim), bf16);
        Tensor value = cached(Floats.tensor(random, 1, "kvHeads", 2, "keyLen", keyLen, "headDim", headDim), bf16);
        KeySelection selection = kind.select(length, end, end, length % 2 == 1);
        SparseAttention.Input in = new SparseAttention.Input(Floats.scattered(query), key, value, selection, rule);
        SparseAttention.Output truth = REFERENCE.sparseAttention().apply(in);
        SparseAttention.Output fast = FAST.sparseAttention().apply(in);
        double[] expected = truth.context().toDouble().data();
        double[] tiles = fast.context().toDouble().data();
        double floor = ThreeRungs.FLOOR + 4 * headDim * rule.scale() * 0x1p-24;
        assertThat(fast.pairsRead()).as(where).isEqualTo(truth.pairsRead());
        ThreeRungs.check("tiles over unions", where, expected, SCALAR.sparseAttention().apply(in).context().toDouble().data(), tiles, floor);
        double[] alone = new double[expected.length];
        for (int row = 0; row < length; row++) {
            DoubleTensor one = DoubleTensor.zeros(org.dhsa.tensor.Shape.of("heads", 6, "queryLen", 1, "headDim", headDim));
            for (int h = 0; h < 6; h++) {
                System.arraycopy(query.data(), (h * length + row) * headDim, one.data(), h * headDim, headDim);
            }
            int position = rule.queryStart() + row;
            double[] context = FAST.sparseAttention().apply(new SparseAttention.Input(Floats.scattered(one), key, value,
                    new KeySelection(QueryBlocks.single(position), List.of(listOf(selection, position))),
                    new AttentionRule(rule.scale(), rule.softCap(), rule.visibility(), position, rule.keyStart()))).context().toDouble().data();
            for (int h = 0; h < 6; h++) {
                System.arraycopy(context, h * headDim, alone, (h * length + row) * headDim, headDim);
            }
        }
        ThreeRungs.check("tiles over unions, rows alone as baseline", where, expected, alone, tiles, floor);
    }

    private static Tensor cached(DoubleTensor rows, boolean bf16) {
        if (!bf16) {
            return Floats.scattered(rows);
        }
        org.dhsa.model.LayerKind kind = new org.dhsa.model.LayerKind.Global();
        RollingLayerCache cache = new RollingLayerCache(rows.shape().extent(0), rows.shape().extent(2), kind, true);
        cache.append(Floats.scattered(rows), Floats.scattered(rows));
        return cache.keys();
    }

    @ParameterizedTest
    @ValueSource(strings = {"best", "scalar"})
    void theSameBitsForAnyNumberOfThreads(String kernels) {
        for (Kind kind : Kind.values()) {
            SplittableRandom random = new SplittableRandom(3);
            AttentionRule rule = new AttentionRule(0.25, OptionalDouble.of(50), Visibility.GLOBAL, 0, 0);
            SparseAttention.Input in = new SparseAttention.Input(Floats.tensor(random, 2, "heads", 4, "queryLen", 150, "headDim", 12),
                    Floats.tensor(random, 2, "kvHeads", 2, "keyLen", 150, "headDim", 12), Floats.tensor(random, 2, "kvHeads", 2, "keyLen", 150, "headDim", 12),
                    kind.select(5, 141, 150, false), rule);
            double[] one = null;
            for (int threads : new int[] {1, 2, 8}) {
                try (Backend backend = kernels.equals("scalar") ? OptimizedBackend.scalar(threads) : new OptimizedBackend(threads)) {
                    double[] context = backend.sparseAttention().apply(in).context().toDouble().data();
                    one = one == null ? context : one;
                    assertThat(context).as("%s, %d threads", kind, threads).isEqualTo(one);
                }
            }
        }
    }

    /// A key that is no number is read by the rows that list it, and by no other row of its tile.
    @Test
    void aNaNKeyReachesOnlyTheRowsThatListIt() {
        for (OptionalDouble cap : new OptionalDouble[] {OptionalDouble.empty(), OptionalDouble.of(50)}) {
            SplittableRandom random = new SplittableRandom(8);
            DoubleTensor query = Floats.tensor(random, 2, "heads", 2, "queryLen", 64, "headDim", 8);
            DoubleTensor key = Floats.tensor(random, 2, "kvHeads", 1, "keyLen", 64, "headDim", 8);
            DoubleTensor value = Floats.tensor(random, 2, "kvHeads", 1, "keyLen", 64, "headDim", 8);
            KeySelection selection = Kind.STREAMING.select(1, 64, 64, true);
            AttentionRule rule = new AttentionRule(0.25, cap, Visibility.GLOBAL, 0, 0);
            double[] clean = FAST.sparseAttention().apply(new SparseAttention.Input(query, key, value, selection, rule)).context().toDouble().data();
            key.data()[13 * 8 + 2] = Double.NaN;
            double[] broken = FAST.sparseAttention().apply(new SparseAttention.Input(query, key, value, selection, rule)).context().toDouble().data();
            for (int i = 0; i < clean.length; i++) {
                int row = i / 8 % 64;
                // row i reads keys i − 39 to i
                assertThat(broken[i]).as("row %d, %s", row, cap).isEqualTo(Double.valueOf(row >= 13 && row < 13 + 40 ? Double.NaN : clean[i]));
            }
        }
    }
}
