package org.dhsa.reference.baseline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.dhsa.recording.Close.assertClose;
import static org.dhsa.testing.Tensors.keys;
import static org.dhsa.testing.Tensors.matrix;
import static org.dhsa.testing.Tensors.query;
import static org.dhsa.testing.Tensors.random;
import static org.dhsa.testing.Tensors.row;

import java.util.List;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.stream.IntStream;
import org.dhsa.model.Profile;
import org.dhsa.reference.baseline.KvCompression.Config;
import org.dhsa.reference.baseline.KvCompression.Input;
import org.dhsa.reference.baseline.PyramidKvCache.Pooling;
import org.dhsa.reference.baseline.PyramidKvCache.Pyramid;
import org.dhsa.reference.gemma.DenseAttentionReference;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.testing.Picture;
import org.junit.jupiter.api.Test;

class BaselinesTest {

    private static Config config(int window, int capacity, boolean headwise, Profile profile) {
        return new Config(window, capacity, headwise, false, false, profile);
    }

    private static Input input(Random random, int heads, int kvHeads, int length) {
        return new Input(random(random, 1, "heads", heads, "queryLen", length, "headDim", 2),
                random(random, 1, "kvHeads", kvHeads, "keyLen", length, "headDim", 2),
                random(random, 1, "kvHeads", kvHeads, "keyLen", length, "headDim", 2));
    }

    @Test
    void aQueryBlockReadsItsOwnKeyBlockAndTheBestOneBefore() {
        // four blocks of one token: key 0 is the best for everybody, key 2 the worst
        BlockSparseAttention.Output out = BlockSparseAttention.apply(new BlockSparseAttention.Input(
                query(row(1), row(1), row(1), row(1)), keys(9, 5, 1, 3), keys(0, 0, 0, 0), 1, 2,
                new AttentionRule(1, OptionalDouble.empty(), Visibility.GLOBAL, 0, 0)));
        // block 0 has no second choice and is filled with the last block, which it does not see
        assertThat(out.blockIndices()).containsExactly(List.of(0, 3), List.of(0, 1), List.of(0, 2), List.of(0, 3));
        assertThat(out.blockScores().rows(0, 1).data()).containsExactly(9, 5, 1, 3);
    }

    @Test
    void aWindowOfTwoBlocksLeavesTheBlockBefore() {
        BlockSparseAttention.Output out = BlockSparseAttention.apply(new BlockSparseAttention.Input(
                query(row(1), row(1), row(1), row(1)), keys(9, 5, 1, 3), keys(0, 0, 0, 0), 1, 4,
                new AttentionRule(1, OptionalDouble.empty(), new Visibility(2, false), 0, 0)));
        assertThat(out.blockIndices()).containsExactly(List.of(0, 3), List.of(0, 1), List.of(1, 2), List.of(2, 3));
    }

    @Test
    void everyBlockChosenIsDenseAttention() {
        Random random = new Random(1);
        Input in = input(random, 2, 1, 11);
        AttentionRule rule = new AttentionRule(0.7, OptionalDouble.of(5), Visibility.GLOBAL, 0, 0);
        assertClose("output", BlockSparseAttention.apply(new BlockSparseAttention.Input(in.query(), in.key(), in.value(), 4, 9, rule)).output(),
                new DenseAttentionReference().apply(new DenseAttention.Input(in.query(), in.key(), in.value(), rule)).context().toDouble());
    }

    private static DoubleTensor oneHead(double[]... rows) {
        return matrix("queryLen", "keyLen", rows).reshape(Shape.of("heads", 1, "queryLen", rows.length, "keyLen", rows[0].length));
    }

    @Test
    void everyQueryKeepsItselfAndItsBestOtherKey() {
        DoubleTensor attention = oneHead(row(1, 0, 0, 0), row(0.9, 0.1, 0, 0), row(0.2, 0.5, 0.3, 0), row(0.1, 0.2, 0.6, 0.1));
        TopKAttentionMask.Output out = TopKAttentionMask.apply(new TopKAttentionMask.Input(attention, 2, 1, false));
        assertThat(Picture.of(out.keepRaw())).isEqualTo("""
                x x . .
                x x . .
                . x x .
                . . x x""");
        // row 0 has nothing else to look at: the future key it is given falls to the causal rule
        assertThat(Picture.of(out.keepCausal())).isEqualTo("""
                x . . .
                x x . .
                . x x .
                . . x x""");
    }

    @Test
    void blocksAreKeptByTheirSums() {
        DoubleTensor attention = oneHead(row(1, 0, 0, 0, 0), row(1, 0, 0, 0, 0), row(0, 0, 1, 0, 0), row(0, 0, 1, 0, 0), row(0.1, 0.2, 0.25, 0, 0.45));
        assertThat(Picture.of(TopKAttentionMask.apply(new TopKAttentionMask.Input(attention, 5, 2, false)).keepCausal())).isEqualTo("""
                x . . . .
                x x . . .
                x x x . .
                x x x x .
                x x . . x""");
    }

