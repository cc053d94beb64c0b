package org.dhsa.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.dhsa.backend.Backend;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.LayerKind;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.reference.baseline.BlockSparseAttention;
import org.dhsa.reference.baseline.TopKAttentionMask;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.testing.Picture;
import org.dhsa.testing.Tensors;
import org.junit.jupiter.api.Test;

/// Each policy on cases small enough to see, and against the separate reference of the same method where there is one.
class PoliciesTest {

    private static final LayerKind GLOBAL = new LayerKind.Global();
    private static final Backend BACKEND = new ReferenceBackend();

    private static LayerSelection select(SelectionPolicy policy, LayerState layer) {
        return policy.open(PolicyCases.ids(layer.end())).select(layer);
    }

    private static String picture(SelectionPolicy policy, LayerState layer) {
        return Picture.ofRows(select(policy, layer).of(0), layer.visibility(), layer.end());
    }

    @Test
    void sinksAndWindow() {
        assertThat(picture(new StreamingPolicy(1, 2, 1), PolicyCases.layer(1, 6, GLOBAL, 0))).isEqualTo("""
                x . . . . .
                x x . . . .
                x x x . . .
                x . x x . .
                x . . x x .
                x . . . x x""");
    }

    @Test
    void rowsThatShareAWindowReadMore() {
        assertThat(picture(new StreamingPolicy(0, 2, 3), PolicyCases.layer(1, 6, GLOBAL, 0))).isEqualTo("""
                x . . . . .
                x x . . . .
                x x x . . .
                . . x x . .
                . . x x x .
                . . x x x x""");
    }

    @Test
    void aLocalLayerForgetsTheSinks() {
        assertThat(picture(new StreamingPolicy(1, 2, 1), PolicyCases.layer(1, 6, new LayerKind.Local(4), 0))).isEqualTo("""
                x . . . . .
                x x . . . .
                x x x . . .
                x . x x . .
                . . . x x .
                . . . . x x""");
    }

    /// One head, one channel: the logit is the product. Row 4 looks at keys 5, 1, 3, 1, 2 with query 1.
    @Test
    void theOracleTakesTheLargestWeights() {
        LayerState layer = line(new double[] {1, 1, 1, 1, 1}, new double[] {5, 1, 3, 1, 2});
        assertThat(select(OraclePolicy.row(2), layer).of(0).blocks().get(4).keys()).containsExactly(0, 2);
        assertThat(select(OraclePolicy.row(4), layer).of(0).blocks().get(4).keys()).as("of the two equal ones the first").containsExactly(0, 1, 2, 4);
        // weights of row 4 are e^5, e^3, e^2, e, e over their sum of 181.3: 0.819, 0.111, 0.041, 0.015, 0.015
        assertThat(select(OraclePolicy.topP(0.81), layer).of(0).blocks().get(4).keys()).containsExactly(0);
        assertThat(select(OraclePolicy.topP(0.82), layer).of(0).blocks().get(4).keys()).containsExactly(0, 2);
        assertThat(select(OraclePolicy.topP(0.96), layer).of(0).blocks().get(4).keys()).containsExactly(0, 2, 4);
    }

    /// Rows 3 and 4 want different keys; together they want what both like.
    @Test
    void aBlockOracleAddsTheMassOfItsRows() {
        LayerState layer = line(new double[] {0, 0, 0, 1, -1}, new double[] {3, -3, 2, -9, -9});
        LayerSelection block = select(new OraclePolicy(5, true, 2, 0), layer);
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        double[] received = new double[5];
        for (int row = 0; row < 5; row++) {
            double[] one = weights.row(0, row);
            IntStream.range(0, one.length).forEach(j -> received[j] += one[j]);
        }
        int[] best = IntStream.range(0, 5).boxed().sorted((a, b) -> Double.compare(received[b], received[a])).limit(2).mapToInt(j -> j).sorted().toArray();
        assertThat(block.of(0).blocks().getFirst().keys()).isEqualTo(best);
    }

