package org.dhsa.optimized;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Quirk;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkRepresentation.Pooling;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Embedding;
import org.dhsa.stage.FeedForward;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.OutputProjection;
import org.dhsa.stage.QkvProjection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.ResidualAdd;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Upsampling;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Every stage on random inputs: fast against reference, held to twice the error of the plain loops.
class StageTest {

    private static final Backend REFERENCE = new ReferenceBackend();
    private static final Backend SCALAR = OptimizedBackend.scalar(2);
    private static final OptimizedBackend FAST = new OptimizedBackend(2);

    @AfterAll
    static void report() {
        SCALAR.close();
        FAST.close();
        ThreeRungs.report("stages, " + FAST.description());
    }

    private static void rungs(String stage, String where, Function<Backend, Tensor> run) {
        rungs(stage, where, ThreeRungs.FLOOR, run);
    }

    private static void rungs(String stage, String where, double floor, Function<Backend, Tensor> run) {
        Tensor truth = run.apply(REFERENCE);
        Tensor candidate = run.apply(FAST);
        assertThat(candidate.shape()).as("%s %s", stage, where).isEqualTo(truth.shape());
        ThreeRungs.check(stage, stage + " " + where, truth.toDouble().data(), run.apply(SCALAR).toDouble().data(), candidate.toDouble().data(), floor);
    }