    @Test
    void aSingleQueryStandsAtTheLastKey() {
        DoubleTensor attention = oneHead(row(0.1, 0.6, 0.2, 0.1));
        assertThat(Picture.of(TopKAttentionMask.apply(new TopKAttentionMask.Input(attention, 2, 1, false)).keepCausal())).isEqualTo(". x . x");
        assertThat(Picture.of(TopKAttentionMask.apply(new TopKAttentionMask.Input(attention, 2, 1, true)).keepCausal())).isEqualTo(". . x x");
    }

    @Test
    void dilatedPositionsGoBackInSteps() {
        assertThat(TopKAttentionMask.dilatedIndices(7, 3, 2)).containsExactly(3, 5, 7);
        assertThat(TopKAttentionMask.dilatedIndices(1, 4, 1)).containsExactly(0, 1);
    }

    @Test
    void mergedRegionsAreMeansAndTrianglesOnTheDiagonal() {
        DoubleTensor attention = matrix("queryLen", "keyLen", row(1, 0, 0), row(0.5, 0.5, 0), row(0.25, 0.25, 0.5));
        Boundaries boundaries = Boundaries.of(0, 2, 3);
        // block 0: 2 over 3 visible pairs; block (1, 0): 0.5 over 2
        DoubleTensor merged = MergeRegions.merge(attention, boundaries, true);
        assertClose("merged", merged.data(), row(2.0 / 3, 0, 0.25, 0.5));
        assertClose("unmerged", MergeRegions.unmerge(merged, boundaries, true).data(),
                row(2.0 / 3, 0, 0, 2.0 / 3, 2.0 / 3, 0, 0.25, 0.25, 0.5));
        assertThat(MergeRegions.merge(attention, Boundaries.of(0, 3, 3), true).data()).containsExactly(3.0 / 6, 0, 0, 0);
        assertClose("not causal: 2 over 4 pairs", MergeRegions.merge(attention, boundaries, false).at(0, 0), 0.5);
    }

    @Test
    void heavyHittersAreTheKeysThatTheLastQueryReadMost() {
        // the last query reads key 1 most, then key 3
        Input in = new Input(query(row(0), row(0), row(0), row(0), row(1)), keys(1, 9, 2, 5, 0), keys(10, 11, 12, 13, 14));
        KvCompression.Output out = H2oCache.apply(in, config(1, 2, false, Profile.CORRECTED));
        assertThat(out.keptPositions()).containsExactly(1, 3, 4);
        assertThat(out.keyOut().data()).containsExactly(9, 5, 0);
        assertThat(out.valueOut().data()).containsExactly(11, 13, 14);
    }

    @Test
    void pyramidKvKeepsHeavyHittersInOrderOfScore() {
        Input in = new Input(query(row(0), row(0), row(0), row(0), row(1)), keys(1, 5, 2, 9, 0), keys(10, 11, 12, 13, 14));
        Pyramid first = new Pyramid(config(1, 3, false, Profile.UPSTREAM), 2, 0, 1, Pooling.MAX, 1);
        // cap 3, window 1, beta 1: every layer keeps two past keys
        assertThat(PyramidKvCache.apply(in, first).keptPositions()).containsExactly(3, 1, 4);
    }

    @Test
    void averagingCountsTheZerosOutsideAndTheMaximumDoesNot() {
        assertClose("average", PyramidKvCache.pool(row(3, 6, 9), 3, Pooling.AVERAGE), row(3, 6, 5));
        assertClose("maximum", PyramidKvCache.pool(row(-3, -6, -9), 3, Pooling.MAX), row(-3, -3, -6));
    }

    @Test
    void thePyramidNarrowsFromLayerToLayer() {
        Config config = config(4, 16, false, Profile.UPSTREAM);
        assertThat(IntStream.range(0, 4).map(l -> PyramidKvCache.keptCount(100, new Pyramid(config, 4, l, 5, Pooling.AVERAGE, 20))))
                .containsExactly(28, 20, 12, 4);
        assertThat(IntStream.range(0, 4).map(l -> PyramidKvCache.keptCount(20, new Pyramid(config, 4, l, 5, Pooling.AVERAGE, 20))))
                .containsOnly(16);
    }

    @Test
    void aPyramidOfOneLayerFailsUpstreamAndKeepsTheCapacityCorrected() {
        assertThatIllegalStateException().isThrownBy(() ->
                        PyramidKvCache.keptCount(100, new Pyramid(config(4, 16, false, Profile.UPSTREAM), 1, 0, 5, Pooling.AVERAGE, 20)))
                .withMessageContaining("divides by layers - 1");
        assertThat(PyramidKvCache.keptCount(100, new Pyramid(config(4, 16, false, Profile.CORRECTED), 1, 0, 5, Pooling.AVERAGE, 20))).isEqualTo(16);
    }