    private static LayerState line(double[] queries, double[] keys) {
        return new LayerState(0, 1, GLOBAL, Tensors.query(Arrays.stream(queries).mapToObj(q -> new double[] {q}).toArray(double[][]::new)), Tensors.keys(keys),
                new AttentionRule(1, OptionalDouble.empty(), Visibility.GLOBAL, 0, 0), queries.length, false, BACKEND);
    }

    /// The authors' upper bound averages heads and forces each query's own key in; without a tie at the edge that is all the difference.
    @Test
    void theSharedRowOracleIsTheAuthorsTopKBaseline() {
        LayerState layer = PolicyCases.layer(12, 14, GLOBAL, 0);
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        DoubleTensor attention = DoubleTensor.zeros(Shape.of("heads", layer.heads(), "queryLen", 14, "keyLen", 14));
        for (int h = 0; h < layer.heads(); h++) {
            for (int row = 0; row < 14; row++) {
                double[] one = weights.row(h, row);
                System.arraycopy(one, 0, attention.data(), (h * 14 + row) * 14, one.length);
            }
        }
        boolean[][] authors = TopKAttentionMask.apply(new TopKAttentionMask.Input(attention, 4, 1, false)).keepCausal();
        LayerSelection oracle = select(new OraclePolicy(1, true, 4, 0), layer);
        int same = 0;
        for (int row = 3; row < 14; row++) {
            int[] own = oracle.of(0).blocks().get(row).keys();
            int last = row;
            if (Arrays.stream(own).anyMatch(j -> j == last)) {
                boolean[] mask = authors[row];
                assertThat(IntStream.range(0, 14).filter(j -> mask[j]).toArray()).isEqualTo(own);
                same++;
            }
        }
        assertThat(same).as("rows whose own key is among the best").isPositive();
    }

    @Test
    void wholeBlocksAsInTheAuthorsBaseline() {
        LayerState layer = PolicyCases.layer(4, 32, GLOBAL, 0);
        List<List<Integer>> authors = BlockSparseAttention.apply(
                new BlockSparseAttention.Input(layer.query(), layer.key(), layer.key(), 4, 3, layer.rule())).blockIndices();
        LayerSelection own = select(new BlockTopKPolicy(4, 14, true), layer);
        for (int b = 2; b < 8; b++) {
            assertThat(Arrays.stream(own.of(0).blocks().get(b).keys()).map(j -> j / 4).distinct().boxed().toList()).isEqualTo(authors.get(b));
            assertThat(own.of(0).blocks().get(b).keys()).hasSize(12);
        }
        assertThat(own.selectionFlops()).as("means of 4 + 2 heads, 8 x 8 dot products of 4 channels").isEqualTo(32 * 6 * 4 + 64 * 8);
    }

    @Test
    void eachHeadForItselfIsTheSharedPolicyOnThatHeadAlone() {
        LayerState layer = PolicyCases.layer(6, 20, GLOBAL, 0);
        DhsaConfig config = PolicyCases.config(6, 3);
        List<SelectionPolicy> each = List.of(new BlockTopKPolicy(3, 6, false), new DhsaPolicy(config, new ChunkSource.Fixed(4), ChunkScoring.MEAN_SQRT, false));
        List<SelectionPolicy> shared = List.of(new BlockTopKPolicy(3, 6, true), new DhsaPolicy(config, new ChunkSource.Fixed(4), ChunkScoring.MEAN_SQRT, true));
        for (int p = 0; p < 2; p++) {
            for (int h = 0; h < 4; h++) {
                LayerState alone = new LayerState(0, 2, GLOBAL, BACKEND.rows(layer.query(), h, h + 1), BACKEND.rows(layer.key(), h / 2, h / 2 + 1),
                        layer.rule(), 20, false, BACKEND);
                assertThat(select(each.get(p), layer).of(h)).isEqualTo(select(shared.get(p), alone).of(0));
            }
        }
    }

