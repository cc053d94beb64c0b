package org.dhsa.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.stream.IntStream;
import org.dhsa.backend.Backend;
import org.dhsa.model.LayerKind;
import org.dhsa.model.Profile;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.reference.baseline.FlexPrefillBlocks;
import org.dhsa.reference.baseline.VerticalSlashIndex;
import org.dhsa.reference.baseline.XAttentionBlocks;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.testing.Picture;
import org.dhsa.testing.Tensors;
import org.junit.jupiter.api.Test;

/// MInference, XAttention, FlexPrefill and SampleAttention on cases small enough to see.
class EstimatingPoliciesTest {

    private static final LayerKind GLOBAL = new LayerKind.Global();
    private static final Backend BACKEND = new ReferenceBackend();

    /// Row 7 looks at key 4, all other rows look at everything alike.
    private static final double[] LAST_ROW_LOOKS = {0, 0, 0, 0, 0, 0, 0, 1};
    private static final double[] AT_KEY_4 = {0, 0, 0, 0, 20, 0, 0, 0};

    private static LayerSelection select(SelectionPolicy policy, LayerState layer) {
        return policy.open(new int[0]).select(layer);
    }

    private static String picture(SelectionPolicy policy, LayerState layer) {
        return Picture.ofRows(select(policy, layer).of(0), layer.visibility(), layer.end());
    }

    /// One head, one channel, scale 1: the logit is the product.
    private static LayerState line(OptionalDouble softCap, int denseTail, double[] queries, double... keys) {
        return new LayerState(0, 1, GLOBAL, Tensors.query(Arrays.stream(queries).mapToObj(q -> new double[] {q}).toArray(double[][]::new)), Tensors.keys(keys),
                new AttentionRule(1, softCap, Visibility.GLOBAL, 0, 0), queries.length - denseTail, false, BACKEND);
    }

    private static LayerState line(double[] queries, double... keys) {
        return line(OptionalDouble.empty(), 0, queries, keys);
    }

    /// Methods for the prompt leave decoding dense.
    @Test
    void decodedTokensReadEverything() {
        DoubleTensor keys = Tensors.random(new Random(1), 1, "kvHeads", 2, "keyLen", 9, "headDim", 4);
        LayerState token = new LayerState(0, 2, GLOBAL, Tensors.random(new Random(2), 1, "heads", 4, "queryLen", 1, "headDim", 4), keys,
                new AttentionRule(1, OptionalDouble.empty(), Visibility.GLOBAL, 8, 0), 9, true, BACKEND);
        List<SelectionPolicy> policies = new ArrayList<>(EstimatingPolicyCases.all(2, 2));
        policies.addAll(EstimatingPolicyCases.withoutBudget());
        for (SelectionPolicy policy : policies) {
            SelectionPolicy.Selector selector = policy.open(new int[0]);
            selector.select(PolicyCases.layer(4, 8, GLOBAL, 0));
            LayerSelection selection = selector.select(token);
            assertThat(selection.pairs(token.rule(), 9)).as("%s", policy).isEqualTo(4 * 9);
            assertThat(selection.selectionFlops()).as("%s", policy).isZero();
        }
    }

    @Test
    void anAShapeIsStreamingInThePrompt() {
        LayerState layer = PolicyCases.layer(1, 20, GLOBAL, 3);
        assertThat(select(new MInferenceAShapePolicy(2, 5, 1), layer)).isEqualTo(select(new StreamingPolicy(2, 5, 1), layer));
        assertThat(select(new MInferenceAShapePolicy(2, 5, 4), layer)).isEqualTo(select(new StreamingPolicy(2, 5, 4), layer));
    }

