package org.dhsa.opencl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.LayerKind;
import org.dhsa.model.WeightTensor;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Kernels that put their sums together through sub-groups give the bits of the plain kernels, their twins, whatever the size of the sub-groups.
/// Runs where a device has sub-groups with shuffles.
class SubGroupTest {

    private static OpenClDevice device;
    /// The plain kernels, then their variants.
    private static List<OpenClBackend> backends;

    @BeforeAll
    static void open() {
        device = Device.withSubGroups();
        backends = Stream.of(0, 16, 4).map(size -> new OpenClBackend(Device.context(device, tuning(size)))).toList();
    }

    /// As on a GPU, small enough for 32 KB of local memory.
    private static Tuning tuning(int subGroup) {
        Map<String, Integer> attention = Map.of("TILING", 1, "KEY_BLOCK", 32, "ROWS_PER_ITEM", 4, "TILE_ROWS", 4, "SINGLE_ITEMS", 64, "SPLIT", 64, "SUB_GROUP", subGroup);
        return new Tuning(Map.of("rms-norm", Map.of("WG", 64, "SUB_GROUP", subGroup), "top-k-selection", Map.of("WG", 64, "SUB_GROUP", subGroup),
                MatrixProduct.PROGRAM, Map.of("LOCAL", 1, "GROUP_ROWS", 4, "ITEM_ROWS", 2, "PANELS", 1, "TILE_K", 8, "VEC", 1, "SEGMENTS", 1, "SUB_GROUP", subGroup),
                DeviceAttention.DENSE, attention, DeviceAttention.SPARSE, attention));
    }

    @AfterAll
    static void close() {
        if (backends != null) {
            System.out.println("sub-groups, " + device.description());
            backends.forEach(b -> Device.close(b.context()));
        }
    }

    /// The same bits from all, twice.
    private static void same(String slug, String where, Function<OpenClBackend, double[]> run) {
        double[] plain = run.apply(backends.getFirst());
        assertThat(backends.getFirst().context().subGroup(slug)).as("the first is the plain kernel").isZero();
        for (OpenClBackend backend : backends.subList(1, backends.size())) {
            int size = run.apply(backend).length == 0 ? 0 : backend.context().subGroup(slug);
            assertThat(size).as("%s uses sub-groups of the device", slug).isIn(4, 8, 16);
            for (int round = 0; round < 2; round++) {
                assertThat(run.apply(backend)).as("%s %s, sub-groups of %s, run %s", slug, where, size, round).isEqualTo(plain);
            }
        }
    }

    /// With a text that is wrong in the sub-group part alone, so that the comparison is known to see one.
    private static void mutant(String slug, String right, String wrong, Function<OpenClBackend, double[]> run) {
        String source = OpenClProgram.source(slug);
        assertThat(source).contains(right);
        for (int size : new int[] {0, 16}) {
            try (OpenClContext context = new OpenClContext(device, tuning(size), java.util.OptionalLong.empty())) {
                context.replace(slug, source.replace(right, wrong));
                double[] values = run.apply(new OpenClBackend(context));
                if (size == 0) {
                    assertThat(values).as("%s, the plain part is as it was", slug).isEqualTo(run.apply(backends.getFirst()));
                } else {
                    assertThat(values).as("%s with %s", slug, wrong).isNotEqualTo(run.apply(backends.getFirst()));
                }
            }
        }
    }

    private static Function<OpenClBackend, double[]> norm(int modelDim) {
        SplittableRandom random = new SplittableRandom(modelDim);
        DoubleTensor x = ThreeRungs.tensor(random, 1, "queryLen", 5, "modelDim", modelDim);
        WeightTensor w = ThreeRungs.weight(random, DType.BF16, 1, modelDim);
        return b -> b.rmsNorm().apply(new RmsNorm.Input(x, w, 1e-6)).normed().toDouble().data();
    }

    @Test
    void rmsNorm() {
        for (int modelDim : new int[] {1, 17, 63, 64, 65, 130, 2304}) {
            same("rms-norm", "modelDim " + modelDim, norm(modelDim));
        }
        mutant("rms-norm", "apart > 0", "apart > 1", norm(65));
    }

    private static Function<OpenClBackend, double[]> product(int n, int k) {
        SplittableRandom random = new SplittableRandom(k);
        DoubleTensor x = ThreeRungs.tensor(random, 1, "queryLen", 1, "modelDim", k);
        WeightTensor w = ThreeRungs.weight(random, DType.BF16, 1, n, k);
        return b -> b.lmHead().apply(new LmHead.Input(x, w, OptionalDouble.empty())).logits().toDouble().data();
    }

    @Test
    void matrixVector() {
        for (int[] size : new int[][] {{1, 1}, {31, 15}, {33, 16}, {64, 131}, {40, 2400}}) {
            same(MatrixProduct.PROGRAM, Arrays.toString(size), product(size[0], size[1]));
        }
        mutant(MatrixProduct.PROGRAM, "apart > 0", "apart > 1", product(33, 131));
    }