    /// Keys 1, −3, 2 | 4 of one channel.
    @Test
    void howAChunkBecomesOneVector() {
        DoubleTensor keys = Tensors.keys(1, -3, 2, 4);
        Boundaries chunks = Boundaries.of(0, 3, 4);
        assertThat(ChunkScoring.MEAN.keys(BACKEND, keys, chunks).data()).containsExactly(0, 4);
        assertThat(ChunkScoring.SUM.keys(BACKEND, Tensors.keys(1, 2, 3, 4), chunks).data()).containsExactly(6, 4);
        assertThat(ChunkScoring.MEAN_SQRT.keys(BACKEND, Tensors.keys(1, 2, 3, 4), chunks).data()).containsExactly(new double[] {2 * Math.sqrt(3), 4}, within(1e-12));
        assertThat(ChunkScoring.MAX.keys(BACKEND, keys, chunks).data()).containsExactly(2, 4);
        DoubleTensor bounds = ChunkScoring.MIN_MAX.keys(BACKEND, keys, chunks);
        assertThat(bounds.data()).as("minimum, maximum of each chunk").containsExactly(-3, 2, 4, 4);
        DoubleTensor queries = DoubleTensor.of(Shape.of("chunks", 2, "headDim", 1), 2, -1);
        assertThat(ChunkScoring.MIN_MAX.scores(BACKEND, queries, bounds).data()).as("2·2, 2·4; −1·−3, −1·4").containsExactly(4, 8, 3, -4);
    }

    @Test
    void theEnvelopeBoundsEveryProduct() {
        Random random = new Random(3);
        DoubleTensor keys = Tensors.random(random, 1, "kvHeads", 1, "keyLen", 30, "headDim", 6);
        Boundaries chunks = Boundaries.of(0, 4, 5, 19, 30);
        DoubleTensor queries = Tensors.random(random, 1, "chunks", 7, "headDim", 6);
        DoubleTensor scores = ChunkScoring.MIN_MAX.scores(BACKEND, queries, ChunkScoring.MIN_MAX.keys(BACKEND, keys, chunks));
        for (int i = 0; i < 7; i++) {
            for (int j = 0; j < 30; j++) {
                double dot = 0;
                for (int d = 0; d < 6; d++) {
                    dot += queries.at(i, d) * keys.at(0, j, d);
                }
                assertThat(dot).isLessThanOrEqualTo(scores.at(i, chunks.chunkOf(j)) + 1e-12);
            }
        }
    }

    @Test
    void whereChunksComeFrom() {
        LayerState layer = PolicyCases.layer(9, 40, GLOBAL, 0);
        DhsaConfig config = PolicyCases.config(10, 4);
        int[] ids = PolicyCases.ids(40);
        assertThat(new ChunkSource.Fixed(16).prompt(layer, ids, config)).isEqualTo(Boundaries.of(0, 16, 32, 40));
        assertThat(new ChunkSource.SentenceEnds(Set.of(4)).prompt(layer, ids, config)).as("after each token 4").isEqualTo(Boundaries.of(0, 5, 22, 39, 40));
        Boundaries labels = new ChunkSource.Labels(2, 1.1).prompt(layer, ids, config);
        assertThat(labels.chunks()).isGreaterThan(2);
        Boundaries shuffled = new ChunkSource.Shuffled(new ChunkSource.Given(Boundaries.of(0, 1, 3, 6, 10, 15, 40)), 1).prompt(layer, ids, config);
        assertThat(IntStream.range(0, 6).map(shuffled::length).boxed().toList()).containsExactlyInAnyOrder(1, 2, 3, 4, 5, 25).isNotEqualTo(List.of(1, 2, 3, 4, 5, 25));
        assertThatIllegalArgumentException().isThrownBy(() -> new ChunkSource.SentenceEnds(Set.of(4)).prompt(layer, new int[0], config))
                .withMessageContaining("need the ids of all 40 tokens, got 0");
    }

    /// Fixed chunks go on while tokens are decoded; the prompt's last chunk is filled first.
    @Test
    void fixedChunksGoOnWhileDecoding() {
        ChunkSource fixed = new ChunkSource.Fixed(4);
        DhsaConfig config = PolicyCases.config(4, 2);
        assertThat(fixed.close(decoded(8), Boundaries.of(0, 4, 8), 6, config)).isEmpty();
        assertThat(fixed.close(decoded(9), Boundaries.of(0, 4, 9), 6, config)).contains(8);
    }

