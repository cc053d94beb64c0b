package org.dhsa.reference.dhsa;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.Consumer;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.reference.dhsa.NonMaximumSuppressionReference.Rules;
import org.dhsa.stage.NonMaximumSuppression;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.junit.jupiter.api.Test;

class NonMaximumSuppressionTest {

    private static NonMaximumSuppression.Output suppress(int window, int chunkBudget, Consumer<DhsaConfig.Builder> change, double... logits) {
        DhsaConfig config = DhsaConfig.DEFAULT.with(c -> {
            c.theta = OptionalDouble.of(1);
            c.nmsWindow = 1;
            c.instructionTokens = OptionalInt.empty();
            change.accept(c);
        });
        return new NonMaximumSuppressionReference().apply(new NonMaximumSuppression.Input(
                DoubleTensor.of(Shape.of("keyLen", logits.length), logits), window, chunkBudget, config));
    }

    @Test
    void theStrongerOfTwoNeighboursWins() {
        NonMaximumSuppression.Output out = suppress(1, 9, c -> {}, 0, 0, 3, 2.9, 0, 0, 2, 0);
        assertThat(out.accepted()).containsExactly(2, 6);
        assertThat(out.boundaries().toArray()).containsExactly(0, 3, 7, 8);
    }

    @Test
    void aDistanceEqualToTheWindowStillSuppresses() {
        assertThat(suppress(1, 9, c -> c.nmsWindow = 2, 0, 3, 0, 2, 1.5, 0, 0).accepted()).containsExactly(1, 4);
        assertThat(suppress(1, 9, c -> c.nmsWindow = 3, 0, 3, 0, 2, 1.5, 0, 0).accepted()).containsExactly(1);
    }

    @Test
    void aLogitEqualToThetaIsNoCandidate() {
        assertThat(suppress(1, 9, c -> {}, 0, 1, 0, Math.nextUp(1.0), 0).accepted()).containsExactly(3);
    }

    @Test
    void theLastPositionAcceptedTwiceMakesAnEmptyChunk() {
        assertThat(NonMaximumSuppressionReference.boundaries(new int[] {2, 7, 7}, 8).toArray()).containsExactly(0, 3, 8, 8);
        assertThat(NonMaximumSuppressionReference.boundaries(new int[] {2, 7}, 8).toArray()).containsExactly(0, 3, 8);
        assertThat(NonMaximumSuppressionReference.boundaries(new int[] {2, 8}, 8).toArray()).as("behind the end").containsExactly(0, 3, 8);
    }

    @Test
    void theEndsAreFilledAndNeverChosen() {
        NonMaximumSuppression.Output out = suppress(2, 9, c -> {}, 9, 2, 9, 9, 9);
        // w − 1 = 1 position in front, w = 2 behind
        assertThat(out.filled().toDouble().data()).containsExactly(-100, 2, 9, -100, -100);
        assertThat(out.accepted()).containsExactly(2);
    }

    @Test
    void smoothEndsAreWider() {
        assertThat(NonMaximumSuppressionReference.fillEnds(new double[8], 2, true))
                .containsExactly(-100, -100, -100, 0, -100, -100, -100, -100);
    }

    @Test
    void theBudgetKeepsTheStrongest() {
        assertThat(suppress(1, 2, c -> {}, 0, 2, 0, 4, 0, 3, 0).accepted()).containsExactly(3, 5);
    }

    @Test
    void equalLogitsGoToTheEarlierPositionUnlessAskedOtherwise() {
        assertThat(suppress(1, 1, c -> {}, 0, 2, 0, 2, 0).accepted()).containsExactly(1);
        assertThat(suppress(1, 1, c -> c.tieOrder = TieOrder.HIGH_POSITION_FIRST, 0, 2, 0, 2, 0).accepted()).containsExactly(3);
    }

    @Test
    void zeroAndMinusZeroAreEqualLogits() {
        assertThat(suppress(1, 1, c -> c.theta = OptionalDouble.of(-1), -5, -0.0, -5, 0.0, -5).accepted()).containsExactly(1);
    }

    @Test
    void theInstructionIsAlwaysSplitOffAndHoldsNoBoundary() {
        NonMaximumSuppression.Output out = suppress(1, 9, c -> c.instructionTokens = OptionalInt.of(3), 0, 0, 3, 0, 0, 0, 9, 0);
        assertThat(out.accepted()).containsExactly(2, 4);
        assertThat(out.boundaries().toArray()).containsExactly(0, 3, 5, 8);
    }

    @Test
    void withoutACandidateThereIsOneChunkOrTheInstructionsSplit() {
        assertThat(suppress(1, 9, c -> {}, 0, 0, 0, 0).boundaries().toArray()).containsExactly(0, 4);
        assertThat(suppress(1, 9, c -> c.instructionTokens = OptionalInt.of(1), 0, 0, 0, 0).boundaries().toArray()).containsExactly(0, 3, 4);
    }

    @Test
    void instructionsOfZeroOrOfEverythingSplitNothing() {
        for (int tokens : new int[] {0, 4, 7}) {
            assertThat(suppress(1, 9, c -> c.instructionTokens = OptionalInt.of(tokens), 0, 0, 0, 0).boundaries().toArray())
                    .as("%d instruction tokens", tokens).containsExactly(0, 4);
        }
    }

    @Test
    void nanIsNoCandidate() {
        Rules rules = new Rules(OptionalDouble.empty(), 0, 9, OptionalInt.empty(), TieOrder.LOW_POSITION_FIRST, false, false, false, false);
        assertThat(NonMaximumSuppressionReference.accept(new double[] {Double.NaN, 1, Double.NaN}, rules)).containsExactly(1);
    }
}
