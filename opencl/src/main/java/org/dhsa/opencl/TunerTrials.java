package org.dhsa.opencl;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.WeightTensor;
import org.dhsa.opencl.OpenClTuner.Trial;
import org.dhsa.opencl.OpenClTuner.Work;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// What the tuner tries: candidates per kind of device, their defaults first, and work of the shapes of Gemma 2, scaled by `size`
/// (1024: heads of 256 channels, 1024 tokens). No candidate may change the order of a sum.
final class TunerTrials {

    private static final OptionalDouble CAP = OptionalDouble.of(50);

    private TunerTrials() {}

    static List<Trial> cpu(int size) {
        return List.of(
                new Trial(MatrixProduct.PROGRAM, List.of(Map.of("ROWS", 12), Map.of("ROWS", 14), Map.of("ROWS", 8), Map.of("ROWS", 4)), product(512, size)),
                new Trial(MatrixProduct.PROGRAM, List.of(Map.of("VEC", 16, "SEGMENTS", 16), Map.of("VEC", 4, "SEGMENTS", 16)), product(1, size)),
                new Trial("rms-norm", List.of(Map.of("WG", 1), Map.of("WG", 16), Map.of("WG", 64)), norm(size)),
                new Trial(DeviceAttention.DENSE, List.of(Map.of("KEYS", 12), Map.of("KEYS", 4)), dense(size, size / 2)),
                new Trial(DeviceAttention.SPARSE, List.of(Map.of("KEYS", 12), Map.of("KEYS", 4)), sparse(size)),
                new Trial(OpenClBoundaryPrediction.PROGRAM, List.of(Map.of("GAPS", 256, "MIX", 16), Map.of("GAPS", 64, "MIX", 16), Map.of("GAPS", 512, "MIX", 16)),
                        predictor(size)),
                new Trial(OpenClChunkSimilarity.PROGRAM, List.of(Map.of("TILE_Q", 4, "TILE_K", 4, "GROUP", 1), Map.of("TILE_Q", 2, "TILE_K", 4, "GROUP", 1),
                        Map.of("TILE_Q", 4, "TILE_K", 4, "GROUP", 4)), similarity(size)),
                new Trial(OpenClTopKSelection.PROGRAM, List.of(Map.of("WG", 1), Map.of("WG", 4)), selection(size)));
    }

    static List<Trial> gpu(int size) {
        List<Map<String, Integer>> tiles = List.of(Map.of("ROWS_PER_ITEM", 4, "TILE_ROWS", 16), Map.of("ROWS_PER_ITEM", 4, "TILE_ROWS", 8),
                Map.of("ROWS_PER_ITEM", 8, "TILE_ROWS", 8));
        List<Map<String, Integer>> singles = List.of(Map.of("SINGLE_ITEMS", 128, "SUB_GROUP", 16), Map.of("SINGLE_ITEMS", 64, "SUB_GROUP", 16),
                Map.of("SINGLE_ITEMS", 256, "SUB_GROUP", 16), Map.of("SINGLE_ITEMS", 128, "SUB_GROUP", 0));
        return List.of(
                new Trial(MatrixProduct.PROGRAM, List.of(Map.of("LOCAL", 1, "GROUP_ROWS", 16, "ITEM_ROWS", 8, "PANELS", 4, "TILE_K", 16),
                        Map.of("LOCAL", 1, "GROUP_ROWS", 16, "ITEM_ROWS", 4, "PANELS", 2, "TILE_K", 16),
                        Map.of("LOCAL", 1, "GROUP_ROWS", 8, "ITEM_ROWS", 8, "PANELS", 4, "TILE_K", 8),
                        Map.of("LOCAL", 1, "GROUP_ROWS", 16, "ITEM_ROWS", 8, "PANELS", 2, "TILE_K", 32)), product(512, size)),
                new Trial(MatrixProduct.PROGRAM, List.of(Map.of("VEC", 1, "SEGMENTS", 1, "SUB_GROUP", 16), Map.of("VEC", 1, "SEGMENTS", 1, "SUB_GROUP", 0),
                        Map.of("VEC", 1, "SEGMENTS", 4), Map.of("VEC", 4, "SEGMENTS", 4)),
                        product(1, size)),
                new Trial("rms-norm", List.of(Map.of("WG", 64, "SUB_GROUP", 16), Map.of("WG", 64, "SUB_GROUP", 0), Map.of("WG", 16), Map.of("WG", 32)), norm(size)),
                new Trial(DeviceAttention.DENSE, tiles, dense(size, size)),
                new Trial(DeviceAttention.DENSE, singles, dense(size, 1)),
                new Trial(DeviceAttention.SPARSE, tiles, sparse(size)),
                new Trial(OpenClBoundaryPrediction.PROGRAM, List.of(Map.of("GAPS", 1024, "MIX", 1, "ROW_GROUP", 64), Map.of("GAPS", 1024, "MIX", 1, "ROW_GROUP", 16),
                        Map.of("GAPS", 1024, "MIX", 16, "ROW_GROUP", 64), Map.of("GAPS", 256, "MIX", 1, "ROW_GROUP", 64)), predictor(size)),
                new Trial(OpenClChunkSimilarity.PROGRAM, List.of(Map.of("TILE_Q", 2, "TILE_K", 2, "GROUP", 64), Map.of("TILE_Q", 1, "TILE_K", 1, "GROUP", 64),
                        Map.of("TILE_Q", 4, "TILE_K", 2, "GROUP", 64), Map.of("TILE_Q", 2, "TILE_K", 2, "GROUP", 16)), similarity(size)),
                new Trial(OpenClTopKSelection.PROGRAM, List.of(Map.of("WG", 128, "SUB_GROUP", 16), Map.of("WG", 128, "SUB_GROUP", 0), Map.of("WG", 64), Map.of("WG", 256)),
                        selection(size)));
    }

