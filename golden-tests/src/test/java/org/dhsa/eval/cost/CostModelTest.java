package org.dhsa.eval.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.IntStream;
import org.dhsa.cli.Home;
import org.dhsa.eval.measure.AttentionWork;
import org.dhsa.eval.measure.WorkProbe;
import org.dhsa.eval.policy.PolicyRegistry;
import org.dhsa.eval.policy.PolicyResources;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.LayerKind;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.policy.DensePolicy;
import org.dhsa.policy.DhsaPolicy;
import org.dhsa.policy.LayerSelection;
import org.dhsa.policy.LayerState;
import org.dhsa.policy.OraclePolicy;
import org.dhsa.policy.PredictorCost;
import org.dhsa.policy.SelectionPolicy;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.weights.BoundaryPredictorLoader;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CostModelTest {

    private static SelectionPolicy policy(String spec) {
        return PolicyRegistry.create(spec, PolicyResources.NONE);
    }

    /// The analytic table of docs/policies.md: 26 layers of the 2B shape, budget 1024, blocks of 256, selection free of charge.
    @ParameterizedTest(name = "{0} tokens")
    @CsvSource({"4096, 10, 1.06, 2.6", "8192, 16, 1.14, 4.2", "16384, 24, 1.25, 6.7", "32768, 35, 1.46, 11.4", "65536, 49, 1.88, 20.6", "102400, 59, 2.34, 30.9"})
    void theAnalyticTable(int length, long sharePercent, double gain, double attentionGain) {
        SelectionPolicy dhsa = policy("dhsa:budget=1024,block=256,chunking=fixed-16");
        ModelShape shape = ModelShape.GEMMA2_2B;
        assertThat(Math.round(100 * CostModel.prefill(shape, length, new DensePolicy()).attentionShare())).isEqualTo(sharePercent);
        assertThat(CostModel.gain(shape, length, dhsa, true)).isCloseTo(gain, within(0.005));
        assertThat(CostModel.attentionGain(shape, length, dhsa)).isCloseTo(attentionGain, within(0.05));
    }

    @Test
    void memoryOf8kTokens() {
        CostModel.Memory f32 = CostModel.memory(ModelShape.GEMMA2_2B, 8192, new DensePolicy(), 4);
        assertThat(f32.weights()).isEqualTo(5_228_199_936L);
        assertThat(f32.cache()).isEqualTo(1_744_830_464L);
        assertThat(CostModel.memory(ModelShape.GEMMA2_2B, 8192, new DensePolicy(), 2).cache()).isEqualTo(872_415_232L);
        assertThat(f32.trimmed()).as("13 of 26 layers keep half").isEqualTo(f32.cache() / 4 * 3);
        assertThat(f32.eager()).as("8 heads of 8192 x 8192 floats").isEqualTo(8L * 8192 * 8192 * 4);
    }

    @Test
    void parametersOfThePublishedModels() {
        // the published counts with their embeddings: 2.61, 9.24 and 27.2 billion
        assertThat(ModelShape.PUBLISHED.stream().map(s -> Math.round(s.matrixWeights() / 1e7) / 100.0)).containsExactly(2.61, 9.24, 27.23);
    }

    /// What the formula says is what policies really read on a global layer; on a local layer it is no less.
    @ParameterizedTest
    @ValueSource(strings = {"dense", "sliding:window=7", "streaming:sinks=3,window=6", "streaming:sinks=3,window=6,block=4", "block-topk:budget=12,block=4",
        "block-topk:budget=3,block=4", "dhsa:budget=12,block=4,chunking=fixed-3", "dhsa:budget=12,block=4,local=2,sinks=1,chunking=fixed-5,heads=each", "oracle-row:budget=6", "oracle-block:budget=6,block=3", "h2o:budget=9,window=2"})
    void pairsAreWhatPoliciesRead(String spec) {
        for (int length : new int[] {1, 5, 12, 30, 41}) {
            for (int window : new int[] {0, 9}) {
                LayerState layer = layer(length, window);
                long read = policy(spec).open(new int[length]).select(layer).pairs(layer.rule(), length) / layer.heads();
                long said = PairModel.pairs(policy(spec), length, window);
                boolean exact = window == 0 && !spec.startsWith("oracle-block") || List.of("dense", "sliding", "streaming", "h2o").contains(spec.split(":")[0]);
                if (exact) {
                    assertThat(read).as("%s, %d tokens, window %d", spec, length, window).isEqualTo(said);
                } else {
                    assertThat(read).as("%s, %d tokens, window %d", spec, length, window).isLessThanOrEqualTo(said);
                }
            }
        }
    }

    /// The lists of a global layer hold what the formula says; those of a local layer no more.
    @ParameterizedTest
    @ValueSource(strings = {"dense", "sliding:window=7", "streaming:sinks=3,window=6,block=4", "block-topk:budget=12,block=4", "block-topk:budget=3,block=4",
        "dhsa:budget=12,block=4,chunking=fixed-3", "dhsa:budget=12,block=4,local=2,sinks=1,chunking=fixed-5,heads=each", "oracle-row:budget=6", "oracle-block:budget=6,block=3", "h2o:budget=9,window=2"})
    void keysLoadedAreWhatIsListed(String spec) {
        for (int length : new int[] {1, 5, 12, 30, 300}) {
            for (int window : new int[] {0, 9}) {
                LayerState layer = layer(length, window);
                LayerSelection selection = policy(spec).open(new int[length]).select(layer);
                long loaded = AttentionWork.of(1, layer.kind(), selection, layer.rule(), length, 1, 4).elementsLoaded();
                long said = PairModel.listed(policy(spec), length, window) * 2 * 4 * (PairModel.sharedHeads(policy(spec)) ? 1 : layer.heads());
                if (window == 0) {
                    assertThat(loaded).as("%s, %d tokens", spec, length).isEqualTo(said);
                } else {
                    assertThat(loaded).as("%s, %d tokens, window %d", spec, length, window).isPositive().isLessThanOrEqualTo(said);
                }
            }
        }
    }

    private static LayerState layer(int length, int window) {
        Random random = new Random(length);
        LayerKind kind = window == 0 ? new LayerKind.Global() : new LayerKind.Local(window);
        AttentionRule rule = new AttentionRule(0.5, OptionalDouble.empty(), Visibility.of(kind), 0, 0);
        return new LayerState(0, 1, kind, random(random, Shape.of("heads", 2, "queryLen", length, "headDim", 4)),
                random(random, Shape.of("kvHeads", 1, "keyLen", length, "headDim", 4)), rule, length, false, new ReferenceBackend());
    }

    private static DoubleTensor random(Random random, Shape shape) {
        return DoubleTensor.of(shape, IntStream.range(0, (int) shape.elements()).mapToDouble(i -> random.nextGaussian()).toArray());
    }

    /// A nominal density d of all keys is 2d − d² of the causal pairs.
    @Test
    void aNominalDensityReadsMoreOfTheCausalPairs() {
        int length = 32_768;
        double real = (double) PairModel.pairs(policy("oracle-row:budget=" + length / 8), length, 0) / PairModel.pairs(new DensePolicy(), length, 0);
        assertThat(real).isCloseTo(2 * 0.125 - 0.125 * 0.125, within(1e-4));
    }

    @Test
    void selectingCostsSomethingButLittle() {
        SelectionPolicy dhsa = policy("dhsa:budget=1024,block=256,chunking=fixed-16");
        CostModel.Flops flops = CostModel.prefill(ModelShape.GEMMA2_2B, 8192, dhsa);
        // means of 8 + 4 heads, 32 blocks against 512 chunks, in each of 26 layers
        assertThat(flops.selection()).isEqualTo(26 * (8192L * 12 * 256 + 32L * 512 * 2 * 256));
        CostModel.Flops oracle = CostModel.prefill(ModelShape.GEMMA2_2B, 8192, OraclePolicy.row(1024));
        assertThat(oracle.selection()).as("an oracle pays for the dense logits").isGreaterThan(oracle.attention());
    }

    /// What policies count while they choose, summed over the layers of a model, is what the cost model says: the boundary predictor of layer 0,
    /// pooling, scores. Predicted chunks are counted with the number there were; the model's own number is the most there can be.
    @Test
    void whatSelectingCostsIsWhatPoliciesCount() throws Exception {
        Path folder = Home.find().tinyModel();
        BoundaryPredictorWeights predictor = BoundaryPredictorLoader.load(folder.resolve("boundary_predictor.safetensors"), OptionalInt.empty(), OptionalInt.empty());
        int length = 83;
        try (Gemma2Model model = Gemma2Loader.load(folder); OptimizedBackend fast = new OptimizedBackend(1)) {
            int[] ids = new Random(3).ints(length, 5, model.config().vocabSize()).toArray();
            ModelShape shape = ModelShape.of("tiny", model.config());
            for (String spec : List.of("block-topk:budget=16,block=8", "block-topk:budget=16,block=8,heads=each", "dhsa:budget=24,block=8,chunking=fixed-5",
                    "dhsa:budget=24,block=8,theta=-100", "dhsa:budget=24,block=8,heads=each,aggregation=min-max", "dhsa:budget=24,block=8,boundaries=each", "dhsa:budget=24,block=8,masks=shared",
                    "dhsa:budget=24,block=8,chunking=random", "dhsa:budget=24,block=8,chunking=labels,theta=1", "oracle-row:budget=9", "sliding:window=9")) {
                SelectionPolicy policy = PolicyRegistry.create(spec, PolicyResources.of(predictor));
                WorkProbe work = new WorkProbe(model.config());
                int[] chunks = new int[1];
                new Gemma2Forward(model.config(), model.weights(), fast, EmbeddingScale.EXACT).open(AttentionMode.Policy.strict(countingChunks(policy, chunks)), work).prefill(ids);
                if (policy instanceof DhsaPolicy dhsa && !dhsa.config().shareBoundaries()) {
                    // every layer has its own number of chunks: between one and the most
                    assertThat(work.selectionFlops()).as(spec).isBetween(CostModel.selection(shape, length, policy, 1),
                            CostModel.selection(shape, length, policy, CostModel.chunks(dhsa, length)));
                } else {
                    assertThat(work.selectionFlops()).as(spec).isEqualTo(CostModel.selection(shape, length, policy, chunks[0]));
                }
            }
        }
    }

    /// The same policy; at layer 0 it also cuts the prompt once more, to say how many chunks there are.
    private static SelectionPolicy countingChunks(SelectionPolicy policy, int[] chunks) {
        return new SelectionPolicy() {
            @Override
            public String name() {
                return policy.name();
            }

            @Override
            public Selector open(int[] promptIds) {
                Selector selector = policy.open(promptIds);
                return layer -> {
                    if (layer.layer() == 0 && policy instanceof DhsaPolicy dhsa) {
                        chunks[0] = dhsa.chunks().prompt(layer, promptIds, dhsa.config()).chunks();
                    }
                    return selector.select(layer);
                };
            }
        };
    }

    /// The published predictor on the shape of Gemma 2 2B: 3 projections of 1024 x 1024 per token; per gap attention among 8 tokens, their output
    /// projection, pooling, features, and two layers of 4097 x 256 and 256.
    @Test
    void theBoundaryPredictorIsCountedByItsShapes() throws Exception {
        BoundaryPredictorWeights predictor = BoundaryPredictorLoader.load(Home.find().tinyModel().resolve("boundary_predictor.safetensors"), OptionalInt.empty(), OptionalInt.empty());
        long hidden = predictor.mlp().weight0().dim(0);
        assertThat(predictor.window()).isEqualTo(4);
        long perGap = 4 * 64 * 1024 + 2 * 8 * 1024 * 1024 + 8 * 1024 + 8 * 1024 + 2 * (4 * 1024 + 1) * hidden + 2 * hidden;
        assertThat(PredictorCost.flops(predictor, 1024, 100, 1)).isEqualTo(100L * 6 * 1024 * 1024 + perGap);
        assertThat(PredictorCost.flops(predictor, 1024, 100, 7)).isEqualTo(100L * 6 * 1024 * 1024 + 7 * perGap);
        assertThat(PredictorCost.flops(predictor, 5, 5)).isEqualTo(PredictorCost.flops(predictor, predictor.channels(), 5, 5));
    }

    @Test
    void decodingReadsTheWeightsAndTheKeys() {
        CostModel.Decode dense = CostModel.decode(ModelShape.GEMMA2_2B, 8191, 8192, 2);
        assertThat(dense.bytes()).isEqualTo(5_228_199_936L + (13L * 8192 + 13L * 4096) * 2 * 1024 * 2);
        assertThat(CostModel.decode(ModelShape.GEMMA2_2B, 8191, 1024, 2).bytes()).isEqualTo(5_228_199_936L + 26L * 1024 * 2 * 1024 * 2);
        assertThatIllegalArgumentException().isThrownBy(() -> CostModel.decode(ModelShape.GEMMA2_2B, 10, 12, 2)).withMessageContaining("keysRead must lie in [1, 11]");
    }

    @Test
    void whatCannotBeSaidIsNotSaid() {
        assertThatIllegalArgumentException().isThrownBy(() -> PairModel.pairs(OraclePolicy.topP(0.9), 100, 0)).withMessageContaining("measure it");
        assertThatIllegalArgumentException().isThrownBy(() -> PairModel.pairs(policy("dhsa:chunking=fixed-4,queries=chunks"), 100, 0)).withMessageContaining("measure it");
        assertThatIllegalArgumentException().isThrownBy(() -> PairModel.pairs(new DensePolicy(), 0, 0)).withMessageContaining("length must be positive");
    }
}
