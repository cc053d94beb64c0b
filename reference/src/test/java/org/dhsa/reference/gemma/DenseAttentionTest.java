package org.dhsa.reference.gemma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.dhsa.recording.Close.assertClose;
import static org.dhsa.testing.Tensors.keys;
import static org.dhsa.testing.Tensors.query;
import static org.dhsa.testing.Tensors.row;

import java.util.OptionalDouble;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.testing.Picture;
import org.junit.jupiter.api.Test;

class DenseAttentionTest {

    private static final double LN3 = Math.log(3);

    private static AttentionRule rule(double scale, OptionalDouble cap, Visibility visibility, int queryStart, int keyStart) {
        return new AttentionRule(scale, cap, visibility, queryStart, keyStart);
    }

    @Test
    void logitsZeroAndLogThreeWeighOneAndThreeQuarters() {
        DenseAttention.Output out = new DenseAttentionReference().apply(new DenseAttention.Input(query(row(1)), keys(0, LN3), keys(0, 4),
                rule(1, OptionalDouble.empty(), Visibility.GLOBAL, 1, 0)));
        assertClose("0 · 1/4 + 4 · 3/4", out.context().toDouble().at(0, 0, 0), 3);
        assertThat(out.pairsRead()).isEqualTo(2);
    }

    @Test
    void theScaleComesBeforeTheCap() {
        // scale 1/2 makes ln3·ln3 of 2·ln3·ln3; the cap 2·ln3 makes 2·ln3·tanh(ln3 / 2) = ln3 of it
        DenseAttention.Output out = new DenseAttentionReference().apply(new DenseAttention.Input(query(row(2 * LN3)), keys(0, LN3), keys(0, 4),
                rule(0.5, OptionalDouble.of(2 * LN3), Visibility.GLOBAL, 1, 0)));
        assertClose("as with logits 0 and ln 3", out.context().toDouble().at(0, 0, 0), 3);
    }

    @Test
    void theMaskComesAfterTheCapSoHiddenKeysWeighNothing() {
        // were -infinity capped, it would be -1 and count
        DenseAttention.Output out = new DenseAttentionReference().apply(new DenseAttention.Input(query(row(1)), keys(0, 0, 9), keys(2, 4, 1e6),
                rule(1, OptionalDouble.of(1), Visibility.GLOBAL, 1, 0)));
        assertClose("mean of 2 and 4", out.context().toDouble().at(0, 0, 0), 3);
    }

    @Test
    void twoQueryHeadsShareOneKeyHead() {
        DoubleTensor query = DoubleTensor.zeros(Shape.of("heads", 4, "queryLen", 1, "headDim", 1));
        DoubleTensor key = DoubleTensor.zeros(Shape.of("kvHeads", 2, "keyLen", 1, "headDim", 1));
        DoubleTensor value = DoubleTensor.of(key.shape(), 10, 20);
        DenseAttention.Output out = new DenseAttentionReference().apply(new DenseAttention.Input(query, key, value,
                rule(1, OptionalDouble.empty(), Visibility.GLOBAL, 0, 0)));
        assertThat(out.context().toDouble().data()).containsExactly(10, 10, 20, 20);
    }

    @Test
    void aWindowOfTwoReadsTheTokenAndOneBefore() {
        DoubleTensor query = query(row(1), row(1), row(1), row(1));
        DenseAttention.Input in = new DenseAttention.Input(query, keys(0, 0, 0, 0), keys(1, 3, 5, 7),
                rule(1, OptionalDouble.empty(), new Visibility(2, false), 0, 0));
        DoubleTensor logits = DenseAttentionReference.logits(in);
        assertThat(Picture.of(4, 4, (i, j) -> logits.at(0, i, j) > Double.NEGATIVE_INFINITY)).isEqualTo("""
                x . . .
                x x . .
                . x x .
                . . x x""");
        DenseAttention.Output out = new DenseAttentionReference().apply(in);
        assertClose("means of neighbours", out.context().toDouble().data(), row(1, 2, 4, 6));
        assertThat(out.pairsRead()).isEqualTo(7);
    }

    @Test
    void aTrimmedCacheIsReadByAbsolutePosition() {
        // the cache holds positions 5 and 6; the query stands at 6
        DenseAttention.Output out = new DenseAttentionReference().apply(new DenseAttention.Input(query(row(1)), keys(0, 0), keys(2, 4),
                rule(1, OptionalDouble.empty(), new Visibility(2, false), 6, 5)));
        assertClose("mean of both", out.context().toDouble().at(0, 0, 0), 3);
    }

    @Test
    void hugeLogitsDoNotOverflow() {
        DenseAttention.Output out = new DenseAttentionReference().apply(new DenseAttention.Input(query(row(1)), keys(1e6, -1e6), keys(1, 2),
                rule(1, OptionalDouble.empty(), Visibility.GLOBAL, 1, 0)));
        assertThat(out.context().toDouble().at(0, 0, 0)).isEqualTo(1);
    }

    @Test
    void headsThatDoNotDivideAreRefused() {
        DoubleTensor query = DoubleTensor.zeros(Shape.of("heads", 3, "queryLen", 1, "headDim", 1));
        DoubleTensor key = DoubleTensor.zeros(Shape.of("kvHeads", 2, "keyLen", 1, "headDim", 1));
        assertThatIllegalArgumentException().isThrownBy(() -> new DenseAttention.Input(query, key, key,
                        rule(1, OptionalDouble.empty(), Visibility.GLOBAL, 0, 0)))
                .withMessage("heads 3 must be a multiple of kvHeads 2");
        assertThatIllegalArgumentException().isThrownBy(() -> rule(0, OptionalDouble.empty(), Visibility.GLOBAL, 0, 0))
                .withMessage("scale must be positive, was 0.0");
    }
}
