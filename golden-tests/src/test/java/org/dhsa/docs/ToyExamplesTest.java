package org.dhsa.docs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.LayerKind;
import org.dhsa.model.Profile;
import org.dhsa.model.WeightTensor;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.reference.baseline.H2oCache;
import org.dhsa.reference.baseline.KvCompression;
import org.dhsa.reference.baseline.MergeRegions;
import org.dhsa.reference.baseline.PyramidKvCache;
import org.dhsa.reference.baseline.StreamingLlmCache;
import org.dhsa.reference.dhsa.BoundaryPredictionReference;
import org.dhsa.reference.dhsa.WindowEncoder;
import org.dhsa.reference.gemma.FeedForwardReference;
import org.dhsa.reference.labels.AttentionMassRatio;
import org.dhsa.reference.labels.FocalLoss;
import org.dhsa.reference.labels.SoftLabel;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Embedding;
import org.dhsa.stage.FeedForward;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.NonMaximumSuppression;
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
import org.dhsa.weights.BoundaryPredictorLoader;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// Every number in a `toy` block of the documentation is computed again, by the code that the page is about.
class ToyExamplesTest {

    private interface Page {
        void compute(Iterator<Toy> toys) throws Exception;
    }

    private static final Map<String, Page> PAGES = new LinkedHashMap<>();

    static {
        PAGES.put("docs/stages/01-embedding.md", ToyExamplesTest::embedding);
        PAGES.put("docs/stages/02-rms-norm.md", ToyExamplesTest::rmsNorm);
        PAGES.put("docs/stages/03-qkv-projection.md", ToyExamplesTest::qkvProjection);
        PAGES.put("docs/stages/04-rotary-embedding.md", ToyExamplesTest::rotaryEmbedding);
        PAGES.put("docs/stages/05-dense-attention.md", ToyExamplesTest::denseAttention);
        PAGES.put("docs/stages/06-boundary-prediction.md", ToyExamplesTest::boundaryPrediction);
        PAGES.put("docs/stages/07-non-maximum-suppression.md", ToyExamplesTest::nonMaximumSuppression);
        PAGES.put("docs/stages/08-chunk-representation.md", ToyExamplesTest::chunkRepresentation);
        PAGES.put("docs/stages/09-chunk-similarity.md", ToyExamplesTest::chunkSimilarity);
        PAGES.put("docs/stages/10-upsampling.md", ToyExamplesTest::upsampling);
        PAGES.put("docs/stages/11-top-k-selection.md", ToyExamplesTest::topKSelection);
        PAGES.put("docs/stages/12-sparse-attention.md", ToyExamplesTest::sparseAttention);
        PAGES.put("docs/stages/13-output-projection.md", ToyExamplesTest::outputProjection);
        PAGES.put("docs/stages/14-residual-add.md", ToyExamplesTest::residualAdd);
        PAGES.put("docs/stages/15-feed-forward.md", ToyExamplesTest::feedForward);
        PAGES.put("docs/stages/16-lm-head.md", ToyExamplesTest::lmHead);
        PAGES.put("docs/labels.md", ToyExamplesTest::labels);
        PAGES.put("docs/baselines.md", ToyExamplesTest::baselines);
        PAGES.put("docs/decode.md", ToyExamplesTest::decode);
        PAGES.put("docs/path-of-a-token.md", ToyExamplesTest::pathOfAToken);
    }

    private static final ReferenceBackend BACKEND = new ReferenceBackend();

    @TestFactory
    Collection<DynamicTest> everyToyIsComputed() {
        List<DynamicTest> tests = new ArrayList<>();
        for (Documents.Document page : Documents.all()) {
            List<Documents.Code> blocks = page.codes("toy");
            if (!blocks.isEmpty() || PAGES.containsKey(page.name())) {
                tests.add(DynamicTest.dynamicTest(page.name(), () -> {
                    assertThat(PAGES).as("pages whose toys are computed").containsKey(page.name());
                    run(blocks.stream().map(b -> Toy.parse(b.text())).toList(), PAGES.get(page.name()));
                }));
            }
        }
        return tests;
    }

