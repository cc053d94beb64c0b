package org.dhsa.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.model.LayerKind;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Dense and sparse attention on ugly sizes, as a CPU and as a GPU run them: right, the same bits for every work-group size,
/// nothing written outside its buffer.
class AttentionTest {

    private static final Backend REFERENCE = new ReferenceBackend();
    private static final Backend PLAIN = OptimizedBackend.scalar(2);
    private static final OptionalDouble[] CAPS = {OptionalDouble.empty(), OptionalDouble.of(5), OptionalDouble.of(50), OptionalDouble.of(100)};

    private static final int DRAWS = 4;

    /// Tilings, each as several work-group sizes. The first of all is the default of this device.
    private static List<List<OpenClContext>> tilings;
    private static List<List<OpenClBackend>> backends;

    @BeforeAll
    static void open() {
        OpenClContext usual = Device.context();
        tilings = List.of(List.of(usual),
                Stream.of(new int[] {1, 8, 1}, new int[] {3, 5, 4})
                        .map(g -> tuning(Map.of("TILING", 0, "KEY_BLOCK", 64, "GROUP", g[0], "KEYS", g[1], "TOGETHER", g[2]))).map(Device::context).toList(),
                Stream.of(new int[] {16, 64}, new int[] {4, 32}, new int[] {12, 128}, new int[] {8, 16})
                        .map(g -> tuning(Map.of("TILING", 1, "KEY_BLOCK", 32, "TILE_ROWS", g[0], "SINGLE_ITEMS", g[1]))).map(Device::context).toList());
        backends = tilings.stream().map(contexts -> contexts.stream().map(OpenClBackend::new).toList()).toList();
    }

    private static Tuning tuning(Map<String, Integer> values) {
        return new Tuning(Map.of(DeviceAttention.DENSE, values, DeviceAttention.SPARSE, values));
    }

    @AfterAll
    static void close() {
        if (tilings != null) {
            tilings.forEach(contexts -> contexts.forEach(Device::close));
            ThreeRungs.report("attention, " + Device.any().description());
        }
        PLAIN.close();
    }

    private record Qkv(DoubleTensor query, DoubleTensor key, DoubleTensor value) {
        /// Several draws, judged together: over a few rows the error of the plain loops is a matter of luck.
        static List<Qkv> of(SplittableRandom random, int heads, int kvHeads, int queryLen, int keyLen, int headDim) {
            return Stream.generate(() -> one(random, heads, kvHeads, queryLen, keyLen, headDim)).limit(DRAWS).toList();
        }

        static Qkv one(SplittableRandom random, int heads, int kvHeads, int queryLen, int keyLen, int headDim) {
            return new Qkv(ThreeRungs.tensor(random, 4, "heads", heads, "queryLen", queryLen, "headDim", headDim),
                    ThreeRungs.tensor(random, 4, "kvHeads", kvHeads, "keyLen", keyLen, "headDim", headDim),
                    ThreeRungs.tensor(random, 1, "kvHeads", kvHeads, "keyLen", keyLen, "headDim", headDim));
        }
    }

    /// Roundings that the plain loops may be spared by luck: they multiply, then add; the kernels fuse both, so the two do not share their
    /// roundings, and over a few rows either may have the worse draw. One rounding of a logit x is `x · 2^-24` and moves the capped
    /// logit `cap · tanh(x / cap)` by that times `1 - tanh(x / cap)^2`; `u (1 - tanh(u)^2)` is at most 0.448, so however large x is, that
    /// is at most `0.448 · cap · 2^-24`. One rounding of the capped logit is at most `cap · 2^-24`. A weight moves by as much as its logit.
    private static double floor(Qkv x, AttentionRule rule) {
        double cap = rule.softCap().orElse(1e9);
        double largest = 16 * factor(x) * x.query.shape().extent("headDim") * rule.scale() / 3;
        return 0x1p-23 + (Math.min(largest, 0.448 * cap) + cap * Math.tanh(largest / cap)) * 0x1p-24;
    }

    /// How many times larger than [Qkv#one] makes them the queries are.
    private static double factor(Qkv x) {
        return Math.max(1, Arrays.stream(x.query.data()).map(Math::abs).max().orElse(0) / 4);
    }

