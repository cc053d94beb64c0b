package org.dhsa.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.SparseAttention;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/// Attention on ugly sizes, as a CPU and as a GPU run it: right, the same bits for every work-group size, nothing written outside its buffer.
///
/// Two classes hold the tests: compiling takes their time, and test classes run side by side.
abstract class AttentionCases {

    static final Backend REFERENCE = new ReferenceBackend();
    static final OptionalDouble[] CAPS = {OptionalDouble.empty(), OptionalDouble.of(5), OptionalDouble.of(50), OptionalDouble.of(100)};

    static final int DRAWS = 4;

    private static Backend plain;

    /// Tilings, each as several work-group sizes. The first of all is the default of this device.
    static List<List<OpenClContext>> tilings;
    static List<List<OpenClBackend>> backends;

    @BeforeAll
    static void open() {
        plain = OptimizedBackend.scalar(2);
        OpenClContext usual = Device.context();
        tilings = List.of(List.of(usual),
                Stream.of(new int[] {1, 8, 1}, new int[] {3, 5, 4})
                        .map(g -> tuning(Map.of("TILING", 0, "KEY_BLOCK", 64, "GROUP", g[0], "KEYS", g[1], "TOGETHER", g[2]))).map(Device::context).toList(),
                Stream.of(new int[] {16, 64}, new int[] {4, 32}, new int[] {12, 128}, new int[] {8, 16})
                        .map(g -> tuning(Map.of("TILING", 1, "KEY_BLOCK", 32, "TILE_ROWS", g[0], "SINGLE_ITEMS", g[1]))).map(Device::context).toList());
        backends = tilings.stream().map(contexts -> contexts.stream().map(OpenClBackend::new).toList()).toList();
    }

    static Tuning tuning(Map<String, Integer> values) {
        return new Tuning(Map.of(DeviceAttention.DENSE, values, DeviceAttention.SPARSE, values));
    }

    @AfterAll
    static void close() {
        if (tilings != null) {
            tilings.forEach(contexts -> contexts.forEach(Device::close));
            ThreeRungs.report("attention, " + Device.any().description());
        }
        plain.close();
    }

    record Qkv(DoubleTensor query, DoubleTensor key, DoubleTensor value) {
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
    static double floor(Qkv x, AttentionRule rule) {
        double cap = rule.softCap().orElse(1e9);
        double largest = 16 * factor(x) * x.query.shape().extent("headDim") * rule.scale() / 3;
        return 0x1p-23 + (Math.min(largest, 0.448 * cap) + cap * Math.tanh(largest / cap)) * 0x1p-24;
    }

    /// How many times larger than [Qkv#one] makes them the queries are.
    static double factor(Qkv x) {
        return Math.max(1, Arrays.stream(x.query.data()).map(Math::abs).max().orElse(0) / 4);
    }

    /// Compiling is what takes the time of this class, and the loops of both files are the same, word for word: the kernels of dense attention
    /// are tried in six sizes without a running maximum, those of sparse attention in four with one.
    ///
    /// @param everyTiling run it in all tilings and sizes too
    static void check(String stage, String where, double floor, boolean everyTiling, Function<Backend, double[]> run) {
        double[] truth = run.apply(REFERENCE);
        double[] loops = run.apply(plain);
        for (List<OpenClBackend> sizes : everyTiling ? backends : backends.subList(0, 1)) {
            double[] values = run.apply(sizes.getFirst());
            ThreeRungs.check(stage, where, truth, loops, values, floor);
            assertThat(run.apply(sizes.getFirst())).as("%s %s, a second run", stage, where).isEqualTo(values);
            for (OpenClBackend size : sizes.subList(1, Math.min(sizes.size(), stage.equals(DeviceAttention.SPARSE) ? 2 : 4))) {
                assertThat(run.apply(size)).as("%s %s, %s", stage, where, size.context().tuning()).isEqualTo(values);
            }
        }
    }

    static boolean online(AttentionRule rule) {
        return rule.softCap().orElse(100) > 60;
    }

    static double[] together(List<Qkv> draws, Function<Qkv, Tensor> run) {
        return draws.stream().flatMapToDouble(x -> Arrays.stream(run.apply(x).toDouble().data())).toArray();
    }

    static void dense(String where, List<Qkv> draws, AttentionRule rule, boolean everyTiling) {
        Qkv x = draws.getFirst();
        DenseAttention.Input in = new DenseAttention.Input(x.query, x.key, x.value, rule);
        check("dense-attention", where, floor(x, rule), everyTiling && !online(rule),
                b -> together(draws, d -> b.denseAttention().apply(new DenseAttention.Input(d.query, d.key, d.value, rule)).context()));
        assertThat(backends.getFirst().getFirst().denseAttention().apply(in).pairsRead()).as(where).isEqualTo(REFERENCE.denseAttention().apply(in).pairsRead());
    }

    static void sparse(String where, List<Qkv> draws, KeySelection selection, AttentionRule rule, boolean everyTiling) {
        Qkv x = draws.getFirst();
        SparseAttention.Input in = new SparseAttention.Input(x.query, x.key, x.value, selection, rule);
        check("sparse-attention", where, floor(x, rule), everyTiling && online(rule),
                b -> together(draws, d -> b.sparseAttention().apply(new SparseAttention.Input(d.query, d.key, d.value, selection, rule)).context()));
        assertThat(backends.getFirst().getFirst().sparseAttention().apply(in).pairsRead()).as(where).isEqualTo(REFERENCE.sparseAttention().apply(in).pairsRead());
    }
}