    private static void run(List<Toy> toys, Page page) throws Exception {
        Iterator<Toy> all = toys.iterator();
        page.compute(all);
        assertThat(all.hasNext()).as("a toy block that nobody computes").isFalse();
        toys.forEach(Toy::requireAllUsed);
    }

    @Test
    void aWrongNumberIsReported() {
        assertThatThrownBy(() -> run(List.of(Toy.parse("x = [[1, 2]]\nbranch = [[10, 20]]\nhidden = [[11, 23]]")), ToyExamplesTest::residualAdd))
                .isInstanceOf(AssertionError.class).hasMessageContaining("the page says 23");
        Toy rounded = Toy.parse("third = 0.333\nfourth = 0.25");
        rounded.check("third", 1 / 3.0);
        assertThatThrownBy(() -> rounded.check("third", 0.334)).isInstanceOf(AssertionError.class);
        assertThatThrownBy(rounded::requireAllUsed).isInstanceOf(AssertionError.class).hasMessageContaining("fourth");
    }

    // ---- Gemma 2

    private static void embedding(Iterator<Toy> toys) {
        Toy toy = toys.next();
        toy.check("hidden", data(BACKEND.embedding()
                .apply(new Embedding.Input(toy.integers("ids"), weight(toy, "table"), EmbeddingScale.EXACT)).hidden()));
        Toy factors = toys.next();
        for (int modelDim : new int[] {2304, 3584}) {
            factors.check("exact" + modelDim, EmbeddingScale.EXACT.factor(modelDim));
            factors.check("bf16Of" + modelDim, EmbeddingScale.BF16_ROUNDED.factor(modelDim));
        }
    }

    private static void rmsNorm(Iterator<Toy> toys) {
        while (toys.hasNext()) {
            Toy toy = toys.next();
            toy.check("normed", data(BACKEND.rmsNorm().apply(
                    new RmsNorm.Input(toy.tensor("x", "queryLen", "modelDim"), weight(toy, "weight"), toy.number("eps"))).normed()));
        }
    }

    private static void qkvProjection(Iterator<Toy> toys) {
        Toy toy = toys.next();
        QkvProjection.Output out = BACKEND.qkvProjection().apply(new QkvProjection.Input(toy.tensor("x", "queryLen", "modelDim"),
                weight(toy, "qProj"), weight(toy, "kProj"), weight(toy, "vProj"), 2));
        toy.check("query", data(out.query()));
        toy.check("key", data(out.key()));
        toy.check("value", data(out.value()));
    }

    private static void rotaryEmbedding(Iterator<Toy> toys) {
        Toy toy = toys.next();
        double theta = toy.number("theta");
        toy.check("rotated", data(BACKEND.rotaryEmbedding().apply(new RotaryEmbedding.Input(
                toy.tensor("x", "heads", "queryLen", "headDim"), toy.integer("startPosition"), theta)).rotated()));
        Toy dots = toys.next();
        DoubleTensor unit = DoubleTensor.of(Shape.of("heads", 1, "queryLen", 1, "headDim", 4), 1, 0, 0, 0);
        double[][] at = new double[6][];
        for (int position = 0; position < at.length; position++) {
            at[position] = data(BACKEND.rotaryEmbedding().apply(new RotaryEmbedding.Input(unit, position, theta)).rotated());
        }
        dots.check("dot53", dot(at[5], at[3]));
        dots.check("dot20", dot(at[2], at[0]));
    }

    private static void denseAttention(Iterator<Toy> toys) {
        Visibility two = new Visibility(2, false);
        Toy masks = toys.next();
        masks.checkPicture("global", picture(4, Visibility.GLOBAL::sees));
        masks.checkPicture("local2", picture(4, two::sees));
        masks.checkPicture("local2PlusOne", picture(4, new Visibility(2, true)::sees));

        Toy means = toys.next();
        means.check("globalMeans", denseMeans(means.numbers("value"), Visibility.GLOBAL));
        means.check("local2Means", denseMeans(means.numbers("value"), two));

        Toy caps = toys.next();
        AttentionRule half = new AttentionRule(0.5, OptionalDouble.of(50), Visibility.GLOBAL, 0, 0);
        caps.check("logitOf200", half.logit(200));
        caps.check("cappedTooEarly", 0.5 * new AttentionRule(1, OptionalDouble.of(50), Visibility.GLOBAL, 0, 0).logit(200));
    }