    /// Compiling is what takes the time of this class, and the loops of both files are the same, word for word: the kernels of dense attention
    /// are tried in six sizes without a running maximum, those of sparse attention in four with one.
    ///
    /// @param everyTiling run it in all tilings and sizes too
    private static void check(String stage, String where, double floor, boolean everyTiling, Function<Backend, double[]> run) {
        double[] truth = run.apply(REFERENCE);
        double[] plain = run.apply(PLAIN);
        for (List<OpenClBackend> sizes : everyTiling ? backends : backends.subList(0, 1)) {
            double[] values = run.apply(sizes.getFirst());
            ThreeRungs.check(stage, where, truth, plain, values, floor);
            assertThat(run.apply(sizes.getFirst())).as("%s %s, a second run", stage, where).isEqualTo(values);
            for (OpenClBackend size : sizes.subList(1, Math.min(sizes.size(), stage.equals(DeviceAttention.SPARSE) ? 2 : 4))) {
                assertThat(run.apply(size)).as("%s %s, %s", stage, where, size.context().tuning()).isEqualTo(values);
            }
        }
    }

    private static boolean online(AttentionRule rule) {
        return rule.softCap().orElse(100) > 60;
    }

    private static double[] together(List<Qkv> draws, Function<Qkv, Tensor> run) {
        return draws.stream().flatMapToDouble(x -> Arrays.stream(run.apply(x).toDouble().data())).toArray();
    }

    private static void dense(String where, List<Qkv> draws, AttentionRule rule, boolean everyTiling) {
        Qkv x = draws.getFirst();
        DenseAttention.Input in = new DenseAttention.Input(x.query, x.key, x.value, rule);
        check("dense-attention", where, floor(x, rule), everyTiling && !online(rule),
                b -> together(draws, d -> b.denseAttention().apply(new DenseAttention.Input(d.query, d.key, d.value, rule)).context()));
        assertThat(backends.getFirst().getFirst().denseAttention().apply(in).pairsRead()).as(where).isEqualTo(REFERENCE.denseAttention().apply(in).pairsRead());
    }