    private static Work product(int rows, int size) {
        WeightTensor weight = weight(size, size);
        return context -> {
            MatrixProduct product = new MatrixProduct(context);
            DeviceTensor x = random(context, "queryLen", rows, "modelDim", size);
            DeviceTensor y = DeviceTensor.allocate(context, x.shape());
            DeviceWeight w = context.weights().matrix(weight);
            return () -> {
                product.multiply(MatrixProduct.Place.rows(x), rows, w, MatrixProduct.Place.rows(y));
                return () -> y.toDouble().data();
            };
        };
    }

    private static Work norm(int size) {
        WeightTensor weight = weight(size);
        return context -> {
            OpenClRmsNorm stage = new OpenClRmsNorm(context);
            DeviceTensor x = random(context, "queryLen", 512, "modelDim", size);
            return () -> {
                var y = stage.apply(new RmsNorm.Input(x, weight, 1e-6)).normed();
                return () -> y.toDouble().data();
            };
        };
    }

    private static AttentionRule rule(int headDim, int start) {
        return new AttentionRule(1 / Math.sqrt(headDim), CAP, Visibility.GLOBAL, start, 0);
    }

    /// The last `queries` of `size` tokens.
    private static Work dense(int size, int queries) {
        return context -> {
            OpenClDenseAttention stage = new OpenClDenseAttention(new DeviceAttention(context));
            int headDim = size / 4;
            DeviceTensor q = random(context, "heads", 8, "queryLen", queries, "headDim", headDim);
            DeviceTensor k = random(context, "kvHeads", 4, "keyLen", size, "headDim", headDim);
            return () -> {
                var out = stage.apply(new DenseAttention.Input(q, k, k, rule(headDim, size - queries))).context();
                return () -> out.toDouble().data();
            };
        };
    }

    /// Blocks of 128 queries that read every third key before their end.
    private static Work sparse(int size) {
        return context -> {
            OpenClSparseAttention stage = new OpenClSparseAttention(new DeviceAttention(context));
            int headDim = size / 4;
            DeviceTensor q = random(context, "heads", 8, "queryLen", size, "headDim", headDim);
            DeviceTensor k = random(context, "kvHeads", 4, "keyLen", size, "headDim", headDim);
            QueryBlocks blocks = QueryBlocks.fixed(size, size, 128);
            KeySelection selection = new KeySelection(blocks, blocks.blocks().stream().map(block -> {
                int[] keys = Stream.iterate(0, key -> key < block.end(), key -> key + 3).mapToInt(Integer::intValue).toArray();
                return new KeySelection.BlockSelection(keys, 0, keys.length, 0, 0, keys.length, new int[0]);
            }).toList());
            return () -> {
                var out = stage.apply(new SparseAttention.Input(q, k, k, selection, rule(headDim, 0))).context();
                return () -> out.toDouble().data();
            };
        };
    }

