package org.dhsa.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.LayerKind;
import org.dhsa.model.Quirk;
import org.dhsa.model.WeightTensor;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkRepresentation.Pooling;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The stages of DHSA on ugly sizes: right, the same bits for every work-group size, nothing written outside its buffer.
class DhsaTest {

    private static final Backend REFERENCE = new ReferenceBackend();
    private static final Backend PLAIN = OptimizedBackend.scalar(2);

    /// The same source as different devices run it. The first is the default of this device.
    private static List<OpenClContext> contexts;
    private static List<OpenClBackend> backends;

    @BeforeAll
    static void open() {
        contexts = Stream.concat(Stream.of(Tuning.of(Device.any())), Stream.of(tuning(1, 2, 1, 4, 3, 3), tuning(7, 3, 3, 2, 1000, 11),
                tuning(64, 64, 2, 1, 17, 32))).map(Device::context).toList();
        backends = contexts.stream().map(OpenClBackend::new).toList();
    }

    private static Tuning tuning(int group, int wg, int tileQ, int tileK, int gaps, int channels) {
        return new Tuning(Map.of("chunk-representation", Map.of("GROUP", group, "CHANNELS", channels), "upsampling", Map.of("GROUP", group),
                "chunk-similarity", Map.of("GROUP", group, "TILE_Q", tileQ, "TILE_K", tileK), "top-k-selection", Map.of("WG", wg),
                "boundary-prediction", Map.of("GROUP", group, "ROW_GROUP", group, "GAPS", gaps, "MIX", wg > 2 ? 1 : 16)));
    }

    @AfterAll
    static void close() {
        if (contexts != null) {
            contexts.forEach(Device::close);
            ThreeRungs.report("DHSA, " + contexts.getFirst().device().description());
        }
        PLAIN.close();
    }

    private static void check(String stage, String where, Function<Backend, Tensor> run) {
        Tensor truth = run.apply(REFERENCE);
        Tensor first = run.apply(backends.getFirst());
        assertThat(first.shape()).isEqualTo(truth.shape());
        double[] values = first.toDouble().data();
        ThreeRungs.check(stage, where, truth.toDouble().data(), run.apply(PLAIN).toDouble().data(), values);
        assertThat(run.apply(backends.getFirst()).toDouble().data()).as("%s %s, a second run", stage, where).isEqualTo(values);
        for (int i = 1; i < backends.size(); i++) {
            assertThat(run.apply(backends.get(i)).toDouble().data()).as("%s %s, %s", stage, where, contexts.get(i).tuning()).isEqualTo(values);
        }
    }

    @ParameterizedTest
    @CsvSource({"MEAN, 33", "MEAN_SQRT_LENGTH, 128", "MAX, 33", "MAX, 64"})
    void chunkRepresentation(Pooling pooling, int headDim) {
        SplittableRandom random = new SplittableRandom(4);
        Tensor states = ThreeRungs.tensor(random, 1, "heads", 3, "queryLen", 140, "headDim", headDim);
        for (int[] boundaries : new int[][] {{0, 140}, {0, 1, 2, 3, 140}, {0, 16, 32, 48, 64, 80, 96, 112, 128, 140}, {0, 5, 5, 9, 133}, {0, 1}}) {
            for (int padTo : new int[] {0, 16}) {
                check("chunk-representation", pooling + " headDim " + headDim + " " + Arrays.toString(boundaries) + " padded to " + padTo, b -> b.chunkRepresentation()
                        .apply(new ChunkRepresentation.Input(states, Boundaries.of(boundaries), pooling, padTo)).chunks());
            }
        }
    }

    @Test
    void chunksOfABf16CacheAreThoseOfTheSameFloats() {
        SplittableRandom random = new SplittableRandom(5);
        OpenClBackend backend = backends.getFirst();
        OpenClLayerCache cache = new OpenClLayerCache(backend.context(), 3, 33, new LayerKind.Global(), true);
        DoubleTensor keys = ThreeRungs.tensor(random, 1, "kvHeads", 3, "keyLen", 140, "headDim", 33);
        cache.append(keys, keys);
        for (Pooling pooling : Pooling.values()) {
            Function<Tensor, double[]> chunks = states -> backend.chunkRepresentation()
                    .apply(new ChunkRepresentation.Input(states, Boundaries.of(0, 1, 5, 90, 140), pooling, 0)).chunks().toDouble().data();
            assertThat(chunks.apply(cache.keys())).as("%s", pooling).isEqualTo(chunks.apply(cache.keys().toDouble())).isNotEqualTo(chunks.apply(keys));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 8, 31, 64, 80, 257})
    void chunkSimilarityAndUpsampling(int headDim) {
        SplittableRandom random = new SplittableRandom(headDim);
        Tensor q = ThreeRungs.tensor(random, 1, "chunks", 7, "headDim", headDim);
        Tensor k = ThreeRungs.tensor(random, 1, "chunks", 5, "headDim", headDim);
        check("chunk-similarity", "headDim " + headDim, b -> b.chunkSimilarity().apply(new ChunkSimilarity.Input(q, k)).chunkScores());
        Tensor scores = ThreeRungs.tensor(random, 1, "queryBlocks", 7, "chunks", 5);
        check("upsampling", "", b -> b.upsampling().apply(new Upsampling.Input(scores, Boundaries.of(0, 1, 4, 4, 20, 21))).tokenScores());
    }

