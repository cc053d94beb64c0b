package org.dhsa.reference.dhsa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.dhsa.testing.Tensors.matrix;
import static org.dhsa.testing.Tensors.row;

import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.junit.jupiter.api.Test;

class ChunkSimilarityTest {

    @Test
    void twoQueriesAgainstTwoChunksAreFourDotProducts() {
        ChunkSimilarity.Output out = new ChunkSimilarityReference().apply(new ChunkSimilarity.Input(
                matrix("chunks", "headDim", row(1, 0), row(1, 1)), matrix("chunks", "headDim", row(2, 1), row(0, 3))));
        DoubleTensor scores = out.chunkScores().toDouble();
        assertThat(scores.shape()).isEqualTo(Shape.of("queryBlocks", 2, "chunks", 2));
        assertThat(scores.data()).containsExactly(2, 0, 3, 3);
    }

    @Test
    void otherWidthsAreRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> new ChunkSimilarity.Input(
                matrix("chunks", "headDim", row(1)), matrix("chunks", "headDim", row(1, 2)))).withMessageContaining("axis headDim must be 1");
    }
}
