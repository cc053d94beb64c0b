package org.dhsa.reference.labels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;
import static org.dhsa.recording.Close.assertClose;
import static org.dhsa.testing.Tensors.keys;
import static org.dhsa.testing.Tensors.matrix;
import static org.dhsa.testing.Tensors.query;
import static org.dhsa.testing.Tensors.random;
import static org.dhsa.testing.Tensors.row;

import java.util.Arrays;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Random;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.reference.dhsa.NonMaximumSuppressionReference.Rules;
import org.dhsa.stage.Boundaries;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.junit.jupiter.api.Test;

class LabelsTest {

    /// Four tokens; the two later ones look at 0 and 1 only.
    private static final DoubleTensor ATTENTION = matrix("queryLen", "keyLen",
            row(1, 0, 0, 0),
            row(0.5, 0.5, 0, 0),
            row(0.25, 0.75, 0, 0),
            row(0.5, 0.25, 0.25, 0));

    @Test
    void theRatioComparesWhatLaterQueriesReadOnBothSidesOfTheGap() {
        double e = AttentionMassRatio.EPSILON;
        // w = 1, gap after 0: rows 1..3, past column 0 sums to 1.25, future column 1 to 1.5
        // gap after 1: rows 2..3, past column 1 sums to 1, future column 2 to 0.25
        // gap after 2: row 3, past column 2 is 0.25, future column 3 is 0
        assertClose("ratios", AttentionMassRatio.apply(new AttentionMassRatio.Input(ATTENTION, 1, OptionalInt.empty(), false)).ratio().data(),
                row((1.5 + e) / (1.25 + e), (1 + e) / (0.25 + e), (0.25 + e) / e, 0));
    }

    @Test
    void aSpanCountsOnlyTheFirstRows() {
        double e = AttentionMassRatio.EPSILON;
        // gap after 0 with one row: row 1 reads both sides alike
        assertClose("ratio", AttentionMassRatio.apply(new AttentionMassRatio.Input(ATTENTION, 1, OptionalInt.of(1), false)).ratio().at(0), 1);
        assertClose("ratio", AttentionMassRatio.apply(new AttentionMassRatio.Input(ATTENTION, 1, OptionalInt.of(1), false)).ratio().at(1), (0.75 + e) / e);
    }

    @Test
    void smoothEndsLeaveOnlyTheMiddle() {
        assertThat(AttentionMassRatio.apply(new AttentionMassRatio.Input(ATTENTION, 1, OptionalInt.empty(), true)).ratio().data())
                .satisfies(r -> assertThat(r[0]).isZero())
                .satisfies(r -> assertThat(r[1]).isPositive())
                .satisfies(r -> assertThat(r[2]).isZero())
                .satisfies(r -> assertThat(r[3]).isZero());
    }

    @Test
    void aShortTextHasNoLabelAtAll() {
        assertThat(AttentionMassRatio.apply(new AttentionMassRatio.Input(ATTENTION, 4, OptionalInt.empty(), true)).ratio().data()).containsOnly(0);
        assertThatIllegalArgumentException().isThrownBy(() -> new AttentionMassRatio.Input(ATTENTION, 0, OptionalInt.empty(), true))
                .withMessage("window must be positive, was 0");
    }

    @Test
    void meanAttentionWithoutAMaskSeesTheFuture() {
        DoubleTensor masked = MeanAttention.of(query(row(0), row(0)), keys(1, 2), MeanAttention.upstreamRule(1), true);
        DoubleTensor open = MeanAttention.of(query(row(0), row(0)), keys(1, 2), MeanAttention.upstreamRule(1), false);
        assertThat(masked.data()).containsExactly(1, 0, 0.5, 0.5);
        assertThat(open.data()).containsExactly(0.5, 0.5, 0.5, 0.5);
    }

    @Test
    void queryHeadsOfAGroupReadTheSameKeyHead() {
        DoubleTensor query = DoubleTensor.of(Shape.of("heads", 2, "queryLen", 1, "headDim", 1), 1, 0);
        // logits ln 3 and 0: the first head weighs 3/4 and 1/4, the second one half each
        DoubleTensor mean = MeanAttention.of(query, keys(Math.log(3), 0), MeanAttention.upstreamRule(1), false);
        assertClose("mean", mean.data(), row(0.625, 0.375));
    }

    @Test
    void boundariesOfAGroupedModelEqualThoseOfRepeatedKeys() {
        Random random = new Random(7);
        DoubleTensor query = random(random, 2, "heads", 4, "queryLen", 24, "headDim", 4);
        DoubleTensor grouped = random(random, 1, "kvHeads", 2, "keyLen", 24, "headDim", 4);
        DoubleTensor repeated = DoubleTensor.zeros(Shape.of("kvHeads", 4, "keyLen", 24, "headDim", 4));
        for (int h = 0; h < 4; h++) {
            System.arraycopy(grouped.data(), h / 2 * 96, repeated.data(), h * 96, 96);
        }
        LabelBoundaries.Output a = LabelBoundaries.apply(LabelBoundaries.Input.upstream(query, grouped, true, 1, 2, 5, OptionalDouble.of(1.1), 1, OptionalInt.of(3)));
        LabelBoundaries.Output b = LabelBoundaries.apply(LabelBoundaries.Input.upstream(query, repeated, true, 1, 2, 5, OptionalDouble.of(1.1), 1, OptionalInt.of(3)));
        assertThat(a.boundaries()).isEqualTo(b.boundaries());
        assertThat(a.ratios().data()).isEqualTo(b.ratios().data());
        assertThat(a.boundaries().chunks()).isEqualTo(6);
    }