    @Test
    void oneColumnAndTwoDiagonals() {
        LayerState layer = line(LAST_ROW_LOOKS, AT_KEY_4);
        assertThat(picture(new MInferenceVerticalSlashPolicy(1, 2, 1, 1, Profile.CORRECTED), layer)).as("column 4, distances 0 and 3").isEqualTo("""
                x . . . . . . .
                . x . . . . . .
                . . x . . . . .
                x . . x . . . .
                . x . . x . . .
                . . x . x x . .
                . . . x x . x .
                . . . . x . . x""");
        assertThat(picture(new MInferenceVerticalSlashPolicy(1, 2, 1, 2, Profile.CORRECTED), layer)).as("a diagonal is a band of two keys").isEqualTo("""
                x . . . . . . .
                x x . . . . . .
                x . x . . . . .
                x . x x . . . .
                . x x . x . . .
                . x x . x x . .
                . . . x x . x .
                . . . x x . x x""");
        assertThat(select(new MInferenceVerticalSlashPolicy(1, 2, 3, 1, Profile.CORRECTED), layer).selectionFlops()).as("8 + 7 + 6 logits of one channel").isEqualTo(42);
    }

    /// The question judges, though it attends densely itself.
    @Test
    void theLastRowsJudgeAlsoWhereTheyAreDense() {
        LayerState tail = line(OptionalDouble.empty(), 2, LAST_ROW_LOOKS, AT_KEY_4);
        assertThat(picture(new MInferenceVerticalSlashPolicy(1, 2, 1, 1, Profile.CORRECTED), tail)).as("the six sparse rows").endsWith("\n. . x . x x . .");
        assertThat(select(new SampleAttentionPolicy(0.5, 0.1, 0.1, 1), tail).of(0).blocks().get(5).keys()).containsExactly(4, 5);
    }

    /// Rows 64 to 127, distances 0, 70, 100: the ranges [0, 64) for 100 and, 30 keys on, a whole 64 more, which holds the rest.
    @Test
    void theKernelReadsRangesOf64() {
        List<VerticalSlashIndex.Ranges> ranges = VerticalSlashIndex.ranges(new int[] {3, 200}, new int[] {0, 70, 100}, 256);
        assertThat(ranges).hasSize(4);
        assertThat(ranges.get(1).starts()).containsExactly(0, 64);
        assertThat(ranges.get(1).columns()).isEmpty();
        // rows 192 to 255: 256 − 100 = 156 opens [92, 156); 186 lengthens to 220; 256 to 284
        assertThat(ranges.get(3).starts()).containsExactly(92, 156, 220);
        assertThat(ranges.get(3).columns()).as("200 is inside").containsExactly(3);
    }

    @Test
    void theOwnBlockIsNotForced() {
        // means of the key blocks: 3, 1, −1
        LayerState layer = line(new double[] {1, 1, 1, 1, 1, 1}, 3, 3, 1, 1, -1, -1);
        assertThat(picture(new MInferenceBlockSparsePolicy(2, 1, Profile.CORRECTED), layer)).isEqualTo("""
                x . . . . .
                x x . . . .
                x x . . . .
                x x . . . .
                x x . . . .
                x x . . . .""");
        LayerSelection two = select(new MInferenceBlockSparsePolicy(2, 2, Profile.CORRECTED), layer);
        assertThat(two.of(0).blocks().getLast().keys()).containsExactly(0, 1, 2, 3);
        assertThat(two.selectionFlops()).as("means of 6 and 6 rows, 3 x 3 dot products").isEqualTo(12 + 18);
    }

    /// The last key alone has 3; averaged with a zero it has 1.5, and 2 is better.
    @Test
    void theCodeAveragesTheTailWithZeros() {
        LayerState layer = line(new double[] {1, 1, 1, 1, 1}, 2, 2, 0, 0, 3);
        assertThat(select(new MInferenceBlockSparsePolicy(2, 1, Profile.CORRECTED), layer).of(0).blocks().getLast().keys()).containsExactly(4);
        assertThat(select(new MInferenceBlockSparsePolicy(2, 1, Profile.UPSTREAM), layer).of(0).blocks().getLast().keys()).containsExactly(0, 1);
    }