    static Stream<Arguments> predictors() {
        return Stream.of("attention", "attention with gate", "stack", "stack with gate", "cnn").flatMap(kind ->
                Stream.of(1, 3).map(window -> Arguments.of(kind, window)));
    }

    private static WeightTensor bf16(SplittableRandom random, double scale, int... dims) {
        return ThreeRungs.weight(random, DType.BF16, scale, dims);
    }

    static BoundaryPredictorWeights predictor(String kind, SplittableRandom random, int window, int c, int heads) {
        Optional<WeightTensor> gate = kind.endsWith("gate") ? Optional.of(bf16(random, 1, 1, c)) : Optional.empty();
        int encoded = kind.equals("cnn") ? 11 : c;
        var mlp = new BoundaryPredictorWeights.DecisionMlp(bf16(random, 1 / Math.sqrt(encoded), 19, 4 * encoded + 1),
                bf16(random, 0.1, 19), bf16(random, 1, 1, 19), bf16(random, 0.1, 1));
        if (kind.equals("cnn")) {
            return new BoundaryPredictorWeights.Cnn(window, bf16(random, 1, c, 1, window), bf16(random, 0.3, c), bf16(random, 1, encoded, c, 1),
                    bf16(random, 0.3, encoded), mlp);
        }
        if (kind.startsWith("stack")) {
            var blocks = Stream.generate(() -> new BoundaryPredictorWeights.Stack.Block(selfAttention(random, c, heads), norm(random, c))).limit(2).toList();
            return new BoundaryPredictorWeights.Stack(window, blocks, norm(random, c), gate, mlp);
        }
        return new BoundaryPredictorWeights.Attention(window, selfAttention(random, c, heads), norm(random, c), gate, mlp);
    }

    private static BoundaryPredictorWeights.SelfAttention selfAttention(SplittableRandom random, int c, int heads) {
        double scale = 2 / Math.sqrt(c);
        return new BoundaryPredictorWeights.SelfAttention(heads, bf16(random, scale, 3 * c, c), bf16(random, 0.3, 3 * c), bf16(random, scale, c, c), bf16(random, 0.3, c));
    }

    private static BoundaryPredictorWeights.LayerNorm norm(SplittableRandom random, int c) {
        return new BoundaryPredictorWeights.LayerNorm(bf16(random, 1, c), bf16(random, 0.3, c));
    }

    @ParameterizedTest(name = "{0}, w = {1}")
    @MethodSource("predictors")
    void boundaryPredictionFromOneTokenOn(String kind, int window) {
        SplittableRandom random = new SplittableRandom(window);
        BoundaryPredictorWeights predictor = predictor(kind, random, window, 54, 3);
        List<Tensor> keys = IntStream.of(1, 2, 2 * window - 1, 2 * window, 63, 64, 65, 130).<Tensor>mapToObj(length ->
                ThreeRungs.tensor(random, 2, "kvHeads", 2, "keyLen", length, "headDim", 27)).toList();
        // all lengths are one tensor: over one logit or two the baseline's error is a matter of luck
        check("boundary-prediction", kind + " w=" + window, b -> {
            double[] logits = keys.stream().flatMapToDouble(key -> Arrays.stream(
                    b.boundaryPrediction().apply(new BoundaryPrediction.Input(key, predictor)).logits().toDouble().data())).toArray();
            return DoubleTensor.of(Shape.of("keyLen", logits.length), logits);
        });
    }

    private static final DhsaConfig SELECTION = DhsaConfig.DEFAULT.with(c -> {
        c.blockSize = 7;
        c.budget = 20;
        c.localTokens = 3;
        c.globalTokens = 4;
    });

    static Stream<Arguments> rules() {
        Stream<DhsaConfig> single = Stream.concat(Stream.of(SELECTION),
                Arrays.stream(Quirk.values()).map(q -> SELECTION.with(c -> c.quirk(q, true))));
        return Stream.concat(single, Stream.of(SELECTION.with(c -> c.quirks = EnumSet.allOf(Quirk.class))))
                .flatMap(c -> Arrays.stream(DhsaConfig.TieOrder.values()).map(order -> Arguments.of(c.quirks(), order, c.with(x -> x.tieOrder = order))));
    }