    @Test
    void otherRulesMayBeGivenToLabelTheWayTheModelAttends() {
        DoubleTensor query = query(row(0), row(0), row(0), row(0));
        Rules corrected = new Rules(OptionalDouble.of(9), 0, 8, OptionalInt.empty(), TieOrder.LOW_POSITION_FIRST, false, false, false, false);
        LabelBoundaries.Output out = LabelBoundaries.apply(new LabelBoundaries.Input(query, keys(0, 0, 0, 0),
                MeanAttention.upstreamRule(1), true, 1, OptionalInt.empty(), corrected));
        assertThat(out.boundaries()).isEqualTo(Boundaries.of(0, 4));
        assertThatIllegalStateException().isThrownBy(() -> LabelBoundaries.apply(LabelBoundaries.Input.upstream(query, keys(0, 0, 0, 0),
                true, 1, 1, 8, OptionalDouble.of(1e9), 0, OptionalInt.empty()))).withMessageContaining("no ratio is above theta");
    }

    @Test
    void aRatioOfTwoIsWorthOneHalf() {
        double[] labels = SoftLabel.published(row(2, 4, 1));
        assertThat(labels[0]).isEqualTo(0.5);
        assertThat(labels[1]).isCloseTo(0.8, within(1e-6));
        assertThat(labels[2]).isCloseTo(0.2, within(1e-6));
        assertThat(SoftLabel.published(row(0))[0]).isBetween(0.0, 1e-10);
        assertThat(SoftLabel.harden(row(0.5, 0.4999))).containsExactly(1, 0);
    }

    @Test
    void alphaSharpensTheLabel() {
        // 2^alpha to 1, but for the 1e-6 beside the ratios
        assertThat(SoftLabel.of(row(4), 1, SoftLabel.logBeta(2))[0]).isCloseTo(2.0 / 3, within(1e-6));
        assertThat(SoftLabel.of(row(4), 3, SoftLabel.logBeta(2))[0]).isCloseTo(8.0 / 9, within(1e-6));
    }

    @Test
    void anUndecidedPositionCostsAQuarterOfLogTwo() {
        // p = 1/2: (1 − 1/2)² · ln 2, for either target
        FocalLoss.Input in = new FocalLoss.Input(row(0, 0), row(0, 1), new boolean[] {true, true}, 2, OptionalDouble.empty());
        assertClose("losses", FocalLoss.none(in), row(Math.log(2) / 4, Math.log(2) / 4));
        assertClose("sum", FocalLoss.sum(in), Math.log(2) / 2);
        assertClose("mean", FocalLoss.mean(in), Math.log(2) / 4);
    }

    @Test
    void gammaZeroAndWeightOneIsPlainCrossEntropy() {
        // σ(ln 3) = 3/4
        FocalLoss.Input in = new FocalLoss.Input(row(Math.log(3), Math.log(3)), row(1, 0), new boolean[] {true, true}, 0, OptionalDouble.empty());
        assertClose("losses", FocalLoss.none(in), row(Math.log(4.0 / 3), Math.log(4)));
    }

    @Test
    void thePositiveWeightCountsBoundariesMore() {
        FocalLoss.Input in = new FocalLoss.Input(row(0, 0), row(0, 1), new boolean[] {true, true}, 0, OptionalDouble.of(1.5));
        assertClose("losses", FocalLoss.none(in), row(Math.log(2), 1.5 * Math.log(2)));
    }

    @Test
    void maskedPositionsCostNothingAndAreNotCounted() {
        FocalLoss.Input in = new FocalLoss.Input(row(0, 50), row(1, 0), new boolean[] {true, false}, 0, OptionalDouble.empty());
        assertClose("mean", FocalLoss.mean(in), Math.log(2));
        assertThat(FocalLoss.mean(new FocalLoss.Input(row(0), row(1), new boolean[1], 2, OptionalDouble.empty()))).isZero();
        assertThatIllegalArgumentException().isThrownBy(() -> new FocalLoss.Input(row(0), row(1, 0), new boolean[1], 2, OptionalDouble.empty()))
                .withMessage("1 logits, 2 targets, 1 mask entries");
    }

    @Test
    void enormousLogitsDoNotOverflow() {
        FocalLoss.Input in = new FocalLoss.Input(row(1000, -1000), row(0, 0), new boolean[] {true, true}, 0, OptionalDouble.empty());
        assertThat(FocalLoss.none(in)).containsExactly(1000, 0);
    }

    @Test
    void threePredictedTwoRightOneMissed() {
        boolean[] all = new boolean[5];
        Arrays.fill(all, true);
        BoundaryMetrics.PrecisionRecallF1 m = BoundaryMetrics.precisionRecallF1(row(1, 1, 0, -1, -1), new boolean[] {true, true, false, true, false}, all);
        assertClose("precision", m.precision(), 2.0 / 3);
        assertClose("recall", m.recall(), 2.0 / 3);
        assertClose("f1 falls short by its 1e-8", m.f1(), 8.0 / 9 / (4.0 / 3 + 1e-8));
    }

    @Test
    void theTopTwoShareOne() {
        boolean[] all = {true, true, true};
        assertThat(BoundaryMetrics.topKOverlap(row(3, 2, 1), row(9, 0, 5), all, 2)).isEqualTo(new BoundaryMetrics.TopKOverlap(1, 0.5));
        assertThat(BoundaryMetrics.topKOverlap(row(3, 2, 1), row(9, 0, 5), new boolean[] {false, true, true}, 7))
                .isEqualTo(new BoundaryMetrics.TopKOverlap(2, 1));
        assertThat(BoundaryMetrics.topKOverlap(row(3, 2, 1), row(9, 0, 5), new boolean[3], 2)).isEqualTo(new BoundaryMetrics.TopKOverlap(0, 0));
    }
}