    /// Groups of two: queries backwards (2, 1), (4, 3), keys (1, 0), (0, 1). Row 1 has the products 4 and 3, the logits 2 and 1.5, the weights 0.622 and 0.378.
    @Test
    void antidiagonalsOfTwoByTwoTiles() {
        double[] queries = {1, 2, 3, 4};
        double[] keys = {1, 0, 0, 1};
        LayerState layer = line(queries, keys);
        DoubleTensor dots = BACKEND.chunkSimilarity().apply(new org.dhsa.stage.ChunkSimilarity.Input(XAttentionBlocks.groups(layer.query().toDouble(), 0, 2, 2, true),
                XAttentionBlocks.groups(layer.key().toDouble(), 0, 2, 2, false))).chunkScores().toDouble();
        double[][] scores = XAttentionBlocks.scores(dots, layer.rule(), 2, 2, a -> 0);
        assertThat(scores[0]).containsExactly(1, 0);
        assertThat(scores[1]).containsExactly(new double[] {0.6225, 0.3775}, within(1e-4));
        assertThat(lastKeys(new XAttentionPolicy(2, 2, 0.62, Profile.CORRECTED), layer)).as("the own block is not forced").containsExactly(0, 1);
        assertThat(lastKeys(new XAttentionPolicy(2, 2, 0.63, Profile.CORRECTED), layer)).containsExactly(0, 1, 2, 3);
        assertThat(lastKeys(new XAttentionPolicy(2, 2, 0.1, Profile.UPSTREAM), layer)).as("own block and the best other one, whatever the threshold").containsExactly(0, 1, 2, 3);
        assertThat(lastKeys(new XAttentionPolicy(2, 2, 0.62, Profile.CORRECTED), line(OptionalDouble.of(1), 0, queries, keys)))
                .as("a cap of 1 makes 0.964 and 0.905 of the logits").containsExactly(0, 1, 2, 3);
        assertThat(select(new XAttentionPolicy(2, 2, 0.5, Profile.CORRECTED), layer).selectionFlops()).as("2 x 2 groups of 2 channels").isEqualTo(16);
    }

    private static int[] lastKeys(SelectionPolicy policy, LayerState layer) {
        return select(policy, layer).of(0).blocks().getLast().keys();
    }

    /// Both rules of the code on one row of blocks, 4 of which hold 0.4, 0.1, 0.3, 0.2.
    @Test
    void theFirstChunkLagsByOneBlock() {
        double[][] scores = {{1, 0, 0, 0}, {0.5, 0.5, 0, 0}, {0.3, 0.3, 0.4, 0}, {0.4, 0.1, 0.3, 0.2}};
        XAttentionBlocks.Official one = new XAttentionBlocks.Official(512, 128, 16, 512, false, false);
        // own 0.2, then 0.4 untested, then 0.3 because 0.2 is below 0.5; 0.1 is not taken because 0.6 is not
        assertThat(one.keep(scores, 0, 0.5)[3]).containsExactly(true, false, true, true);
        XAttentionBlocks.Official two = new XAttentionBlocks.Official(512, 128, 16, 256, false, false);
        // block 0 and own are 0.6: no other block is wanted
        assertThat(two.keep(scores, 0, 0.5)[3]).containsExactly(true, false, false, true);
        assertThat(two.keep(scores, 0, 0.7)[3]).containsExactly(true, false, true, true);
        assertThat(XAttentionBlocks.Official.defaultChunkSize(800)).isEqualTo(2048);
        assertThat(XAttentionBlocks.Official.defaultChunkSize(10_000)).isEqualTo(16_384);
        assertThat(XAttentionBlocks.Official.defaultChunkSize(40_000)).isEqualTo(4096);
    }