    // ---------------------------------------------------------------- plain stages

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 15, 16, 17, 33, 96, 257})
    void embeddingNormAndResidual(int modelDim) {
        SplittableRandom random = new SplittableRandom(modelDim);
        int[] ids = random.ints(13, 0, 50).toArray();
        var table = RandomModel.bf16(random, "table", 1, 50, modelDim);
        for (EmbeddingScale scale : EmbeddingScale.values()) {
            rungs("embedding", scale + " modelDim=" + modelDim, b -> b.embedding().apply(new Embedding.Input(ids, table, scale)).hidden());
        }
        var weight = RandomModel.bf16(random, "w", 1, modelDim);
        for (double size : new double[] {1, 1e15, 1e-15}) {
            Tensor x = Floats.scattered(Floats.tensor(random, size, "queryLen", 13, "modelDim", modelDim));
            rungs("rms-norm", "size " + size + " modelDim=" + modelDim, b -> b.rmsNorm().apply(new RmsNorm.Input(x, weight, 1e-6)).normed());
        }
        Tensor x = Floats.scattered(Floats.tensor(random, 1, "queryLen", 13, "modelDim", modelDim));
        Tensor y = Floats.tensor(random, 1, "queryLen", 13, "modelDim", modelDim);
        rungs("residual-add", "modelDim=" + modelDim, b -> b.residualAdd().apply(new ResidualAdd.Input(x, y)).hidden());
    }

    static Stream<Arguments> products() {
        return Stream.of(1, 2, 11, 12, 13, 33).flatMap(tokens -> Stream.of(1, 31, 32, 33, 96, 131).map(modelDim -> Arguments.of(tokens, modelDim)));
    }

    @ParameterizedTest(name = "{0} tokens, modelDim {1}")
    @MethodSource("products")
    void projectionsFeedForwardAndHead(int tokens, int modelDim) {
        SplittableRandom random = new SplittableRandom(tokens * 1000 + modelDim);
        String where = tokens + " tokens, modelDim " + modelDim;
        Tensor x = Floats.scattered(Floats.tensor(random, 1, "queryLen", tokens, "modelDim", modelDim));
        int headDim = 6;
        var q = RandomModel.bf16(random, "q", 1, 5 * headDim, modelDim);
        var k = RandomModel.bf16(random, "k", 1, headDim, modelDim);
        var v = RandomModel.bf16(random, "v", 1, headDim, modelDim);
        QkvProjection.Input in = new QkvProjection.Input(x, q, k, v, headDim);
        rungs("qkv-projection", where, b -> b.qkvProjection().apply(in).query());
        rungs("qkv-projection", where, b -> b.qkvProjection().apply(in).key());
        rungs("qkv-projection", where, b -> b.qkvProjection().apply(in).value());
        var o = RandomModel.bf16(random, "o", 1, modelDim, 5 * headDim);
        Tensor context = Floats.scattered(Floats.tensor(random, 1, "heads", 5, "queryLen", tokens, "headDim", headDim));
        rungs("output-projection", where, b -> b.outputProjection().apply(new OutputProjection.Input(context, o)).hidden());
        var gate = RandomModel.bf16(random, "g", 1, 67, modelDim);
        var up = RandomModel.bf16(random, "u", 1, 67, modelDim);
        var down = RandomModel.bf16(random, "d", 1, modelDim, 67);
        rungs("feed-forward", where, b -> b.feedForward().apply(new FeedForward.Input(x, gate, up, down)).hidden());
        var table = RandomModel.bf16(random, "t", 1, 103, modelDim);
        for (OptionalDouble cap : List.of(OptionalDouble.empty(), OptionalDouble.of(30), OptionalDouble.of(4))) {
            rungs("lm-head", where + " cap " + cap, b -> b.lmHead().apply(new LmHead.Input(x, table, cap)).logits());
        }
    }

    @Test
    void feedForwardAndProjectionsOverSeveralTilesOfTokens() {
        SplittableRandom random = new SplittableRandom(5);
        for (int tokens : new int[] {511, 512, 513, 1030}) {
            Tensor x = Floats.tensor(random, 1, "queryLen", tokens, "modelDim", 24);
            var gate = RandomModel.bf16(random, "g", 1, 35, 24);
            var up = RandomModel.bf16(random, "u", 1, 35, 24);
            var down = RandomModel.bf16(random, "d", 1, 24, 35);
            rungs("feed-forward", tokens + " tokens", b -> b.feedForward().apply(new FeedForward.Input(x, gate, up, down)).hidden());
            var o = RandomModel.bf16(random, "o", 1, 24, 3 * 8);
            Tensor context = Floats.tensor(random, 1, "heads", 3, "queryLen", tokens, "headDim", 8);
            rungs("output-projection", tokens + " tokens", b -> b.outputProjection().apply(new OutputProjection.Input(context, o)).hidden());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 8, 12, 80, 256})
    void rotaryEmbedding(int headDim) {
        SplittableRandom random = new SplittableRandom(headDim);
        for (int start : new int[] {0, 1, 4097, 131071}) {
            for (int tokens : new int[] {1, 33}) {
                Tensor x = Floats.scattered(Floats.tensor(random, 1, "heads", 3, "queryLen", tokens, "headDim", headDim));
                rungs("rotary-embedding", "start " + start + " headDim " + headDim, b -> b.rotaryEmbedding()
                        .apply(new RotaryEmbedding.Input(x, start, 10000)).rotated());
            }
        }
    }

    // ---------------------------------------------------------------- attention

    private static final OptionalDouble[] CAPS = {OptionalDouble.empty(), OptionalDouble.of(5), OptionalDouble.of(50), OptionalDouble.of(100)};

    private record Qkv(DoubleTensor query, DoubleTensor key, DoubleTensor value) {
        static Qkv of(SplittableRandom random, int heads, int kvHeads, int queryLen, int keyLen, int headDim) {
            return new Qkv(Floats.tensor(random, 4, "heads", heads, "queryLen", queryLen, "headDim", headDim),
                    Floats.tensor(random, 4, "kvHeads", kvHeads, "keyLen", keyLen, "headDim", headDim),
                    Floats.tensor(random, 1, "kvHeads", kvHeads, "keyLen", keyLen, "headDim", headDim));
        }
    }

    /// The largest logit, rounded once, moves its weight by its own size times 2^-24: what the float baseline may be spared by luck.
    private static double floor(Qkv x, AttentionRule rule) {
        int headDim = x.query.shape().extent("headDim");
        return ThreeRungs.FLOOR + rule.softCap().orElse(1e9) * Math.tanh(16 * headDim * rule.scale() / 3 / rule.softCap().orElse(1e9)) * 0x1p-24;
    }

    private static void dense(String where, Qkv x, AttentionRule rule) {
        DenseAttention.Input in = new DenseAttention.Input(Floats.scattered(x.query), Floats.scattered(x.key), Floats.scattered(x.value), rule);
        rungs("dense-attention", where, floor(x, rule), b -> b.denseAttention().apply(in).context());
        assertThat(FAST.denseAttention().apply(in).pairsRead()).as(where).isEqualTo(REFERENCE.denseAttention().apply(in).pairsRead());
    }

    @ParameterizedTest
    @ValueSource(ints = {8, 12, 16, 32, 64, 80, 256})
    void denseAttentionOfEveryHeadDim(int headDim) {
        SplittableRandom random = new SplittableRandom(headDim);
        for (int[] heads : new int[][] {{2, 2}, {4, 2}, {8, 1}, {6, 3}}) {
            for (int window : new int[] {0, 5}) {
                for (OptionalDouble cap : CAPS) {
                    dense("headDim " + headDim + " heads " + Arrays.toString(heads) + " window " + window + " " + cap,
                            Qkv.of(random, heads[0], heads[1], 37, 37, headDim), new AttentionRule(1 / Math.sqrt(headDim), cap, new Visibility(window, false), 0, 0));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 31, 32, 33, 127, 180, 181, 500})
    void denseAttentionOfEveryLengthAndWindow(int length) {
        SplittableRandom random = new SplittableRandom(length);
        for (int window : new int[] {0, 1, 5, 64}) {
            for (boolean extra : new boolean[] {false, true}) {
                OptionalDouble cap = CAPS[(length + window) % CAPS.length];
                dense("length " + length + " window " + window + " extra key " + extra + " " + cap, Qkv.of(random, 2, 1, length, length, 12),
                        new AttentionRule(0.25, cap, new Visibility(window, window > 0 && extra), 0, 0));
            }
        }
    }

    @Test
    void chunkedPrefillAndDecodingSeeTheCacheBehindThem() {
        SplittableRandom random = new SplittableRandom(9);
        for (int[] c : new int[][] {{1, 1, 0, 0}, {1, 300, 299, 0}, {40, 300, 260, 0}, {33, 90, 160, 103}, {1, 64, 499, 436}, {1, 65, 499, 435}, {7, 71, 493, 429}}) {
            for (int window : new int[] {0, 5, 64}) {
                for (OptionalDouble cap : CAPS) {
                    if (window == 0 && c[3] > 0) {
                        continue; // a global layer forgets nothing
                    }
                    dense("queries " + c[0] + " keys " + c[1] + " from " + c[2] + ", cache from " + c[3] + " window " + window + " " + cap,
                            Qkv.of(random, 4, 2, c[0], c[1], 16), new AttentionRule(0.3, cap, new Visibility(window, false), c[2], c[3]));
                }
            }
        }
    }

    @Test
    void greatLogitsDoNotOverflow() {
        SplittableRandom random = new SplittableRandom(10);
        for (OptionalDouble cap : CAPS) {
            for (double factor : new double[] {1e3, 1e10}) {
                Qkv x = Qkv.of(random, 2, 1, 70, 70, 16);
                for (int i = 0; i < x.query.data().length; i++) {
                    x.query.data()[i] = (float) (x.query.data()[i] * factor);
                }
                AttentionRule rule = new AttentionRule(0.25, cap, Visibility.GLOBAL, 0, 0);
                if (cap.isPresent()) {
                    dense("logits times " + factor + " " + cap, x, rule);
                } else {
                    // without a cap the softmax is a maximum
                    DenseAttention.Input in = new DenseAttention.Input(x.query, x.key, x.value, rule);
                    assertThat(Arrays.stream(FAST.denseAttention().apply(in).context().toDouble().data())).allMatch(v -> Math.abs(v) <= 1);
                }
            }
        }
    }

    /// Lists as upstream leaves them and worse: out of order, keys twice, future keys, keys out of the window, none at all.
    private static KeySelection wildSelection(SplittableRandom random, QueryBlocks blocks, int keyFrom, int keyTo) {
        List<BlockSelection> lists = new ArrayList<>();
        for (QueryBlocks.Block block : blocks.blocks()) {
            int count = switch (lists.size() % 4) {
                case 0 -> 1 + random.nextInt(40);
                case 1 -> 0;
                case 2 -> 12;
                default -> 180 + random.nextInt(40);
            };
            int[] keys = IntStream.range(0, count).map(n -> keyFrom + random.nextInt(Math.min(keyTo, block.end() + 3) - keyFrom)).toArray();
            lists.add(new BlockSelection(keys, 0, count, 0, 0, count, new int[0]));
        }
        return new KeySelection(blocks, lists);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 16, 33})
    void sparseAttentionOfWildLists(int blockSize) {
        SplittableRandom random = new SplittableRandom(blockSize);
        for (int length : new int[] {1, 33, 127, 260}) {
            for (int denseFrom : new int[] {length, Math.max(0, length - 9), 0}) {
                for (int window : new int[] {0, 1, 5, 64}) {
                    for (int[] heads : new int[][] {{2, 2}, {8, 1}}) {
                        OptionalDouble cap = CAPS[random.nextInt(CAPS.length)];
                        sparse("blocks of " + blockSize + " length " + length + " dense from " + denseFrom + " window " + window + " " + cap,
                                Qkv.of(random, heads[0], heads[1], length, length, 12), wildSelection(random, QueryBlocks.fixed(denseFrom, length, blockSize), 0, length),
                                new AttentionRule(0.25, cap, new Visibility(window, window == 5), 0, 0));
                    }
                }
            }
        }
    }

    @Test
    void sparseDecodingReadsOnlyTheListedKeys() {
        SplittableRandom random = new SplittableRandom(77);
        for (int[] c : new int[][] {{300, 0, 0}, {299, 200, 64}, {0, 0, 0}}) {
            for (OptionalDouble cap : CAPS) {
                int position = c[0];
                int keys = position - c[1] + 1;
                QueryBlocks blocks = QueryBlocks.single(position);
                int[] list = IntStream.range(0, 50).map(n -> c[1] + random.nextInt(keys)).toArray();
                sparse("decoding at " + position + " cache from " + c[1] + " window " + c[2] + " " + cap, Qkv.of(random, 4, 2, 1, keys, 16),
                        new KeySelection(blocks, List.of(new BlockSelection(list, 0, 50, 0, 0, 50, new int[0]))),
                        new AttentionRule(0.3, cap, new Visibility(c[2], false), position, c[1]));
            }
        }
    }

    private static void sparse(String where, Qkv x, KeySelection selection, AttentionRule rule) {
        SparseAttention.Input in = new SparseAttention.Input(Floats.scattered(x.query), Floats.scattered(x.key), Floats.scattered(x.value), selection, rule);
        rungs("sparse-attention", where, floor(x, rule), b -> b.sparseAttention().apply(in).context());
        assertThat(FAST.sparseAttention().apply(in).pairsRead()).as(where).isEqualTo(REFERENCE.sparseAttention().apply(in).pairsRead());
    }

    // ---------------------------------------------------------------- DHSA

    @ParameterizedTest
    @EnumSource(Pooling.class)
    void chunkRepresentation(Pooling pooling) {
        SplittableRandom random = new SplittableRandom(4);
        Tensor states = Floats.scattered(Floats.tensor(random, 1, "heads", 3, "queryLen", 140, "headDim", 33));
        for (int[] boundaries : new int[][] {{0, 140}, {0, 1, 2, 3, 140}, {0, 16, 32, 48, 64, 80, 96, 112, 128, 140}, {0, 5, 5, 9, 133}, {0, 1}}) {
            for (int padTo : new int[] {0, 16}) {
                rungs("chunk-representation", pooling + " " + Arrays.toString(boundaries) + " padded to " + padTo, b -> b.chunkRepresentation()
                        .apply(new ChunkRepresentation.Input(states, Boundaries.of(boundaries), pooling, padTo)).chunks());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 8, 31, 64, 80, 257})
    void chunkSimilarityAndUpsampling(int headDim) {
        SplittableRandom random = new SplittableRandom(headDim);
        Tensor q = Floats.scattered(Floats.tensor(random, 1, "chunks", 7, "headDim", headDim));
        Tensor k = Floats.scattered(Floats.tensor(random, 1, "chunks", 5, "headDim", headDim));
        rungs("chunk-similarity", "headDim " + headDim, b -> b.chunkSimilarity().apply(new ChunkSimilarity.Input(q, k)).chunkScores());
        Tensor scores = Floats.tensor(random, 1, "queryBlocks", 7, "chunks", 5);
        rungs("upsampling", "", b -> b.upsampling().apply(new Upsampling.Input(scores, Boundaries.of(0, 1, 4, 4, 20, 21))).tokenScores());
    }

    static Stream<Arguments> predictors() {
        return Stream.of("attention", "attention with gate", "stack", "stack with gate", "cnn").flatMap(kind ->
                Stream.of(1, 3, 4).map(window -> Arguments.of(kind, window)));
    }

    static BoundaryPredictorWeights predictor(String kind, SplittableRandom random, int window, int c) {
        Optional<org.dhsa.model.WeightTensor> gate = kind.endsWith("gate") ? Optional.of(RandomModel.bf16(random, "gate", 1, 1, c)) : Optional.empty();
        int encoded = kind.equals("cnn") ? 11 : c;
        var mlp = new BoundaryPredictorWeights.DecisionMlp(RandomModel.bf16(random, "w0", 1 / Math.sqrt(encoded), 19, 4 * encoded + 1),
                RandomModel.bf16(random, "b0", 0.1, 19), RandomModel.bf16(random, "w2", 1, 1, 19), RandomModel.bf16(random, "b2", 0.1, 1));
        if (kind.equals("cnn")) {
            return new BoundaryPredictorWeights.Cnn(window, RandomModel.bf16(random, "dw", 1, c, 1, window), RandomModel.bf16(random, "db", 0.3, c),
                    RandomModel.bf16(random, "pw", 1, encoded, c, 1), RandomModel.bf16(random, "pb", 0.3, encoded), mlp);
        }
        if (kind.startsWith("stack")) {
            var blocks = Stream.generate(() -> new BoundaryPredictorWeights.Stack.Block(selfAttention(random, c), norm(random, c))).limit(2).toList();
            return new BoundaryPredictorWeights.Stack(window, blocks, norm(random, c), gate, mlp);
        }
        return new BoundaryPredictorWeights.Attention(window, selfAttention(random, c), norm(random, c), gate, mlp);
    }

    private static BoundaryPredictorWeights.SelfAttention selfAttention(SplittableRandom random, int c) {
        double scale = 2 / Math.sqrt(c);
        return new BoundaryPredictorWeights.SelfAttention(3, RandomModel.bf16(random, "in", scale, 3 * c, c), RandomModel.bf16(random, "ib", 0.3, 3 * c),
                RandomModel.bf16(random, "out", scale, c, c), RandomModel.bf16(random, "ob", 0.3, c));
    }

    private static BoundaryPredictorWeights.LayerNorm norm(SplittableRandom random, int c) {
        return new BoundaryPredictorWeights.LayerNorm(RandomModel.bf16(random, "nw", 1, c), RandomModel.bf16(random, "nb", 0.3, c));
    }

    @ParameterizedTest(name = "{0}, w = {1}")
    @MethodSource("predictors")
    void boundaryPredictionFromOneTokenOn(String kind, int window) {
        SplittableRandom random = new SplittableRandom(window);
        BoundaryPredictorWeights predictor = predictor(kind, random, window, 24);
        List<Tensor> keys = IntStream.of(1, 2, 2 * window - 1, 2 * window, 63, 64, 65, 130).<Tensor>mapToObj(length ->
                Floats.scattered(Floats.tensor(random, 2, "kvHeads", 2, "keyLen", length, "headDim", 12))).toList();
        // all lengths are one tensor: over one logit or two the baseline's error is a matter of luck
        rungs("boundary-prediction", kind + " w=" + window, b -> {
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
        return Stream.concat(single, Stream.of(SELECTION.with(c -> c.quirks = java.util.EnumSet.allOf(Quirk.class))))
                .flatMap(c -> Arrays.stream(DhsaConfig.TieOrder.values()).map(order -> Arguments.of(c.quirks(), order, c.with(x -> x.tieOrder = order))));
    }

    /// Scores that FP32 holds exactly leave no room: the lists are the same, and so is all that is said about them.
    @ParameterizedTest(name = "{0}, {1}")
    @MethodSource("rules")
    void topKSelectionIsTheReferences(java.util.Set<Quirk> quirks, DhsaConfig.TieOrder order, DhsaConfig config) {
        for (int seed = 0; seed < 30; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            int length = 1 + random.nextInt(130);
            int[] cuts = random.ints(random.nextInt(12), 0, length + 1).sorted().toArray();
            Boundaries boundaries = Boundaries.of(IntStream.concat(IntStream.concat(IntStream.of(0), Arrays.stream(cuts)), IntStream.of(length)).toArray());
            int denseFrom = random.nextInt(length + 1);
            QueryBlocks blocks = seed % 2 == 0 ? QueryBlocks.fixed(denseFrom, length, 7) : QueryBlocks.dynamic(boundaries, denseFrom, length, 7);
            int rows = blocks.blocks().stream().mapToInt(QueryBlocks.Block::segment).max().orElse(0) + 1;
            DoubleTensor chunkScores = Floats.tensor(random, 1, "queryBlocks", rows, "chunks", boundaries.chunks());
            for (int i = 0; i < chunkScores.data().length; i++) {
                double x = Math.rint(chunkScores.data()[i] * 3) + 0.0;
                chunkScores.data()[i] = seed % 5 == 4 && random.nextInt(3) == 0 ? Double.NaN : seed % 3 == 0 ? x : chunkScores.data()[i];
            }
            Visibility visibility = new Visibility(random.nextInt(3) * 15, false);
            int budget = 1 + random.nextInt(40);
            Tensor runs = FAST.upsampling().apply(new Upsampling.Input(chunkScores, boundaries)).tokenScores();
            KeySelection expected = REFERENCE.topKSelection().apply(new TopKSelection.Input(runs.toDouble(), blocks, visibility, budget, config)).selection();
            for (Tensor scores : new Tensor[] {runs, runs.toDouble()}) {
                KeySelection actual = FAST.topKSelection().apply(new TopKSelection.Input(scores, blocks, visibility, budget, config)).selection();
                assertThat(actual).as("seed %d, length %d, budget %d, %s, %s, %s", seed, length, budget, visibility, blocks, scores).isEqualTo(expected);
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
        assertThat(FAST.topKSelection().apply(in).selection().blocks().getFirst().keys())
                .containsExactly(REFERENCE.topKSelection().apply(in).selection().blocks().getFirst().keys()).containsExactly(0, 3, 5);
    }
}
