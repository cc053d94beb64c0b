package org.dhsa.reference.dhsa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.dhsa.testing.Tensors.matrix;
import static org.dhsa.testing.Tensors.row;

import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.testing.Picture;
import org.junit.jupiter.api.Test;

class TopKSelectionTest {

    /// Eight tokens in three chunks of scores 1, 9 and 2, the same for all four blocks of two queries.
    private static final double[] SCORES = row(1, 1, 1, 9, 9, 2, 2, 2);

    private static KeySelection select(Visibility visibility, int budget, Consumer<DhsaConfig.Builder> change, double... scores) {
        DhsaConfig config = DhsaConfig.DEFAULT.with(c -> {
            c.blockSize = 2;
            c.budget = 1000;
            c.localTokens = 0;
            c.globalTokens = 0;
            change.accept(c);
        });
        int blocks = (scores.length + 1) / 2;
        DoubleTensor rows = matrix("queryBlocks", "keyLen", IntStream.range(0, blocks).mapToObj(b -> scores).toArray(double[][]::new));
        return new TopKSelectionReference().apply(new TopKSelection.Input(rows,
                QueryBlocks.fixed(scores.length, scores.length, 2), visibility, budget, config)).selection();
    }

    @Test
    void aBudgetOfThreeLeavesOneKeyToTheScores() {
        assertThat(Picture.ofLists(select(Visibility.GLOBAL, 3, c -> {}, SCORES), 8)).isEqualTo("""
                x x . . . . . .
                x . x x . . . .
                . . . x x x . .
                . . . x . . x x""");
    }

    @Test
    void tiesAtTheCutOffGoToTheEarlierToken() {
        assertThat(last(select(Visibility.GLOBAL, 3, c -> {}, SCORES)).keys()).containsExactly(3, 6, 7);
        assertThat(last(select(Visibility.GLOBAL, 3, c -> c.tieOrder = TieOrder.HIGH_POSITION_FIRST, SCORES)).keys()).containsExactly(4, 6, 7);
    }

    @Test
    void theSelectionSaysHowClearTheCutWas() {
        BlockSelection tied = last(select(Visibility.GLOBAL, 3, c -> {}, SCORES));
        assertThat(tied).isEqualTo(new BlockSelection(new int[] {3, 6, 7}, 2, 1, 9, 0, 0, new int[] {3, 4}));
        assertThat(tied.ambiguous()).isTrue();
        // two of two nines fit, the next best is 2
        BlockSelection clear = last(select(Visibility.GLOBAL, 4, c -> {}, SCORES));
        assertThat(clear).isEqualTo(new BlockSelection(new int[] {3, 4, 6, 7}, 2, 2, 9, 7, 0, new int[] {3, 4}));
        assertThat(clear.ambiguous()).isFalse();
        // nines and the two: strictly greater ones are counted apart
        assertThat(last(select(Visibility.GLOBAL, 5, c -> {}, SCORES)).greater()).isEqualTo(2);
    }

    @Test
    void forcedKeysArePartOfTheBudget() {
        KeySelection selection = select(Visibility.GLOBAL, 5, c -> {
            c.localTokens = 1;
            c.globalTokens = 1;
        }, SCORES);
        // own 6 and 7, local 5, global 0, and one by score
        assertThat(last(selection).keys()).containsExactly(0, 3, 5, 6, 7);
        assertThat(last(selection).forced()).isEqualTo(4);
    }

    @Test
    void whenTheBudgetIsTightOwnKeysComeBeforeLocalOnesAndLocalOnesBeforeGlobalOnes() {
        Consumer<DhsaConfig.Builder> twoAndTwo = c -> {
            c.localTokens = 2;
            c.globalTokens = 2;
        };
        assertThat(last(select(Visibility.GLOBAL, 2, twoAndTwo, SCORES)).keys()).containsExactly(6, 7);
        assertThat(last(select(Visibility.GLOBAL, 3, twoAndTwo, SCORES)).keys()).containsExactly(5, 6, 7);
        assertThat(last(select(Visibility.GLOBAL, 5, twoAndTwo, SCORES)).keys()).containsExactly(0, 4, 5, 6, 7);
    }

    @Test
    void aLocalLayerChoosesAmongTheKeysItsBlockSees() {
        // window 3: the first query of a block sees two keys before it
        assertThat(Picture.ofLists(select(new Visibility(3, false), 100, c -> {}, SCORES), 8)).isEqualTo("""
                x x . . . . . .
                x x x x . . . .
                . . x x x x . .
                . . . . x x x x""");
    }

    @Test
    void aPartialLastBlockIsABlockLikeAnyOther() {
        assertThat(Picture.ofLists(select(Visibility.GLOBAL, 2, c -> {}, row(1, 2, 3, 4, 5)), 5)).isEqualTo("""
                x x . . .
                . . x x .
                . . . x x""");
    }

    @Test
    void aBudgetLargerThanThePrefixKeepsThePrefix() {
        KeySelection selection = select(Visibility.GLOBAL, 100, c -> {}, SCORES);
        assertThat(Picture.ofLists(selection, 8)).isEqualTo("""
                x x . . . . . .
                x x x x . . . .
                x x x x x x . .
                x x x x x x x x""");
        assertThat(selection.margin()).isEqualTo(Double.POSITIVE_INFINITY);
        assertThat(selection.ambiguousBlocks()).isZero();
    }

    @Test
    void nothingTakenByScoreLeavesNoThreshold() {
        assertThat(last(select(Visibility.GLOBAL, 2, c -> {}, SCORES)).threshold()).isNaN();
    }

    @Test
    void zeroAndMinusZeroAreEqualScores() {
        assertThat(last(select(Visibility.GLOBAL, 3, c -> {}, -0.0, 0.0, -1, -1)).keys()).containsExactly(0, 2, 3);
    }

    @Test
    void minusInfinityIsStillBetterThanNaN() {
        assertThat(last(select(Visibility.GLOBAL, 3, c -> {}, Double.NaN, Double.NEGATIVE_INFINITY, 0, 0)).keys()).containsExactly(1, 2, 3);
    }

    @Test
    void aBudgetOfZeroIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> select(Visibility.GLOBAL, 0, c -> {}, SCORES))
                .withMessage("budget must be positive, was 0");
    }

    private static BlockSelection last(KeySelection selection) {
        List<BlockSelection> blocks = selection.blocks();
        return blocks.getLast();
    }
}