    private static double[] denseMeans(double[] values, Visibility visibility) {
        DoubleTensor value = column(values);
        DoubleTensor query = DoubleTensor.zeros(Shape.of("heads", 1, "queryLen", values.length, "headDim", 2));
        Tensor context = BACKEND.denseAttention().apply(new DenseAttention.Input(query,
                DoubleTensor.zeros(value.shape()), value, new AttentionRule(1, OptionalDouble.of(50), visibility, 0, 0))).context();
        return everySecond(data(context));
    }

    private static void outputProjection(Iterator<Toy> toys) {
        Toy toy = toys.next();
        toy.check("hidden", data(BACKEND.outputProjection().apply(new OutputProjection.Input(
                toy.tensor("context", "heads", "queryLen", "headDim"), weight(toy, "oProj"))).hidden()));
    }

    private static void residualAdd(Iterator<Toy> toys) {
        Toy toy = toys.next();
        toy.check("hidden", data(BACKEND.residualAdd().apply(new ResidualAdd.Input(
                toy.tensor("x", "queryLen", "modelDim"), toy.tensor("branch", "queryLen", "modelDim"))).hidden()));
    }

    private static void feedForward(Iterator<Toy> toys) {
        Toy toy = toys.next();
        toy.check("hidden", data(BACKEND.feedForward().apply(new FeedForward.Input(toy.tensor("x", "queryLen", "modelDim"),
                weight(toy, "gateProj"), weight(toy, "upProj"), weight(toy, "downProj"))).hidden()));
        toy.check("geluOf1", FeedForwardReference.geluTanh(1));
        toy.check("geluOfMinus1", FeedForwardReference.geluTanh(-1));
        toy.check("geluOf2", FeedForwardReference.geluTanh(2));
    }

    private static void lmHead(Iterator<Toy> toys) {
        Toy toy = toys.next();
        toy.check("logits", data(BACKEND.lmHead().apply(new LmHead.Input(toy.tensor("x", "queryLen", "modelDim"),
                weight(toy, "table"), OptionalDouble.of(toy.number("softCap")))).logits()));
    }

    // ---- DHSA

    private static void boundaryPrediction(Iterator<Toy> toys) {
        Toy toy = toys.next();
        double[] one = {1, 0, 0, 1};
        BoundaryPredictorWeights predictor = new BoundaryPredictorWeights.Cnn(1,
                WeightTensor.of("depthwise", new double[] {1, 1}, 2, 1, 1), WeightTensor.of("depthwise bias", new double[2], 2),
                WeightTensor.of("pointwise", one, 2, 2, 1), WeightTensor.of("pointwise bias", new double[2], 2),
                new BoundaryPredictorWeights.DecisionMlp(WeightTensor.of("weight0", new double[] {0, 0, 0, 0, 1, 1, 0, 0, 0}, 1, 9),
                        WeightTensor.of("bias0", new double[1], 1), WeightTensor.of("weight2", new double[] {1}, 1, 1),
                        WeightTensor.of("bias2", new double[] {-1}, 1)));
        DoubleTensor key = toy.tensor("key", "kvHeads", "keyLen", "headDim");
        WindowEncoder encoder = WindowEncoder.of(predictor);
        toy.check("fused1", BoundaryPredictionReference.fuse(encoder.encode(
                BoundaryPredictionReference.window(BoundaryPredictionReference.features(key), 1, 1)), encoder.cosineEps()));
        toy.check("logits", data(BACKEND.boundaryPrediction().apply(new BoundaryPrediction.Input(key, predictor)).logits()));
    }