    private static Work predictor(int size) {
        var mlp = new BoundaryPredictorWeights.DecisionMlp(weight(size, 4 * size + 1), weight(size), weight(1, size), weight(1));
        var attention = new BoundaryPredictorWeights.SelfAttention(8, weight(3 * size, size), weight(3 * size), weight(size, size), weight(size));
        var weights = new BoundaryPredictorWeights.Attention(4, attention, new BoundaryPredictorWeights.LayerNorm(weight(size), weight(size)), Optional.empty(), mlp);
        return context -> {
            OpenClBoundaryPrediction stage = new OpenClBoundaryPrediction(context, new MatrixProduct(context));
            DeviceTensor key = random(context, "kvHeads", 4, "keyLen", size, "headDim", size / 4);
            return () -> {
                var logits = stage.apply(new BoundaryPrediction.Input(key, weights)).logits();
                return () -> logits.toDouble().data();
            };
        };
    }

    private static Work similarity(int size) {
        return context -> {
            OpenClChunkSimilarity stage = new OpenClChunkSimilarity(context);
            DeviceTensor q = random(context, "chunks", size / 4, "headDim", size / 4);
            DeviceTensor k = random(context, "chunks", size, "headDim", size / 4);
            return () -> {
                var scores = stage.apply(new ChunkSimilarity.Input(q, k)).chunkScores();
                return () -> scores.toDouble().data();
            };
        };
    }

    /// Blocks of 128 of 16 times `size` tokens in chunks of 8.
    private static Work selection(int size) {
        int length = 16 * size;
        DhsaConfig config = DhsaConfig.DEFAULT.with(c -> {
            c.blockSize = 128;
            c.budget = Math.max(128, size);
        });
        QueryBlocks blocks = QueryBlocks.fixed(length, length, 128);
        return context -> {
            DeviceBoundaries boundaries = new DeviceBoundaries(context);
            OpenClTopKSelection stage = new OpenClTopKSelection(context, boundaries);
            DeviceTensor scores = random(context, "queryBlocks", blocks.blocks().size(), "chunks", length / 8);
            var tokens = new OpenClUpsampling(context, boundaries).apply(new Upsampling.Input(scores, Boundaries.uniform(length, 8))).tokenScores();
            return () -> {
                KeySelection chosen = stage.apply(new TopKSelection.Input(tokens, blocks, Visibility.GLOBAL, config.budget(), config)).selection();
                return () -> chosen.blocks().stream().flatMapToInt(block -> Arrays.stream(block.keys())).asDoubleStream().toArray();
            };
        };
    }

    private static DeviceTensor random(OpenClContext context, Object... axes) {
        SplittableRandom random = new SplittableRandom(1);
        DoubleTensor x = DoubleTensor.zeros(Shape.of(axes));
        Arrays.setAll(x.data(), i -> random.nextDouble(-1, 1));
        return DeviceTensor.of(context, x);
    }

    private static WeightTensor weight(int... dims) {
        SplittableRandom random = new SplittableRandom(2);
        int count = Arrays.stream(dims).reduce(1, Math::multiplyExact);
        byte[] bytes = new byte[2 * count];
        for (int i = 0; i < count; i++) {
            int bits = Float.floatToRawIntBits((float) random.nextDouble(-1, 1));
            bytes[2 * i] = (byte) (bits >>> 16);
            bytes[2 * i + 1] = (byte) (bits >>> 24);
        }
        return new WeightTensor("tuning", DType.BF16, Arrays.stream(dims).asLongStream().toArray(), MemorySegment.ofArray(bytes));
    }
}
