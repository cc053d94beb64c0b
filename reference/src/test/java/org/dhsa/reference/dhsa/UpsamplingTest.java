package org.dhsa.reference.dhsa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dhsa.testing.Tensors.matrix;
import static org.dhsa.testing.Tensors.row;

import org.dhsa.stage.Boundaries;
import org.dhsa.stage.Upsampling;
import org.junit.jupiter.api.Test;

class UpsamplingTest {

    @Test
    void everyTokenHasTheScoreOfItsChunk() {
        Upsampling.Output out = new UpsamplingReference().apply(new Upsampling.Input(
                matrix("queryBlocks", "chunks", row(5, 1, 7), row(0, -2, 3)), Boundaries.of(0, 2, 3, 6)));
        assertThat(out.tokenScores().toDouble().data()).containsExactly(
                5, 5, 1, 7, 7, 7,
                0, 0, -2, 3, 3, 3);
    }
}