    @Test
    void howFarTwoDistributionsAre() {
        assertThat(FlexPrefillBlocks.distance(new double[] {0.5, 0.5, 0}, new double[] {0.5, 0.5, 0})).isZero();
        assertThat(FlexPrefillBlocks.distance(new double[] {1, 0}, new double[] {0, 1})).isCloseTo(Math.sqrt(Math.log(2)), within(1e-15));
        // m = (0.75, 0.25): ½ (ln(1 / 0.75)) + ½ (½ ln(0.5 / 0.75) + ½ ln(0.5 / 0.25))
        assertThat(FlexPrefillBlocks.distance(new double[] {1, 0}, new double[] {0.5, 0.5}))
                .isCloseTo(Math.sqrt(0.5 * Math.log(4 / 3.0) + 0.25 * Math.log(2 / 3.0) + 0.25 * Math.log(2)), within(1e-15));
    }

    /// Rows 6 and 7 judge. Column 4 and distance 3 hold more than 0.3 of their mass each. First and own block are always there.
    @Test
    void linesBesideTheFirstAndTheOwnBlock() {
        LayerState layer = line(LAST_ROW_LOOKS, AT_KEY_4);
        assertThat(picture(new FlexPrefillPolicy(0.3, 0, 1, 0, 2, Profile.CORRECTED), layer)).isEqualTo("""
                x . . . . . . .
                x x . . . . . .
                x x x . . . . .
                x x x x . . . .
                x x x . x . . .
                x x x . x x . .
                x x . x x . x .
                x x . x x . x x""");
        LayerSelection most = select(new FlexPrefillPolicy(1, 0, 1, 1, 2, Profile.CORRECTED), layer);
        assertThat(most.of(0).blocks().getLast().keys()).as("one column and one diagonal at most").containsExactly(0, 1, 3, 4, 6, 7);
        LayerSelection fewest = select(new FlexPrefillPolicy(0.3, 0, 3, 0, 2, Profile.CORRECTED), layer);
        assertThat(fewest.of(0).blocks().getLast().keys()).as("at least the columns 4, 0, 1 and the distances 3, 0, 1").containsExactly(0, 1, 3, 4, 5, 6, 7);
    }

    /// Over all rows of blocks together, no block too many: without the smallest of them the share is missed.
    @Test
    void aQueryAwareHeadTakesTheFewestBlocksOfTheWholeMap() {
        LayerState layer = PolicyCases.layer(8, 30, GLOBAL, 0);
        LayerSelection selection = select(new FlexPrefillPolicy(0.6, 2, 1, 0, 3, Profile.CORRECTED), layer);
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        for (int h = 0; h < layer.heads(); h++) {
            double[] flat = FlexPrefillPolicy.map(layer, h, 30, 3).stream().flatMapToDouble(Arrays::stream).toArray();
            int[] order = Lists.ranked(flat).stream().mapToInt(Integer::intValue).toArray();
            double sum = 0;
            int count = 0;
            while (sum < 0.6 * 10) {
                sum += flat[order[count++]];
            }
            int[] best = Arrays.copyOf(order, count);
            LineScores lines = FlexPrefillPolicy.view(layer, weights, h, 3).lines();
            int column = Lists.ranked(lines.vertical()).getFirst();
            int distance = Lists.ranked(lines.slash()).getFirst();
            for (int r = 0; r < 10; r++) {
                int row = r;
                int[] expected = IntStream.range(0, 3 * r + 3).filter(j -> j / 3 == 0 || j / 3 == row || IntStream.of(best).anyMatch(b -> b == row * 10 + j / 3)
                        || j == column || j + distance >= 3 * row && j + distance < 3 * row + 3).toArray();
                assertThat(selection.of(h).blocks().get(r).keys()).isEqualTo(expected);
            }
        }
    }