    private static void nonMaximumSuppression(Iterator<Toy> toys) {
        Toy toy = toys.next();
        DhsaConfig config = DhsaConfig.DEFAULT.with(b -> {
            b.theta = OptionalDouble.of(toy.number("theta"));
            b.nmsWindow = toy.integer("nmsWindow");
            b.instructionTokens = OptionalInt.empty();
        });
        NonMaximumSuppression.Output out = suppress(toy, config);
        toy.check("filled", data(out.filled()));
        toy.check("accepted", out.accepted());
        toy.check("boundaries", out.boundaries().toArray());

        Toy instruction = toys.next();
        DhsaConfig corrected = config.with(b -> b.instructionTokens = OptionalInt.of(instruction.integer("instructionTokens")));
        instruction.check("acceptedCorrected", suppress(toy, corrected).accepted());
        instruction.check("boundariesCorrected", suppress(toy, corrected).boundaries().toArray());
        DhsaConfig upstream = corrected.with(b -> b.quirks = Profile.UPSTREAM.quirks());
        instruction.check("acceptedUpstream", suppress(toy, upstream).accepted());
        instruction.check("boundariesUpstream", suppress(toy, upstream).boundaries().toArray());
    }

    private static NonMaximumSuppression.Output suppress(Toy toy, DhsaConfig config) {
        return BACKEND.nonMaximumSuppression().apply(new NonMaximumSuppression.Input(toy.tensor("logits", "keyLen"),
                toy.integer("window"), toy.integer("chunkBudget"), config));
    }

    private static void chunkRepresentation(Iterator<Toy> toys) {
        Toy keys = toys.next();
        DoubleTensor states = keys.tensor("keyHeads", "kvHeads", "keyLen", "headDim");
        Boundaries boundaries = Boundaries.of(keys.integers("boundaries"));
        keys.check("keyChunks", represent(states, boundaries, ChunkRepresentation.Pooling.MEAN_SQRT_LENGTH, 0));
        keys.check("plainMean", represent(states, boundaries, ChunkRepresentation.Pooling.MEAN, 0));

        Toy queries = toys.next();
        DoubleTensor query = queries.tensor("query", "heads", "queryLen", "headDim");
        queries.check("queryChunks", represent(query, Boundaries.uniform(8, queries.integer("blockSize")),
                ChunkRepresentation.Pooling.MEAN_SQRT_LENGTH, 0));

        Toy partial = toys.next();
        DoubleTensor three = partial.tensor("query", "heads", "queryLen", "headDim");
        partial.check("real", represent(three, Boundaries.uniform(3, 2), ChunkRepresentation.Pooling.MEAN_SQRT_LENGTH, 0));
        partial.check("padded", represent(three, Boundaries.uniform(3, 2), ChunkRepresentation.Pooling.MEAN_SQRT_LENGTH, 2));
    }

    private static double[] represent(Tensor states, Boundaries segments, ChunkRepresentation.Pooling pooling, int padTo) {
        return data(BACKEND.chunkRepresentation().apply(new ChunkRepresentation.Input(states, segments, pooling, padTo)).chunks());
    }

    private static void chunkSimilarity(Iterator<Toy> toys) {
        Toy toy = toys.next();
        toy.check("chunkScores", data(BACKEND.chunkSimilarity().apply(new ChunkSimilarity.Input(
                toy.tensor("queryChunks", "chunks", "headDim"), toy.tensor("keyChunks", "chunks", "headDim"))).chunkScores()));
    }

    private static void upsampling(Iterator<Toy> toys) {
        Toy toy = toys.next();
        Boundaries boundaries = Boundaries.of(toy.integers("boundaries"));
        toy.check("chunkOf", IntStream.range(0, boundaries.totalLength()).map(boundaries::chunkOf).toArray());
        toy.check("tokenScores", data(BACKEND.upsampling().apply(
                new Upsampling.Input(toy.tensor("chunkScores", "queryBlocks", "chunks"), boundaries)).tokenScores()));
    }

    private static void topKSelection(Iterator<Toy> toys) {
        Toy toy = toys.next();
        KeySelection corrected = select(toy, Profile.CORRECTED);
        toy.checkLists("corrected", lists(corrected));
        KeySelection.BlockSelection last = corrected.blocks().getLast();
        toy.check("forced3", last.forced());
        toy.check("selected3", last.selected());
        toy.check("threshold3", last.threshold());
        toy.check("margin3", last.margin());
        toy.check("greater3", last.greater());
        toy.check("tieGroup3", last.tieGroup());
        toys.next().checkLists("upstream", lists(select(toy, Profile.UPSTREAM)));
    }

