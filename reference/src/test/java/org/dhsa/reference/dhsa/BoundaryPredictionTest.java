package org.dhsa.reference.dhsa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.dhsa.recording.Close.assertClose;
import static org.dhsa.testing.Tensors.key;
import static org.dhsa.testing.Tensors.keys;
import static org.dhsa.testing.Tensors.row;
import static org.dhsa.testing.Tensors.vector;
import static org.dhsa.testing.Tensors.weight;

import java.util.List;
import java.util.Optional;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.BoundaryPredictorWeights.DecisionMlp;
import org.dhsa.model.WeightTensor;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.junit.jupiter.api.Test;

class BoundaryPredictionTest {

    /// Window 1, one channel, convolutions that change nothing: the logit is |left − right| − 1.
    private static final BoundaryPredictorWeights DIFFERENCE = new BoundaryPredictorWeights.Cnn(1,
            WeightTensor.of("depthwise", new double[] {1}, 1, 1, 1), vector(0), WeightTensor.of("pointwise", new double[] {1}, 1, 1, 1), vector(0),
            new DecisionMlp(weight(1, 5, 0, 0, 1, 0, 0), vector(0), weight(1, 1, 1), vector(-1)));

    @Test
    void aJumpBetweenTwoNeighboursRaisesTheLogit() {
        BoundaryPrediction.Output out = new BoundaryPredictionReference().apply(new BoundaryPrediction.Input(keys(1, 1, 5, 5), DIFFERENCE));
        // gap after position 1: |1 − 5| − 1; after the last position a zero stands on the right: |5 − 0| − 1
        assertClose("logits", out.logits().toDouble().data(), row(-1, 3, -1, 4));
    }

    @Test
    void zerosStandOutsideTheSequence() {
        DoubleTensor features = BoundaryPredictionReference.features(keys(1, 2, 3));
        assertThat(BoundaryPredictionReference.window(features, 0, 2)).containsExactly(0, 1, 2, 3);
        assertThat(BoundaryPredictionReference.window(features, 1, 2)).containsExactly(1, 2, 3, 0);
        assertThat(BoundaryPredictionReference.window(features, 2, 2)).containsExactly(2, 3, 0, 0);
    }

    @Test
    void keyHeadsAreLaidEndToEndPerToken() {
        DoubleTensor key = DoubleTensor.of(Shape.of("kvHeads", 2, "keyLen", 2, "headDim", 2), 1, 2, 3, 4, 10, 20, 30, 40);
        assertThat(BoundaryPredictionReference.features(key).data()).containsExactly(1, 2, 10, 20, 3, 4, 30, 40);
    }

    @Test
    void fusedFeaturesAreLeftRightDifferenceProductCosine() {
        double[] fused = BoundaryPredictionReference.fuse(new WindowEncoder.Sides(row(3, 4), row(4, 3)), 1e-6);
        assertClose("fused", fused, row(3, 4, 4, 3, 1, 1, 12, 12, 24.0 / 25));
    }

    @Test
    void theCosineOfNothingIsZero() {
        assertThat(BoundaryPredictionReference.cosine(row(0, 0), row(1, 1), 1e-6)).isZero();
    }

    @Test
    void tinyVectorsAreMeasuredAgainstTheEpsOfTheirArchitecture() {
        assertClose("1e-6 in both norms", BoundaryPredictionReference.cosine(row(1e-7), row(1e-7), 1e-6), 1e-2);
        assertClose("1e-8 is small enough", BoundaryPredictionReference.cosine(row(1e-7), row(1e-7), 1e-8), 1);
        assertThat(WindowEncoder.of(DIFFERENCE).cosineEps()).isEqualTo(1e-6);
        BoundaryPredictorWeights.LayerNorm norm = new BoundaryPredictorWeights.LayerNorm(vector(1), vector(0));
        BoundaryPredictorWeights.SelfAttention attention = new BoundaryPredictorWeights.SelfAttention(1,
                weight(3, 1, 0, 0, 1), vector(0, 0, 0), weight(1, 1, 1), vector(0));
        assertThat(WindowEncoder.of(new BoundaryPredictorWeights.Stack(1, List.of(new BoundaryPredictorWeights.Stack.Block(attention, norm)),
                norm, Optional.empty(), DIFFERENCE.mlp())).cosineEps()).isEqualTo(1e-8);
        assertThat(WindowEncoder.of(new BoundaryPredictorWeights.Attention(1, attention, norm, Optional.empty(), DIFFERENCE.mlp())).cosineEps())
                .isEqualTo(1e-6);
    }

    @Test
    void attentionWithoutQueriesAndPositionsMakesBothSidesEqual() {
        // q and k are zero, v is x, so every token of the window becomes the window's mean; the cosine of equal sides is 1
        BoundaryPredictorWeights.Attention weights = new BoundaryPredictorWeights.Attention(1,
                new BoundaryPredictorWeights.SelfAttention(2, weight(6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1), vector(0, 0, 0, 0, 0, 0),
                        weight(2, 2, 1, 0, 0, 1), vector(0, 0)),
                new BoundaryPredictorWeights.LayerNorm(vector(1, 1), vector(0, 0)), Optional.empty(),
                new DecisionMlp(weight(1, 9, 0, 0, 0, 0, 1, 1, 0, 0, 1), vector(0), weight(1, 1, 1), vector(0)));
        // window of position 0: (5, 1) and (3, −1), mean (4, 0), normed to (2, −2) / √(4 + 1e-5)
        double one = 2 / Math.sqrt(4 + 1e-5);
        WindowEncoder.Sides sides = WindowEncoder.of(weights).encode(row(5, 1, 3, -1));
        assertClose("left", sides.left(), row(one, -one));
        assertClose("right", sides.right(), row(one, -one));
        assertClose("logit: no difference, cosine 1", new BoundaryPredictionReference()
                .apply(new BoundaryPrediction.Input(key(row(5, 1), row(3, -1)), weights)).logits().toDouble().at(0), 1);
    }

    @Test
    void aPredictorForOtherChannelsIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> new BoundaryPrediction.Input(key(row(1, 2)), DIFFERENCE))
                .withMessageContaining("was made for 1 channels (kvHeads * headDim), the model has 2");
    }
}