    /// Scores that FP32 holds exactly leave no room: the lists are the same, and so is all that is said about them.
    @ParameterizedTest(name = "{0}, {1}")
    @MethodSource("rules")
    void topKSelectionIsTheReferences(Set<Quirk> quirks, DhsaConfig.TieOrder order, DhsaConfig config) {
        for (int seed = 0; seed < 12; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            int length = 1 + random.nextInt(130);
            int[] cuts = random.ints(random.nextInt(12), 0, length + 1).sorted().toArray();
            Boundaries boundaries = Boundaries.of(IntStream.concat(IntStream.concat(IntStream.of(0), Arrays.stream(cuts)), IntStream.of(length)).toArray());
            int denseFrom = random.nextInt(length + 1);
            QueryBlocks blocks = seed % 2 == 0 ? QueryBlocks.fixed(denseFrom, length, 7) : QueryBlocks.dynamic(boundaries, denseFrom, length, 7);
            int rows = blocks.blocks().stream().mapToInt(QueryBlocks.Block::segment).max().orElse(0) + 1;
            DoubleTensor chunkScores = ThreeRungs.tensor(random, 1, "queryBlocks", rows, "chunks", boundaries.chunks());
            for (int i = 0; i < chunkScores.data().length; i++) {
                double x = Math.rint(chunkScores.data()[i] * 3) + 0.0;
                chunkScores.data()[i] = seed % 5 == 4 && random.nextInt(3) == 0 ? Double.NaN : seed % 3 == 0 ? x : chunkScores.data()[i];
            }
            Visibility visibility = new Visibility(random.nextInt(3) * 15, false);
            int budget = 1 + random.nextInt(40);
            KeySelection expected = null;
            for (OpenClBackend backend : backends) {
                Tensor runs = backend.upsampling().apply(new Upsampling.Input(chunkScores, boundaries)).tokenScores();
                if (expected == null) {
                    expected = REFERENCE.topKSelection().apply(new TopKSelection.Input(runs.toDouble(), blocks, visibility, budget, config)).selection();
                    assertThat(backend.topKSelection().apply(new TopKSelection.Input(runs.toDouble(), blocks, visibility, budget, config)).selection())
                            .as("token scores that nobody upsampled, seed %d", seed).isEqualTo(expected);
                }
                assertThat(backend.topKSelection().apply(new TopKSelection.Input(runs, blocks, visibility, budget, config)).selection())
                        .as("seed %d, length %d, budget %d, %s, %s, %s", seed, length, budget, visibility, blocks, backend.context().tuning().of("top-k-selection"))
                        .isEqualTo(expected);
            }
        }
    }

    @Test
    void zeroAndMinusZeroAreEqualScores() {
        DoubleTensor scores = DoubleTensor.of(Shape.of("queryBlocks", 1, "keyLen", 6), -0.0, 0.0, -0.0, 1, 0.0, 0);
        DhsaConfig config = SELECTION.with(c -> {
            c.localTokens = 0;
            c.globalTokens = 0;
            c.blockSize = 1;
        });
        QueryBlocks blocks = new QueryBlocks(List.of(new QueryBlocks.Block(5, 6, 6, 0)), 6, 6);
        TopKSelection.Input in = new TopKSelection.Input(scores, blocks, Visibility.GLOBAL, 3, config);
        assertThat(backends.getFirst().topKSelection().apply(in).selection().blocks().getFirst().keys())
                .containsExactly(REFERENCE.topKSelection().apply(in).selection().blocks().getFirst().keys()).containsExactly(0, 3, 5);
    }

    /// The lists and what is said about them come back, chunk and token scores stay where they are.
    @Test
    void selectionReadsBackItsListsOnly() {
        OpenClBackend backend = backends.getFirst();
        SplittableRandom random = new SplittableRandom(3);
        Tensor q = ThreeRungs.tensor(random, 1, "chunks", 10, "headDim", 8);
        Tensor k = ThreeRungs.tensor(random, 1, "chunks", 10, "headDim", 8);
        long before = backend.context().readBacks();
        Tensor scores = backend.upsampling().apply(new Upsampling.Input(backend.chunkSimilarity().apply(new ChunkSimilarity.Input(q, k)).chunkScores(),
                Boundaries.uniform(70, 7))).tokenScores();
        assertThat(backend.context().readBacks()).isEqualTo(before);
        backend.topKSelection().apply(new TopKSelection.Input(scores, QueryBlocks.fixed(70, 70, 7), Visibility.GLOBAL, 20, SELECTION));
        assertThat(backend.context().readBacks()).isEqualTo(before + 2);
    }
}