    private static KeySelection select(Toy toy, Profile profile) {
        DhsaConfig config = DhsaConfig.DEFAULT.with(b -> {
            b.blockSize = toy.integer("blockSize");
            b.budget = toy.integer("budget");
            b.localTokens = toy.integer("localTokens");
            b.globalTokens = toy.integer("globalTokens");
            b.quirks = profile.quirks();
        });
        DoubleTensor scores = toy.tensor("tokenScores", "queryBlocks", "keyLen");
        int length = scores.shape().extent("keyLen");
        return BACKEND.topKSelection().apply(new TopKSelection.Input(scores, QueryBlocks.fixed(length, length, config.blockSize()),
                Visibility.GLOBAL, config.budget(), config)).selection();
    }

    private static List<int[]> lists(KeySelection selection) {
        return selection.blocks().stream().map(KeySelection.BlockSelection::keys).toList();
    }

    private static void sparseAttention(Iterator<Toy> toys) {
        Toy scores = Toy.parse(Documents.doc("docs/stages/11-top-k-selection.md").codes("toy").getFirst().text());
        KeySelection corrected = select(scores, Profile.CORRECTED);
        KeySelection upstream = select(scores, Profile.UPSTREAM);

        Toy masks = toys.next();
        masks.checkPicture("corrected", picture(corrected));
        masks.checkPicture("upstream", picture(upstream));
        Toy values = toys.next();
        double[] value = values.numbers("value");
        SparseAttention.Output right = sparse(value, corrected);
        SparseAttention.Output authors = sparse(value, upstream);
        masks.check("pairsReadCorrected", right.pairsRead());
        masks.check("pairsReadUpstream", authors.pairsRead());
        values.check("correctedContext", Arrays.copyOfRange(everySecond(data(right.context())), 6, 8));
        values.check("upstreamContext", Arrays.copyOfRange(everySecond(data(authors.context())), 6, 8));

        KeySelection repeated = new KeySelection(QueryBlocks.fixed(2, 2, 2), List.of(new KeySelection.BlockSelection(
                new int[] {0, 1, 1, 1}, 0, 4, Double.NaN, Double.POSITIVE_INFINITY, 0, new int[0])));
        toys.next().check("repeatedContext", everySecond(data(sparse(new double[] {0, 1}, repeated).context()))[1]);
    }

    private static SparseAttention.Output sparse(double[] values, KeySelection selection) {
        DoubleTensor value = column(values);
        return BACKEND.sparseAttention().apply(new SparseAttention.Input(
                DoubleTensor.zeros(Shape.of("heads", 1, "queryLen", values.length, "headDim", 2)), DoubleTensor.zeros(value.shape()),
                value, selection, new AttentionRule(1, OptionalDouble.empty(), Visibility.GLOBAL, 0, 0)));
    }

    // ---- labels and baselines

    private static void labels(Iterator<Toy> toys) {
        Toy mass = toys.next();
        mass.check("ratio", data(AttentionMassRatio.apply(new AttentionMassRatio.Input(
                mass.tensor("attention", "queryLen", "keyLen"), mass.integer("window"), OptionalInt.empty(), false)).ratio()));
        Toy soft = toys.next();
        double[] labels = SoftLabel.published(soft.numbers("ratios"));
        soft.check("soft", labels);
        soft.check("hard", SoftLabel.harden(labels));
        Toy loss = toys.next();
        double[] logits = loss.numbers("logits");
        boolean[] mask = new boolean[logits.length];
        Arrays.fill(mask, true);
        loss.check("loss", FocalLoss.none(new FocalLoss.Input(logits, loss.numbers("targets"), mask, 2, OptionalDouble.of(1.3))));
    }

    private static void baselines(Iterator<Toy> toys) {
        Toy kept = toys.next();
        int length = kept.integer("length");
        KvCompression.Config config = new KvCompression.Config(kept.integer("windowSize"), kept.integer("capacity"), false, false, false,
                Profile.CORRECTED);
        kept.check("h2oKeeps", H2oCache.keptCount(length, config));
        kept.check("streamingKeeps", StreamingLlmCache.kept(length, config));
        kept.check("pyramidKeepsPerLayer", IntStream.range(0, 4).map(layer -> PyramidKvCache.keptCount(length,
                new PyramidKvCache.Pyramid(config, 4, layer, 5, PyramidKvCache.Pooling.AVERAGE, 20))).toArray());
        Toy merge = toys.next();
        merge.check("merged", data(MergeRegions.merge(merge.tensor("attention", "queryLen", "keyLen"),
                Boundaries.of(merge.integers("boundaries")), true)));
    }

