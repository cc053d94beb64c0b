package org.dhsa.reference.baseline;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.dhsa.testing.Picture;
import org.dhsa.testing.Tensors;
import org.junit.jupiter.api.Test;

/// What the recordings do not show: the masks without the quirks.
class MaskChainTest {

    private static final double[] KEYS = {5, 1, 3, 4, 9};

    private static List<boolean[][][]> masks(MaskChain.Step... steps) {
        return MaskChain.apply(new MaskChain.Input(Tensors.query(Tensors.row(1), Tensors.row(1), Tensors.row(1), Tensors.row(1), Tensors.row(1)), Tensors.keys(KEYS), 1), List.of(steps));
    }

    @Test
    void aShortInputHasAWindowToo() {
        assertThat(Picture.of(masks(new MaskChain.Local(2, false)).getFirst()[0])).isEqualTo("""
                x . . . .
                x x . . .
                . x x . .
                . . x x .
                . . . x x""");
        assertThat(Picture.of(masks(new MaskChain.Local(2, true)).getFirst()[0])).as("the quirk").doesNotContain(".");
    }

    /// Each step adds to what is on: the best key that the window does not have.
    @Test
    void topKAddsNewKeys() {
        List<boolean[][][]> masks = masks(new MaskChain.Local(2, false), new MaskChain.TopK(1));
        assertThat(Picture.of(masks.get(1)[0])).isEqualTo("""
                x . . . .
                x x . . .
                x x x . .
                x . x x .
                x . . x x""");
        assertThat(Picture.of(masks.get(0)[0])).as("the mask after the first step stays as it was").startsWith("x . . . .\nx x . . .\n. x x");
    }

    /// Pages 5 1 | 3 4 | 9; then 5 1 | 3 7, where row 2 sees the 3 of its page alone.
    @Test
    void aQueryDoesNotSeeAheadInItsPage() {
        assertThat(Picture.of(masks(new MaskChain.Quest(2, 2, false)).getFirst()[0])).isEqualTo("""
                x . . . .
                x x . . .
                x x . . .
                x x . . .
                . . . . x""");
        double[] keys = {5, 1, 3, 7};
        MaskChain.Input in = new MaskChain.Input(Tensors.query(Tensors.row(1), Tensors.row(1)), Tensors.keys(keys), 1);
        assertThat(Picture.of(MaskChain.apply(in, List.of(new MaskChain.Quest(2, 2, false))).getFirst()[0])).isEqualTo("x x . .\n. . x x");
        assertThat(Picture.of(MaskChain.apply(in, List.of(new MaskChain.Quest(2, 2, true))).getFirst()[0])).as("row 2 is drawn by the 7 of row 3").isEqualTo(". . x .\n. . x x");
    }
}
