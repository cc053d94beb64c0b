package org.dhsa.reference.dhsa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.dhsa.recording.Close.assertClose;
import static org.dhsa.testing.Tensors.keys;
import static org.dhsa.testing.Tensors.query;
import static org.dhsa.testing.Tensors.row;

import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.SparseAttention;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.testing.Picture;
import org.junit.jupiter.api.Test;

/// Queries are zero here, so every row is the plain mean of the values it reads: 1, 2, 4 and 8 tell them apart.
class SparseAttentionTest {

    private static final DoubleTensor QUERY = query(row(0), row(0), row(0), row(0));
    private static final DoubleTensor KEY = keys(0, 0, 0, 0);
    private static final DoubleTensor VALUE = keys(1, 2, 4, 8);

    private static KeySelection lists(int denseFrom, int[]... lists) {
        return new KeySelection(QueryBlocks.fixed(denseFrom, 4, 2), Arrays.stream(lists)
                .map(keys -> new BlockSelection(keys, 0, keys.length, 0, 0, 0, new int[0])).toList());
    }

    private static SparseAttention.Output attend(KeySelection selection, Visibility visibility) {
        return new SparseAttentionReference().apply(new SparseAttention.Input(QUERY, KEY, VALUE, selection,
                new AttentionRule(1, OptionalDouble.of(50), visibility, 0, 0)));
    }

    @Test
    void aRowReadsTheKeysOfItsListThatItSees() {
        KeySelection selection = lists(4, new int[] {0, 1}, new int[] {0, 2, 3});
        assertThat(Picture.ofRows(selection, Visibility.GLOBAL, 4)).isEqualTo("""
                x . . .
                x x . .
                x . x .
                x . x x""");
        SparseAttention.Output out = attend(selection, Visibility.GLOBAL);
        assertClose("means", out.context().toDouble().data(), row(1, 1.5, 2.5, 13.0 / 3));
        assertThat(out.pairsRead()).isEqualTo(8);
    }

    @Test
    void theWindowHoldsInsideABlock() {
        SparseAttention.Output out = attend(lists(4, new int[] {0, 1}, new int[] {0, 1, 2, 3}), new Visibility(2, false));
        assertClose("means of two neighbours", out.context().toDouble().data(), row(1, 1.5, 3, 6));
    }

    @Test
    void theInstructionReadsEverything() {
        SparseAttention.Output out = attend(lists(2, new int[] {0, 1}), Visibility.GLOBAL);
        assertClose("rows 2 and 3 are dense", out.context().toDouble().data(), row(1, 1.5, 7.0 / 3, 15.0 / 4));
    }

    @Test
    void aKeyListedTwiceCountsTwice() {
        SparseAttention.Output out = attend(lists(4, new int[] {0, 1}, new int[] {0, 3, 3}), Visibility.GLOBAL);
        assertClose("(1 + 8 + 8) / 3", out.context().toDouble().at(0, 3, 0), 17.0 / 3);
    }

    @Test
    void aRowWithoutAnyVisibleKeyIsZero() {
        SparseAttention.Output out = attend(lists(4, new int[] {1}, new int[] {3}), Visibility.GLOBAL);
        assertClose("rows 0 and 2 see nothing", out.context().toDouble().data(), row(0, 2, 0, 8));
    }

    @Test
    void aSelectionForOtherQueriesIsRefused() {
        KeySelection one = new KeySelection(QueryBlocks.single(0), List.of(new BlockSelection(new int[] {0}, 1, 0, Double.NaN, 0, 0, new int[0])));
        assertThatIllegalArgumentException().isThrownBy(() -> attend(one, Visibility.GLOBAL))
                .withMessage("the selection is for queries up to 1, the query rows end at 4");
        assertThatIllegalArgumentException().isThrownBy(() -> new KeySelection(QueryBlocks.single(0), List.of()))
                .withMessage("1 query blocks, but 0 lists of keys");
    }
}