    private static LayerState decoded(int length) {
        DoubleTensor keys = Tensors.random(new Random(length), 1, "kvHeads", 2, "keyLen", length, "headDim", 4);
        return new LayerState(0, 2, GLOBAL, Tensors.random(new Random(1), 1, "heads", 4, "queryLen", 1, "headDim", 4), keys,
                new AttentionRule(1, OptionalDouble.empty(), Visibility.GLOBAL, length - 1, 0), length, true, BACKEND);
    }

    /// A thinned cache reads what it kept of the prompt, and everything since.
    @Test
    void aCacheKeepsItsBudgetAndWhatCameLater() {
        LayerState prompt = PolicyCases.layer(2, 30, GLOBAL, 0);
        for (CachePolicy.Kind kind : CachePolicy.Kind.values()) {
            CachePolicy policy = new CachePolicy(kind, 12, 4, 3, 4);
            SelectionPolicy.Selector selector = policy.open(new int[0]);
            assertThat(selector.select(prompt).pairs(prompt.rule(), 30)).as("the prompt is dense").isEqualTo(4 * 30 * 31 / 2);
            selector.select(decoded(31));
            LayerSelection second = selector.select(decoded(32));
            for (int h = 0; h < 4; h++) {
                int[] keys = second.of(h).blocks().getFirst().keys();
                assertThat(Arrays.stream(keys).filter(j -> j >= 30)).as(policy.name()).containsExactly(30, 31);
                int kept = (int) Arrays.stream(keys).filter(j -> j < 30).count();
                // the first of two layers of a pyramid keeps twice the past keys, less what the last one keeps
                assertThat(kept).as(policy.name()).isEqualTo(kind == CachePolicy.Kind.PYRAMIDKV ? 18 : 12);
                assertThat(keys).as(policy.name()).isSorted().doesNotHaveDuplicates();
            }
            assertThat(second.of(0)).isEqualTo(second.of(1));
            assertThat(second.isShared()).isEqualTo(kind != CachePolicy.Kind.SNAPKV);
        }
    }

    @Test
    void whatIsWrongIsNamed() {
        assertThatIllegalArgumentException().isThrownBy(() -> new StreamingPolicy(-1, 2, 1)).withMessage("sinks must be at least 0, was -1");
        assertThatIllegalArgumentException().isThrownBy(() -> new BlockTopKPolicy(0, 2, true)).withMessage("block must be positive, was 0");
        assertThatIllegalArgumentException().isThrownBy(() -> new OraclePolicy(1, true, 0, 0)).withMessageContaining("either a positive budget or a mass");
        assertThatIllegalArgumentException().isThrownBy(() -> new OraclePolicy(1, true, 3, 0.5)).withMessageContaining("either a positive budget or a mass");
        assertThatIllegalArgumentException().isThrownBy(() -> new PolicySetting(-1, true, PolicySetting.Layers.ALL)).withMessage("denseTail must be at least 0, was -1");
        LayerState layer = PolicyCases.layer(2, 8, GLOBAL, 0);
        assertThatIllegalArgumentException().isThrownBy(() -> new LayerState(2, 2, GLOBAL, layer.query(), layer.key(), layer.rule(), 8, false, BACKEND))
                .withMessage("layer 2 is outside the 2 layers");
        assertThatIllegalArgumentException().isThrownBy(() -> new LayerState(0, 2, GLOBAL, layer.query(), layer.key(), layer.rule(), 9, false, BACKEND))
                .withMessage("denseFrom must lie in [0, 8], was 9");
        LayerSelection dense = select(new DensePolicy(), layer);
        assertThatIllegalArgumentException().isThrownBy(() -> new LayerSelection(List.of(dense.of(0), dense.of(0)), 4, 0))
                .withMessage("one selection, or one for each of 4 heads, not 2");
    }
}