    /// Of 8 rows two are sampled, 3 and 7. Row 3 looks at key 1, row 7 at key 4; 0.9 of the mass needs both. The window is two keys.
    @Test
    void columnsOfSampledRowsAndAWindow() {
        LayerState layer = new LayerState(0, 1, GLOBAL, Tensors.query(row(), row(), row(), row(0, 20), row(), row(), row(), row(1, 20)),
                Tensors.key(row(), row(0, 1), row(), row(), row(40, 0), row(), row(), row()),
                new AttentionRule(1, OptionalDouble.empty(), Visibility.GLOBAL, 0, 0), 8, false, BACKEND);
        assertThat(new SampleAttentionPolicy(0.9, 0.25, 0.25, 1).sampled(8)).containsExactly(3, 7);
        assertThat(new SampleAttentionPolicy(0.9, 0.3, 0.25, 1).sampled(7)).containsExactly(2, 4, 6);
        assertThat(picture(new SampleAttentionPolicy(0.9, 0.25, 0.25, 1), layer)).isEqualTo("""
                x . . . . . . .
                x x . . . . . .
                . x x . . . . .
                . x x x . . . .
                . x . x x . . .
                . x . . x x . .
                . x . . x x x .
                . x . . x . x x""");
        assertThat(select(new SampleAttentionPolicy(0.9, 0.25, 0.25, 1), layer).selectionFlops()).as("4 + 8 logits of two channels").isEqualTo(48);
        assertThat(select(new SampleAttentionPolicy(0.4, 0.25, 0.25, 1), layer).of(0).blocks().getLast().keys()).as("the larger of the two is enough").containsExactly(4, 6, 7);
    }

    private static double[] row(double... channels) {
        return channels.length == 0 ? new double[2] : channels;
    }

    /// A column that the last rows of a local layer no longer see is not theirs to judge.
    @Test
    void aLocalLayerJudgesInsideItsWindow() {
        LayerState layer = PolicyCases.layer(3, 30, new LayerKind.Local(6), 0);
        LineScores lines = LineScores.of(new AttentionWeights(layer.query(), layer.key(), layer.rule()), 0, 28, 30);
        assertThat(IntStream.range(0, 30).filter(j -> lines.vertical()[j] > 0)).containsExactly(23, 24, 25, 26, 27, 28, 29);
        assertThat(IntStream.range(0, 30).filter(d -> lines.slash()[d] > 0)).containsExactly(0, 1, 2, 3, 4, 5);
        double[] estimated = FlexPrefillPolicy.view(layer, new AttentionWeights(layer.query(), layer.key(), layer.rule()), 0, 4).estimated();
        assertThat(IntStream.range(0, 8).filter(b -> estimated[b] > 0)).as("rows 26 to 29 see keys from 21 on").containsExactly(5, 6, 7);
    }

    @Test
    void whatIsWrongIsNamed() {
        assertThatIllegalArgumentException().isThrownBy(() -> new MInferenceAShapePolicy(-1, 2, 1)).withMessage("n_init must be at least 0, was -1");
        assertThatIllegalArgumentException().isThrownBy(() -> new MInferenceVerticalSlashPolicy(1, 1, 1, 32, Profile.UPSTREAM))
                .withMessage("block_size must be 64 with profile=upstream, was 32");
        assertThatIllegalArgumentException().isThrownBy(() -> new XAttentionPolicy(10, 4, 0.9, Profile.CORRECTED)).withMessage("stride must divide block_size, were 4 and 10");
        assertThatIllegalArgumentException().isThrownBy(() -> new XAttentionPolicy(8, 4, 0, Profile.CORRECTED)).withMessage("threshold must be above 0 and at most 1, was 0.0");
        assertThatIllegalArgumentException().isThrownBy(() -> new FlexPrefillPolicy(0.9, -1, 1, 0, 8, Profile.CORRECTED)).withMessage("tau must be at least 0, was -1.0");
        assertThatIllegalArgumentException().isThrownBy(() -> new FlexPrefillPolicy(0.9, 0, 8, 4, 8, Profile.CORRECTED))
                .withMessage("max_budget must be none or at least min_budget, were 4 and 8");
        assertThatIllegalArgumentException().isThrownBy(() -> new SampleAttentionPolicy(0.9, Double.NaN, 0.1, 1)).withMessage("r_row must be above 0 and at most 1, was NaN");
    }
}
