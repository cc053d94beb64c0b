package org.dhsa.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BoundariesTest {

    @Test
    void aTokenOnABoundaryOpensTheNextChunk() {
        Boundaries boundaries = Boundaries.of(0, 2, 3, 6);
        assertThat(IntStream.range(0, 6).map(boundaries::chunkOf)).containsExactly(0, 0, 1, 2, 2, 2);
        assertThat(boundaries.chunks()).isEqualTo(3);
        assertThat(boundaries.length(2)).isEqualTo(3);
        assertThat(boundaries.totalLength()).isEqualTo(6);
    }

    @Test
    void noTokenMapsToTheEmptyChunkOfARepeatedBoundary() {
        Boundaries boundaries = Boundaries.of(0, 2, 2, 4);
        assertThat(IntStream.range(0, 4).map(boundaries::chunkOf)).containsExactly(0, 0, 2, 2);
        assertThat(boundaries.length(1)).isZero();
    }

    @Test
    void uniformChunksEndWithAShorterOne() {
        assertThat(Boundaries.uniform(7, 3)).isEqualTo(Boundaries.of(0, 3, 6, 7)).hasToString("[0, 3, 6, 7]");
        assertThat(Boundaries.uniform(6, 3)).isEqualTo(Boundaries.of(0, 3, 6));
        assertThat(Boundaries.uniform(2, 3)).isEqualTo(Boundaries.of(0, 2));
    }

    @Test
    void positionsOutsideHaveNoChunk() {
        Boundaries boundaries = Boundaries.of(0, 2, 3);
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> boundaries.chunkOf(3))
                .withMessage("position 3 is outside [0, 3)");
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> boundaries.chunkOf(-1));
    }

    @Test
    void boundariesStartAtZeroAndNeverFall() {
        assertThatIllegalArgumentException().isThrownBy(() -> Boundaries.of(1, 2)).withMessageContaining("must start with 0");
        assertThatIllegalArgumentException().isThrownBy(() -> Boundaries.of(0)).withMessageContaining("must start with 0");
        assertThatIllegalArgumentException().isThrownBy(() -> Boundaries.of(0, 3, 2)).withMessage("boundaries must not fall: 3 then 2 at index 2");
    }
}
