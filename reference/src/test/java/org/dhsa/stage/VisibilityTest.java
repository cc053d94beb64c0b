package org.dhsa.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.dhsa.model.LayerKind;
import org.dhsa.testing.Picture;
import org.junit.jupiter.api.Test;

class VisibilityTest {

    @Test
    void aWindowOfTwoShowsTheTokenAndOneBefore() {
        assertThat(Picture.of(4, 4, new Visibility(2, false)::sees)).isEqualTo("""
                x . . .
                x x . .
                . x x .
                . . x x""");
    }

    @Test
    void theExtraKeyMakesTheWindowOneWider() {
        assertThat(Picture.of(4, 4, new Visibility(2, true)::sees)).isEqualTo("""
                x . . .
                x x . .
                x x x .
                . x x x""");
    }

    @Test
    void globalLayersSeeEverythingUpToThemselves() {
        assertThat(Picture.of(4, 4, Visibility.GLOBAL::sees)).isEqualTo("""
                x . . .
                x x . .
                x x x .
                x x x x""");
    }

    @Test
    void visibilityFollowsTheKindOfLayer() {
        assertThat(Visibility.of(new LayerKind.Local(3))).isEqualTo(new Visibility(3, false));
        assertThat(Visibility.of(new LayerKind.Global())).isEqualTo(Visibility.GLOBAL);
        assertThatIllegalArgumentException().isThrownBy(() -> new Visibility(-1, false)).withMessage("window must not be negative, was -1");
        assertThatIllegalArgumentException().isThrownBy(() -> new LayerKind.Local(0)).withMessage("window must be positive, was 0");
    }
}