    @Test
    void h2oBetweenCapacityAndWindowFailsUpstreamAndKeepsEverythingCorrected() {
        Input in = input(new Random(2), 2, 2, 6);
        assertThatIllegalStateException().isThrownBy(() -> H2oCache.apply(in, config(2, 5, false, Profile.UPSTREAM)))
                .withMessageContaining("prompts of 5 to 6 tokens, this one has 6");
        KvCompression.Output all = H2oCache.apply(in, config(2, 5, false, Profile.CORRECTED));
        assertThat(all.keptPositions()).containsExactly(0, 1, 2, 3, 4, 5);
        assertThat(all.keyOut().data()).isEqualTo(in.key().toDouble().data());
    }

    @Test
    void headwiseSelectionOfOneGroupAveragesUnlikeTokensUpstreamAndChoosesTogetherCorrected() {
        // two query heads over one key head: one likes key 0, the other key 1
        Input in = new Input(DoubleTensor.of(Shape.of("heads", 2, "queryLen", 4, "headDim", 1), 0, 0, 0, 1, 0, 0, 0, -2),
                keys(5, -5, 0, 0), keys(100, 200, 300, 400));
        KvCompression.Output upstream = H2oCache.apply(in, new Config(1, 2, true, false, false, Profile.UPSTREAM));
        assertThat(upstream.keptByHead()).containsExactly(List.of(0, 2, 3), List.of(1, 2, 3));
        assertClose("(100 + 200) / 2", upstream.valueOut().at(0, 0, 0), 150);
        assertThatIllegalStateException().isThrownBy(upstream::keptPositions).withMessage("every head keeps its own positions");
        KvCompression.Output corrected = H2oCache.apply(in, new Config(1, 2, true, false, false, Profile.CORRECTED));
        assertThat(corrected.keptPositions()).containsExactly(0, 1, 3);
        assertThat(corrected.valueOut().data()).containsExactly(100, 200, 400);
    }

    @Test
    void slidingSelectionKeepsTheMostRecentPastKeys() {
        KvCompression.Output out = H2oCache.apply(input(new Random(3), 2, 1, 9), new Config(2, 3, false, false, true, Profile.UPSTREAM));
        assertThat(out.keptPositions()).containsExactly(4, 5, 6, 7, 8);
    }

    @Test
    void headwiseSelectionForgetsSlidingUpstreamOnly() {
        Input in = new Input(query(row(0), row(0), row(0), row(0), row(1)), keys(9, 5, 1, 1, 0), keys(10, 11, 12, 13, 14));
        assertThat(H2oCache.apply(in, new Config(1, 2, true, false, true, Profile.UPSTREAM)).keptPositions()).containsExactly(0, 1, 4);
        assertThat(H2oCache.apply(in, new Config(1, 2, true, false, true, Profile.CORRECTED)).keptPositions()).containsExactly(2, 3, 4);
    }

    @Test
    void streamingKeepsSinksAndTheRecentPast() {
        assertThat(StreamingLlmCache.kept(10, config(2, 4, false, Profile.UPSTREAM))).containsExactly(0, 1, 6, 7, 8, 9);
        assertThat(StreamingLlmCache.kept(5, config(2, 4, false, Profile.UPSTREAM))).containsExactly(0, 1, 1, 2, 3, 4);
        assertThat(StreamingLlmCache.kept(5, config(2, 4, false, Profile.CORRECTED))).containsExactly(0, 1, 2, 3, 4);
        assertThat(StreamingLlmCache.kept(3, config(2, 4, false, Profile.UPSTREAM))).containsExactly(0, 1, 2);
        Input in = input(new Random(4), 2, 1, 10);
        assertThat(StreamingLlmCache.apply(in, config(2, 4, false, Profile.UPSTREAM)).keyOut().shape().extent("keyLen")).isEqualTo(6);
    }

    @Test
    void malformedSetUpsAreRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> config(4, 4, false, Profile.UPSTREAM))
                .withMessage("maxCapacityPrompt must exceed windowSize, which must be positive, were 4 and 4");
        assertThatIllegalArgumentException().isThrownBy(() -> new Pyramid(config(1, 2, false, Profile.UPSTREAM), 2, 0, 4, Pooling.MAX, 1))
                .withMessage("kernelSize must be odd, was 4");
        assertThatIllegalArgumentException().isThrownBy(() -> new TopKAttentionMask.Input(oneHead(row(1)), 0, 1, false))
                .withMessage("topK and blockSize must be positive, were 0 and 1");
    }
}