    /// @param lists read lists of keys, else every visible one
    private static Function<OpenClBackend, double[]> attention(int queries, int keys, int headDim, double cap, boolean bf16, boolean lists) {
        SplittableRandom random = new SplittableRandom(keys + headDim);
        DoubleTensor query = ThreeRungs.tensor(random, 4, "heads", 4, "queryLen", queries, "headDim", headDim);
        DoubleTensor rows = ThreeRungs.tensor(random, 4, "kvHeads", 2, "keyLen", keys, "headDim", headDim);
        AttentionRule rule = new AttentionRule(0.2, cap == 0 ? OptionalDouble.empty() : OptionalDouble.of(cap), new Visibility(50, false), keys - queries, 0);
        QueryBlocks blocks = QueryBlocks.fixed(keys, keys, 7);
        KeySelection selection = new KeySelection(blocks, blocks.blocks().stream().map(block -> {
            int[] list = IntStream.range(0, block.end()).filter(key -> key % 3 != 0).toArray();
            return new BlockSelection(list, 0, list.length, 0, 0, list.length, new int[0]);
        }).toList());
        return b -> {
            Tensor state = rows;
            if (bf16) {
                OpenClLayerCache cache = new OpenClLayerCache(b.context(), 2, headDim, new LayerKind.Global(), true);
                cache.append(rows, rows);
                state = cache.keys();
            }
            return (lists ? b.sparseAttention().apply(new SparseAttention.Input(query, state, state, selection, rule)).context()
                    : b.denseAttention().apply(new DenseAttention.Input(query, state, state, rule)).context()).toDouble().data();
        };
    }

    @Test
    void attentionOfOneQuery() {
        for (int[] c : new int[][] {{1, 0}, {2, 50}, {15, 0}, {64, 50}, {300, 0}}) {
            same(DeviceAttention.DENSE, "one query of " + c[0] + " keys, cap " + c[1], attention(1, c[0], 20, c[1], false, false));
        }
        same(DeviceAttention.DENSE, "one query, bfloat16", attention(1, 100, 20, 50, true, false));
        same(DeviceAttention.SPARSE, "one query and a list", attention(1, 100, 20, 0, false, true));
        mutant(DeviceAttention.DENSE, "sub_group_shuffle_xor(value, apart)", "(value)", attention(1, 100, 20, 50, false, false));
        mutant(DeviceAttention.SPARSE, "own + m * SUB_GROUP; i < n", "own; i < n", attention(1, 100, 20, 0, false, true));
    }

    @Test
    void attentionOfATile() {
        for (int[] c : new int[][] {{37, 37, 0}, {37, 37, 50}, {45, 100, 0}}) {
            same(DeviceAttention.DENSE, Arrays.toString(c), attention(c[0], c[1], 20, c[2], false, false));
        }
        same(DeviceAttention.SPARSE, "lists", attention(70, 70, 20, 0, false, true));
        mutant(DeviceAttention.DENSE, "sum[i] += OTHER(sum[i], apart)", "sum[i] += OTHER(sum[i], 0)", attention(37, 37, 20, 50, false, false));
    }

    private static Function<OpenClBackend, double[]> selection(int length, int chunk) {
        SplittableRandom random = new SplittableRandom(length);
        QueryBlocks blocks = QueryBlocks.fixed(length, length, 16);
        Boundaries boundaries = Boundaries.uniform(length, chunk);
        DoubleTensor scores = ThreeRungs.tensor(random, 1, "queryBlocks", blocks.blocks().size(), "chunks", boundaries.chunks());
        for (int i = 0; i < scores.data().length; i += 3) {
            scores.data()[i] = 0.25; // ties
        }
        DhsaConfig config = DhsaConfig.DEFAULT.with(c -> {
            c.blockSize = 16;
            c.budget = 40;
            c.localTokens = 3;
            c.globalTokens = 2;
        });
        return b -> b.topKSelection().apply(new TopKSelection.Input(b.upsampling().apply(new Upsampling.Input(scores, boundaries)).tokenScores(), blocks, Visibility.GLOBAL, 40, config))
                .selection().blocks().stream().flatMapToDouble(block -> Stream.of(Arrays.stream(block.keys()).asDoubleStream().toArray(),
                        new double[] {block.threshold(), block.margin(), block.tieGroup().length}).flatMapToDouble(Arrays::stream)).toArray();
    }

    @Test
    void topKSelection() {
        for (int[] c : new int[][] {{50, 1}, {130, 3}, {300, 5}, {16, 16}}) {
            same(OpenClTopKSelection.PROGRAM, Arrays.toString(c), selection(c[0], c[1]));
        }
        mutant(OpenClTopKSelection.PROGRAM, "int sum = sub_group_scan_exclusive_add(mine);", "int sum = 0;", selection(130, 3));
    }

    @Test
    void aPropertySwitchesThemOff() {
        assertThat(SubGroups.candidates(device, "rms-norm", 16)).containsExactly(16, 8, 4, 0);
        assertThat(SubGroups.candidates(device, "rms-norm", 4)).containsExactly(4, 0);
        assertThat(SubGroups.candidates(device, "rms-norm", 0)).containsExactly(0);
        assertThat(SubGroups.candidates(device, "embedding", 16)).containsExactly(0);
        String before = System.setProperty(SubGroups.PROPERTY, "off");
        try (OpenClContext off = new OpenClContext(device, tuning(16), java.util.OptionalLong.empty())) {
            assertThat(SubGroups.candidates(device, "rms-norm", 16)).containsExactly(0);
            assertThat(norm(65).apply(new OpenClBackend(off))).isEqualTo(norm(65).apply(backends.getFirst()));
            assertThat(off.subGroup("rms-norm")).isZero();
            System.setProperty(SubGroups.PROPERTY, "perhaps");
            assertThatThrownBy(SubGroups::switchedOff).isInstanceOf(OpenClException.class).hasMessageContaining("perhaps is neither on nor off");
        } finally {
            if (before == null) {
                System.clearProperty(SubGroups.PROPERTY);
            } else {
                System.setProperty(SubGroups.PROPERTY, before);
            }
        }
    }
}
