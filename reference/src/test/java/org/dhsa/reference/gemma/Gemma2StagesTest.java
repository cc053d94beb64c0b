package org.dhsa.reference.gemma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.dhsa.recording.Close.assertClose;
import static org.dhsa.testing.Tensors.matrix;
import static org.dhsa.testing.Tensors.query;
import static org.dhsa.testing.Tensors.row;
import static org.dhsa.testing.Tensors.vector;
import static org.dhsa.testing.Tensors.weight;

import java.util.OptionalDouble;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.WeightTensor;
import org.dhsa.stage.Embedding;
import org.dhsa.stage.FeedForward;
import org.dhsa.stage.LmHead;
import org.dhsa.stage.OutputProjection;
import org.dhsa.stage.QkvProjection;
import org.dhsa.stage.ResidualAdd;
import org.dhsa.stage.RmsNorm;
import org.dhsa.stage.RotaryEmbedding;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.junit.jupiter.api.Test;

/// The stages of Gemma 2 that act on each token alone, with numbers for paper.
class Gemma2StagesTest {

    @Test
    void embeddingRowsAreScaledByTheRootOfTheirWidth() {
        WeightTensor table = weight(3, 4, 1, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 8);
        Embedding.Output out = new EmbeddingReference().apply(new Embedding.Input(new int[] {2, 0}, table, EmbeddingScale.EXACT));
        assertThat(out.hidden().toDouble().data()).containsExactly(10, 12, 14, 16, 2, 4, 6, 8);
        assertThatIllegalArgumentException().isThrownBy(() -> new Embedding.Input(new int[] {3}, table, EmbeddingScale.EXACT))
                .withMessage("token id 3 is outside the vocabulary of 3");
    }

    @Test
    void rmsNormDividesByTheRootMeanSquareAndMultipliesByOnePlusTheWeight() {
        // mean of 1 and 49 is 25, its root 5
        RmsNorm.Output out = new RmsNormReference().apply(new RmsNorm.Input(matrix("queryLen", "modelDim", row(1, 7)), vector(0, 1), 0));
        assertClose("normed", out.normed().toDouble().data(), row(0.2, 2.8));
    }

    @Test
    void rmsNormKeepsEpsInsideTheRoot() {
        RmsNorm.Output out = new RmsNormReference().apply(new RmsNorm.Input(matrix("queryLen", "modelDim", row(0, 4)), vector(0, 0), 1));
        // mean of squares 8, plus 1, root 3
        assertClose("normed", out.normed().toDouble().data(), row(0, 4.0 / 3));
    }

    @Test
    void rowsOfOneHeadLieTogether() {
        WeightTensor q = weight(4, 2, 1, 0, 0, 1, 1, 1, 1, -1);
        WeightTensor kv = weight(2, 2, 2, 0, 0, 2);
        QkvProjection.Output out = new QkvProjectionReference().apply(new QkvProjection.Input(
                matrix("queryLen", "modelDim", row(1, 2), row(3, 5)), q, kv, kv, 2));
        assertThat(out.query().shape()).isEqualTo(Shape.of("heads", 2, "queryLen", 2, "headDim", 2));
        // head 0: tokens 0 and 1; head 1: tokens 0 and 1
        assertThat(out.query().toDouble().data()).containsExactly(1, 2, 3, 5, 3, -1, 8, -2);
        assertThat(out.key().shape()).isEqualTo(Shape.of("kvHeads", 1, "keyLen", 2, "headDim", 2));
        assertThat(out.value().toDouble().data()).containsExactly(2, 4, 6, 10);
    }

    @Test
    void channelJTurnsTogetherWithChannelJPlusHalf() {
        RotaryEmbedding.Output out = new RotaryEmbeddingReference().apply(new RotaryEmbedding.Input(query(row(1, 0, 0, 0)), 3, 10000));
        assertClose("e0 at position 3", out.rotated().toDouble().data(), row(Math.cos(3), 0, Math.sin(3), 0));
        // channel 1 of 4 turns by position · 10000^(−1/2) = 0.03
        out = new RotaryEmbeddingReference().apply(new RotaryEmbedding.Input(query(row(0, 1, 0, 0)), 3, 10000));
        assertClose("e1 at position 3", out.rotated().toDouble().data(), row(0, Math.cos(0.03), 0, Math.sin(0.03)));
    }

    @Test
    void positionZeroIsNotTurned() {
        RotaryEmbedding.Output out = new RotaryEmbeddingReference().apply(new RotaryEmbedding.Input(query(row(1, 2, 3, 4)), 0, 10000));
        assertThat(out.rotated().toDouble().data()).containsExactly(1, 2, 3, 4);
    }

    @Test
    void headsAreLaidEndToEndPerToken() {
        DoubleTensor context = DoubleTensor.of(Shape.of("heads", 2, "queryLen", 2, "headDim", 1), 1, 3, 2, 4);
        // token 0 has the heads (1, 2), token 1 has (3, 4)
        OutputProjection.Output out = new OutputProjectionReference().apply(new OutputProjection.Input(context, weight(2, 2, 1, 10, 0, 1)));
        assertThat(out.hidden().toDouble().data()).containsExactly(21, 2, 43, 4);
    }

    @Test
    void theBranchIsAddedToTheStream() {
        ResidualAdd.Output out = new ResidualAddReference().apply(new ResidualAdd.Input(
                matrix("queryLen", "modelDim", row(1, 2)), matrix("queryLen", "modelDim", row(10, 20))));
        assertThat(out.hidden().toDouble().data()).containsExactly(11, 22);
    }

    @Test
    void theGateDecidesHowMuchOfTheUpBranchPasses() {
        assertThat(feedForward(0)).isZero();
        assertClose("open gate: 100 · 2 · 3", feedForward(100), 600);
        assertClose("gelu(1) · 2 · 3", feedForward(1), 6 * 0.8411919906082768);
    }

    /// Input 1, this gate, up 2, down 3.
    private static double feedForward(double gate) {
        return new FeedForwardReference().apply(new FeedForward.Input(matrix("queryLen", "modelDim", row(1)),
                weight(1, 1, gate), weight(1, 1, 2), weight(1, 1, 3))).hidden().toDouble().at(0, 0);
    }

    @Test
    void geluIsTheTanhForm() {
        assertClose("gelu(1)", FeedForwardReference.geluTanh(1), 0.8411919906082768);
        // the form with erf gives 0.8413447460685429
        assertThat(Math.abs(FeedForwardReference.geluTanh(1) - 0.8413447460685429)).isGreaterThan(1e-4);
    }

    @Test
    void theFinalCapSquashesLogitsBelowThirty() {
        // tanh(a) = 1/2 for a = ln(3)/2, and tanh(2a) = 4/5
        LmHead.Output out = new LmHeadReference().apply(new LmHead.Input(matrix("queryLen", "modelDim", row(15 * Math.log(3))),
                weight(2, 1, 1, 2), OptionalDouble.of(30)));
        assertClose("logits", out.logits().toDouble().data(), row(15, 24));
    }

    @Test
    void withoutACapLogitsAreDotProductsWithTheEmbedding() {
        LmHead.Output out = new LmHeadReference().apply(new LmHead.Input(matrix("queryLen", "modelDim", row(100)),
                weight(2, 1, 1, 2), OptionalDouble.empty()));
        assertThat(out.logits().toDouble().data()).containsExactly(100, 200);
    }
}