    // ---- whole models

    private static void decode(Iterator<Toy> toys) throws Exception {
        Toy toy = toys.next();
        Boundaries prompt = Boundaries.of(toy.integers("promptBoundaries"));
        int channels = 2 * 16;
        BoundaryPredictorWeights firesAlways = new BoundaryPredictorWeights.Cnn(2, zeros(channels, 1, 2), zeros(channels),
                zeros(1, channels, 1), zeros(1), new BoundaryPredictorWeights.DecisionMlp(zeros(1, 5), zeros(1), zeros(1, 1), zeros(1)));
        DhsaConfig config = DhsaConfig.DEFAULT.with(b -> {
            b.blockSize = 1;
            b.theta = OptionalDouble.empty();
            b.nmsWindow = 2;
            b.instructionTokens = OptionalInt.empty();
        });
        Map<Integer, Boundaries> seen = new HashMap<>();
        Probe probe = new Probe() {
            @Override
            public void boundaries(int layer, Boundaries boundaries) {
                seen.put(layer, boundaries);
            }
        };
        try (Gemma2Model model = Gemma2Loader.load(Documents.RECORDINGS.resolve("e2e/model"))) {
            Gemma2Forward.Session session = new Gemma2Forward(model.config(), model.weights(), BACKEND, EmbeddingScale.EXACT)
                    .open(new AttentionMode.Dhsa(config, Optional.of(firesAlways), Optional.of(prompt)), probe);
            session.prefill(IntStream.range(2, 2 + prompt.totalLength()).toArray());
            for (int position = prompt.totalLength(); toy.has("afterToken" + position); position++) {
                session.decode(3);
                toy.check("afterToken" + position, seen.get(0).toArray());
                assertThat(seen.get(3)).as("every layer follows layer 0").isEqualTo(seen.get(0));
            }
        }
    }

    private static void pathOfAToken(Iterator<Toy> toys) throws Exception {
        Toy prompt = toys.next();
        Toy decoded = toys.next();
        Path folder = Documents.ROOT.resolve("golden-tests/models/tiny-gemma2");
        JsonNode sample = new ObjectMapper().readTree(Files.readAllLines(folder.resolve("niah_samples.jsonl")).get(12));
        int[] ids = IntStream.range(0, sample.get("input_ids").size()).map(i -> sample.get("input_ids").get(i).intValue()).toArray();
        DhsaConfig config = DhsaConfig.DEFAULT.with(b -> {
            b.blockSize = 16;
            b.budget = 128;
            b.decodeBudget = 128;
            b.localTokens = 16;
            b.globalTokens = 4;
            b.instructionTokens = OptionalInt.of(18);
        });
        BoundaryPredictorWeights predictor = BoundaryPredictorLoader.load(folder.resolve("boundary_predictor.safetensors"), 8, null);
        Walk walk = new Walk();
        try (Gemma2Model model = Gemma2Loader.load(folder)) {
            Gemma2Forward forward = new Gemma2Forward(model.config(), model.weights(), BACKEND, EmbeddingScale.EXACT);
            decoded.check("answerDense", greedy(forward.open(new AttentionMode.Dense()), ids, () -> { }, () -> { }));
            decoded.check("answerDhsa", greedy(forward.open(AttentionMode.Dhsa.predicted(config, predictor), walk), ids, () -> {
                int[] needle = prompt.integers("needleChunk");
                prompt.check("promptTokens", ids.length);
                prompt.check("chunks", walk.boundaries.chunks());
                int chunk = walk.boundaries.chunkOf(needle[0]);
                prompt.check("needleChunk", walk.boundaries.start(chunk), walk.boundaries.end(chunk));
                prompt.check("chunkBudget", config.chunkBudget(ids.length));
                KeySelection global = walk.selections.get(1);
                QueryBlocks.Block last = global.queryBlocks().blocks().getLast();
                prompt.check("queryBlocks", global.blocks().size());
                prompt.check("lastBlock", last.start(), last.end());
                prompt.check("forcedInLastBlock", global.blocks().getLast().forced());
                prompt.check("ambiguousLayer1", (int) global.ambiguousBlocks());
                prompt.check("localPairsRead", walk.pairs.get(0)[0]);
                prompt.check("localPairsDense", walk.pairs.get(0)[1]);
                prompt.check("globalPairsRead", walk.pairs.get(1)[0]);
                prompt.check("globalPairsDense", walk.pairs.get(1)[1]);
            }, () -> {
                int[] needle = prompt.integers("needleChunk");
                decoded.check("firstDecodedPosition", walk.selections.get(1).queryBlocks().blocks().getFirst().start());
                decoded.check("decodePairsRead", walk.pairs.get(1)[0]);
                decoded.check("decodePairsDense", walk.pairs.get(1)[1]);
                decoded.check("needleKeysRead", (int) Arrays.stream(walk.selections.get(1).blocks().getFirst().keys())
                        .filter(k -> k >= needle[0] && k < needle[1]).count());
            }));
        }
    }

