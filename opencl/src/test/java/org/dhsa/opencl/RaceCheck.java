package org.dhsa.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.dhsa.backend.Backend;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.LayerKind;
import org.dhsa.model.WeightTensor;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.ChunkSimilarity;
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
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.Test;

/// Every kernel as a GPU runs it, on tiny inputs, under Oclgrind, which interprets work-items one by one and reports data races that a CPU
/// driver hides. Not among the usual tests, for it needs that device; `docs/opencl.md` says how to run it.
class RaceCheck {

    private static final int LENGTH = 70;

    private final SplittableRandom random = new SplittableRandom(3);
    private final Backend reference = new ReferenceBackend();
    private final Backend plain = OptimizedBackend.scalar(1);
    private OpenClBackend device;

    private void check(String what, Function<Backend, Tensor> run) {
        ThreeRungs.check(what, "Oclgrind", run.apply(reference).toDouble().data(), run.apply(plain).toDouble().data(), run.apply(device).toDouble().data(), 1e-5);
    }

    @Test
    void noKernelRaces() throws IOException {
        OpenClDevice oclgrind = Device.any();
        String log = System.getenv("OCLGRIND_LOG");
        assertThat(oclgrind.name()).as("the device that is used").contains("Oclgrind");
        assertThat(System.getenv("OCLGRIND_DATA_RACES")).as("OCLGRIND_DATA_RACES").isEqualTo("1");
        assertThat(log).as("OCLGRIND_LOG").isNotNull();
        // a GPU's kernels, small enough for the simulator's 32 KB of local memory
        Map<String, Integer> attention = Map.of("TILING", 1, "KEY_BLOCK", 32, "ROWS_PER_ITEM", 4, "TILE_ROWS", 4, "SINGLE_ITEMS", 32, "SPLIT", 64);
        Tuning tuning = TuningDefaults.of(OpenClDevice.Kind.GPU).with(DeviceAttention.DENSE, attention).with(DeviceAttention.SPARSE, attention)
                .with("matrix-product", Map.of("LOCAL", 1, "GROUP_ROWS", 4, "ITEM_ROWS", 2, "PANELS", 1, "TILE_K", 8, "VEC", 1, "SEGMENTS", 4))
                .with("top-k-selection", Map.of("WG", 16));
        try (OpenClBackend opened = new OpenClBackend(new OpenClContext(oclgrind, tuning, OptionalLong.empty())); plain) {
            device = opened;
            products();
            for (double cap : new double[] {50, 100}) {
                for (boolean bf16 : new boolean[] {false, true}) {
                    for (int queries : new int[] {1, 37}) {
                        attention(cap, bf16, queries);
                    }
                }
            }
            selection();
        }
        assertThat(Files.readString(Path.of(log))).as("what Oclgrind reported").isEmpty();
    }

    private void products() {
        Tensor x = ThreeRungs.tensor(random, 1, "queryLen", 11, "modelDim", 70);
        WeightTensor norm = ThreeRungs.weight(random, DType.BF16, 1, 70);
        WeightTensor table = ThreeRungs.weight(random, DType.BF16, 1, 40, 70);
        check("rms-norm", b -> b.rmsNorm().apply(new RmsNorm.Input(x, norm, 1e-6)).normed());
        for (int rows : new int[] {1, 11}) {
            check("lm-head", b -> b.lmHead().apply(new LmHead.Input(b.rows(x, 0, rows), table, OptionalDouble.of(30))).logits());
        }
    }

    private void attention(double cap, boolean bf16, int queries) {
        int headDim = 20;
        DoubleTensor query = ThreeRungs.tensor(random, 4, "heads", 4, "queryLen", queries, "headDim", headDim);
        DoubleTensor rows = ThreeRungs.tensor(random, 4, "kvHeads", 2, "keyLen", LENGTH, "headDim", headDim);
        OpenClLayerCache cache = new OpenClLayerCache(device.context(), 2, headDim, new LayerKind.Global(), bf16);
        cache.append(rows, rows);
        Tensor kept = cache.keys().toDouble();
        AttentionRule rule = new AttentionRule(0.2, OptionalDouble.of(cap), new Visibility(30, false), LENGTH - queries, 0);
        QueryBlocks blocks = QueryBlocks.fixed(LENGTH, LENGTH, 7);
        KeySelection lists = new KeySelection(blocks, blocks.blocks().stream().map(block -> {
            int[] keys = IntStream.range(0, block.end()).filter(k -> k % 3 != 0).toArray();
            return new BlockSelection(keys, 0, keys.length, 0, 0, keys.length, new int[0]);
        }).toList());
        check("dense-attention", b -> b.denseAttention().apply(new DenseAttention.Input(query, b == device ? cache.keys() : kept, b == device ? cache.keys() : kept, rule)).context());
        check("sparse-attention", b -> b.sparseAttention()
                .apply(new SparseAttention.Input(query, b == device ? cache.keys() : kept, b == device ? cache.keys() : kept, lists, rule)).context());
    }

    private void selection() {
        for (String kind : List.of("attention", "stack", "cnn")) {
            var predictor = DhsaTest.predictor(kind, random, 2, 24, 3);
            DoubleTensor key = ThreeRungs.tensor(random, 2, "kvHeads", 2, "keyLen", 9, "headDim", 12);
            check("boundary-prediction", b -> b.boundaryPrediction().apply(new BoundaryPrediction.Input(key, predictor)).logits());
        }
        Tensor q = ThreeRungs.tensor(random, 1, "chunks", 7, "headDim", 33);
        Tensor k = ThreeRungs.tensor(random, 1, "chunks", 5, "headDim", 33);
        check("chunk-similarity", b -> b.chunkSimilarity().apply(new ChunkSimilarity.Input(q, k)).chunkScores());
        DoubleTensor scores = ThreeRungs.tensor(random, 1, "queryBlocks", 10, "chunks", 7);
        Boundaries boundaries = Boundaries.of(0, 3, 9, 21, 33, 50, 69, LENGTH);
        DhsaConfig config = DhsaConfig.DEFAULT.with(c -> {
            c.blockSize = 7;
            c.budget = 20;
        });
        check("top-k-selection", b -> {
            double[] keys = b.topKSelection().apply(new TopKSelection.Input(b.upsampling().apply(new Upsampling.Input(scores, boundaries)).tokenScores(),
                            QueryBlocks.fixed(LENGTH, LENGTH, 7), Visibility.GLOBAL, 20, config)).selection().blocks().stream()
                    .flatMapToInt(list -> Arrays.stream(list.keys())).asDoubleStream().toArray();
            return DoubleTensor.of(Shape.of("keyLen", keys.length), keys);
        });
    }
}