    private static void sparse(String where, List<Qkv> draws, KeySelection selection, AttentionRule rule, boolean everyTiling) {
        Qkv x = draws.getFirst();
        SparseAttention.Input in = new SparseAttention.Input(x.query, x.key, x.value, selection, rule);
        check("sparse-attention", where, floor(x, rule), everyTiling && online(rule),
                b -> together(draws, d -> b.sparseAttention().apply(new SparseAttention.Input(d.query, d.key, d.value, selection, rule)).context()));
        assertThat(backends.getFirst().getFirst().sparseAttention().apply(in).pairsRead()).as(where).isEqualTo(REFERENCE.sparseAttention().apply(in).pairsRead());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 20, 256})
    void everyHeadDim(int headDim) {
        SplittableRandom random = new SplittableRandom(headDim);
        for (int[] heads : new int[][] {{2, 2}, {8, 1}, {6, 3}}) {
            for (int window : new int[] {0, 5}) {
                for (OptionalDouble cap : CAPS) {
                    dense("headDim " + headDim + " heads " + Arrays.toString(heads) + " window " + window + " " + cap,
                            Qkv.of(random, heads[0], heads[1], 37, 37, headDim), new AttentionRule(1 / Math.sqrt(headDim), cap, new Visibility(window, false), 0, 0), false);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 31, 32, 33, 63, 64, 65, 127, 300})
    void everyLengthAndWindowInEveryTiling(int length) {
        SplittableRandom random = new SplittableRandom(length);
        for (int window : new int[] {0, 1, 5, 64}) {
            OptionalDouble cap = CAPS[(length + window) % CAPS.length];
            dense("length " + length + " window " + window + " " + cap, Qkv.of(random, 2, 1, length, length, 12),
                    new AttentionRule(0.25, cap, new Visibility(window, window == 5), 0, 0), true);
        }
    }

    @Test
    void chunkedPrefillAndDecodingSeeTheCacheBehindThem() {
        SplittableRandom random = new SplittableRandom(9);
        for (int[] c : new int[][] {{1, 1, 0, 0}, {1, 300, 299, 0}, {1, 700, 699, 0}, {40, 300, 260, 0}, {33, 90, 160, 103}, {1, 64, 499, 436}, {1, 65, 499, 435}, {7, 71, 493, 429}}) {
            for (int window : new int[] {0, 5, 64}) {
                for (OptionalDouble cap : CAPS) {
                    if (window > 0 || c[3] == 0) { // a global layer forgets nothing
                        dense("queries " + c[0] + " keys " + c[1] + " from " + c[2] + ", cache from " + c[3] + " window " + window + " " + cap,
                                Qkv.of(random, 4, 2, c[0], c[1], 12), new AttentionRule(0.3, cap, new Visibility(window, false), c[2], c[3]), true);
                    }
                }
            }
        }
    }

    @Test
    void greatLogitsDoNotOverflow() {
        SplittableRandom random = new SplittableRandom(10);
        for (OptionalDouble cap : CAPS) {
            for (double factor : new double[] {1e3, 1e10}) {
                List<Qkv> draws = Qkv.of(random, 2, 1, 70, 70, 12);
                draws.forEach(x -> Arrays.setAll(x.query.data(), i -> (float) (x.query.data()[i] * factor)));
                AttentionRule rule = new AttentionRule(0.25, cap, Visibility.GLOBAL, 0, 0);
                if (cap.isPresent()) {
                    dense("logits times " + factor + " " + cap, draws, rule, true);
                } else {
                    // without a cap the softmax is a maximum
                    Qkv x = draws.getFirst();
                    DenseAttention.Input in = new DenseAttention.Input(x.query, x.key, x.value, rule);
                    assertThat(Arrays.stream(backends.getFirst().getFirst().denseAttention().apply(in).context().toDouble().data())).allMatch(v -> Math.abs(v) <= 1);
                }
            }
        }
    }

    /// Lists as upstream leaves them and worse: out of order, keys twice, future keys, keys out of the window, none at all.
    private static KeySelection wildSelection(SplittableRandom random, QueryBlocks blocks, int keyLen) {
        List<BlockSelection> lists = new ArrayList<>();
        for (QueryBlocks.Block block : blocks.blocks()) {
            int count = switch (lists.size() % 4) {
                case 0 -> 1 + random.nextInt(40);
                case 1 -> 0;
                case 2 -> 12;
                default -> 240 + random.nextInt(40);
            };
            int[] keys = IntStream.range(0, count).map(n -> random.nextInt(Math.min(keyLen, block.end() + 3))).toArray();
            lists.add(new BlockSelection(keys, 0, count, 0, 0, count, new int[0]));
        }
        return new KeySelection(blocks, lists);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 33})
    void sparseAttentionOfWildListsInEveryTiling(int blockSize) {
        SplittableRandom random = new SplittableRandom(blockSize);
        for (int length : new int[] {1, 33, 127}) {
            for (int denseFrom : new int[] {length, Math.max(0, length - 9), 0}) {
                for (int window : new int[] {0, 1, 5, 64}) {
                    OptionalDouble cap = CAPS[random.nextInt(CAPS.length)];
                    sparse("blocks of " + blockSize + " length " + length + " dense from " + denseFrom + " window " + window + " " + cap,
                            Qkv.of(random, 4, 2, length, length, 12), wildSelection(random, QueryBlocks.fixed(denseFrom, length, blockSize), length),
                            new AttentionRule(0.25, cap, new Visibility(window, window == 5), 0, 0), true);
                }
            }
        }
    }

    @Test
    void sparseDecodingReadsOnlyTheListedKeys() {
        SplittableRandom random = new SplittableRandom(77);
        for (int[] c : new int[][] {{300, 0, 0, 50}, {299, 200, 64, 50}, {0, 0, 0, 1}, {900, 0, 0, 600}, {9, 0, 0, 0}}) {
            for (OptionalDouble cap : CAPS) {
                int position = c[0];
                int keys = position - c[1] + 1;
                int[] list = IntStream.range(0, c[3]).map(n -> c[1] + random.nextInt(keys)).toArray();
                sparse("decoding at " + position + " cache from " + c[1] + " window " + c[2] + " " + cap, Qkv.of(random, 4, 2, 1, keys, 12),
                        new KeySelection(QueryBlocks.single(position), List.of(new BlockSelection(list, 0, c[3], 0, 0, c[3], new int[0]))),
                        new AttentionRule(0.3, cap, new Visibility(c[2], false), position, c[1]), true);
            }
        }
    }

    /// A cache with room behind every head is read where it lies.
    @Test
    void viewsWithGapsBetweenTheHeadsAreRead() {
        SplittableRandom random = new SplittableRandom(5);
        Qkv x = Qkv.one(random, 4, 2, 40, 90, 12);
        AttentionRule rule = new AttentionRule(0.3, CAPS[2], Visibility.GLOBAL, 20, 0);
        for (OpenClBackend backend : List.of(backends.get(0).getFirst(), backends.get(2).getFirst())) {
            Tensor key = backend.keyRows(x.key, 5, 65);
            Tensor value = backend.keyRows(x.value, 5, 65);
            double[] expected = REFERENCE.denseAttention().apply(new DenseAttention.Input(x.query, key.toDouble(), value.toDouble(), rule)).context().toDouble().data();
            double[] actual = backend.denseAttention().apply(new DenseAttention.Input(x.query, key, value, rule)).context().toDouble().data();
            for (int i = 0; i < expected.length; i++) {
                assertThat(actual[i]).isCloseTo(expected[i], org.assertj.core.data.Offset.offset(2e-5));
            }
        }
    }

    /// Widening is exact, so bfloat16 rows give, bit for bit, what the same values give as floats: a tile of queries, one query, with lists
    /// and without.
    @ParameterizedTest(name = "tiling {0}, headDim {1}")
    @CsvSource({"0, 20", "2, 12"})
    void bfloat16RowsGiveTheBitsOfTheSameFloats(int tiling, int headDim) {
        SplittableRandom random = new SplittableRandom(headDim);
        OpenClBackend backend = backends.get(tiling).getFirst();
        OpenClLayerCache cache = new OpenClLayerCache(backend.context(), 2, headDim, new LayerKind.Local(150), true);
        Qkv x = Qkv.one(random, 4, 2, 45, 170, headDim);
        cache.append(x.key, x.value);
        cache.trim();
        Tensor key = cache.keys();
        Tensor value = cache.values();
        assertThat(key).isInstanceOf(DeviceBf16Tensor.class);
        assertThat(key.toDouble().data()).as("something was rounded").isNotEqualTo(REFERENCE.keyRows(x.key, 20, 170).toDouble().data());
        for (int queries : new int[] {1, 45}) {
            Tensor query = Qkv.one(random, 4, 2, queries, 1, headDim).query;
            QueryBlocks blocks = QueryBlocks.fixed(170, 170, 7);
            List<BlockSelection> lists = blocks.blocks().stream().map(block -> {
                int[] keys = IntStream.range(20, Math.max(21, block.end())).filter(k -> k % 3 != 0).toArray();
                return new BlockSelection(keys, 0, keys.length, 0, 0, keys.length, new int[0]);
            }).toList();
            AttentionRule rule = new AttentionRule(0.3, OptionalDouble.of(50), new Visibility(150, false), 170 - queries, 20);
            // programs that the other tests build too
            AttentionRule listed = new AttentionRule(0.3, OptionalDouble.of(100), new Visibility(150, false), 170 - queries, 20);
            assertThat(backend.denseAttention().apply(new DenseAttention.Input(query, key, value, rule)).context().toDouble().data())
                    .as("dense, %s queries, %s", queries, backend.context().tuning())
                    .isEqualTo(backend.denseAttention().apply(new DenseAttention.Input(query, key.toDouble(), value.toDouble(), rule)).context().toDouble().data());
            if (tiling > 0) {
                continue; // the same loops
            }
            KeySelection selection = new KeySelection(blocks, lists);
            assertThat(backend.sparseAttention().apply(new SparseAttention.Input(query, key, value, selection, listed)).context().toDouble().data())
                    .as("sparse, %s queries, %s", queries, backend.context().tuning())
                    .isEqualTo(backend.sparseAttention().apply(new SparseAttention.Input(query, key.toDouble(), value.toDouble(), selection, listed)).context()
                            .toDouble().data());
        }
    }

    /// Both files compile alone, so they hold the same loops; this keeps them the same.
    @Test
    void denseAndSparseKernelsShareTheirLoops() {
        assertThat(shared(DeviceAttention.SPARSE)).isEqualTo(shared(DeviceAttention.DENSE)).contains("__kernel");
    }

    private static String shared(String slug) {
        String source = OpenClProgram.source(slug);
        return source.substring(source.indexOf("// ---- shared"));
    }
}