    private static int[] greedy(Gemma2Forward.Session session, int[] ids, Runnable afterPrompt, Runnable afterFirst) {
        List<Integer> answer = new ArrayList<>();
        double[] logits = data(session.prefill(ids));
        afterPrompt.run();
        while (true) {
            int best = 0;
            for (int id = 1; id < logits.length; id++) {
                best = logits[id] > logits[best] ? id : best;
            }
            answer.add(best);
            if (best == 1 || answer.size() > 16) {
                return answer.stream().mapToInt(Integer::intValue).toArray();
            }
            logits = data(session.decode(best));
            if (answer.size() == 1) {
                afterFirst.run();
            }
        }
    }

    private static final class Walk implements Probe {
        private final Map<Integer, KeySelection> selections = new HashMap<>();
        private final Map<Integer, double[]> pairs = new HashMap<>();
        private Boundaries boundaries;

        @Override
        public void boundaries(int layer, Boundaries found) {
            boundaries = found;
        }

        @Override
        public void selection(int layer, LayerKind kind, KeySelection selection) {
            selections.put(layer, selection);
        }

        @Override
        public void attention(int layer, LayerKind kind, long pairsRead, long pairsVisible) {
            pairs.put(layer, new double[] {pairsRead, pairsVisible});
        }
    }

    // ---- small things

    private interface Sees {
        boolean sees(int query, int key);
    }

    private static List<String> picture(int length, Sees rule) {
        return IntStream.range(0, length).mapToObj(q -> String.join(" ",
                IntStream.range(0, length).mapToObj(k -> rule.sees(q, k) ? "x" : ".").toList())).toList();
    }

    private static List<String> picture(KeySelection selection) {
        return picture(selection.queryBlocks().end(), (query, key) -> {
            for (int b = 0; b < selection.blocks().size(); b++) {
                QueryBlocks.Block block = selection.queryBlocks().blocks().get(b);
                if (query >= block.start() && query < block.end()) {
                    return key <= query && Arrays.stream(selection.blocks().get(b).keys()).anyMatch(k -> k == key);
                }
            }
            return false;
        });
    }

    /// Values in channel 0, zeros in channel 1: one head, two channels.
    private static DoubleTensor column(double[] values) {
        double[] data = new double[2 * values.length];
        for (int i = 0; i < values.length; i++) {
            data[2 * i] = values[i];
        }
        return DoubleTensor.of(Shape.of("kvHeads", 1, "keyLen", values.length, "headDim", 2), data);
    }

    private static double[] everySecond(double[] data) {
        return IntStream.range(0, data.length / 2).mapToDouble(i -> data[2 * i]).toArray();
    }

    private static double[] data(Tensor tensor) {
        return tensor.toDouble().data();
    }

    private static double dot(double[] a, double[] b) {
        return IntStream.range(0, a.length).mapToDouble(i -> a[i] * b[i]).sum();
    }

    private static WeightTensor weight(Toy toy, String name) {
        return WeightTensor.of(name, toy.numbers(name), toy.dims(name));
    }

    private static WeightTensor zeros(long... dims) {
        return WeightTensor.of("zeros", new double[(int) Arrays.stream(dims).reduce(1, (a, b) -> a * b)], dims);
    }
}
