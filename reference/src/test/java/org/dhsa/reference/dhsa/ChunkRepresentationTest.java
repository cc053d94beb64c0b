package org.dhsa.reference.dhsa;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.dhsa.recording.Close.assertClose;
import static org.dhsa.testing.Tensors.keys;
import static org.dhsa.testing.Tensors.row;

import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkRepresentation.Pooling;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.junit.jupiter.api.Test;

class ChunkRepresentationTest {

    private static double[] represent(DoubleTensor states, Pooling pooling, int padTo, int... boundaries) {
        return new ChunkRepresentationReference().apply(new ChunkRepresentation.Input(states, Boundaries.of(boundaries), pooling, padTo))
                .chunks().toDouble().data();
    }

    @Test
    void lengthNormalisationOfTwoAndFour() {
        // both chunks have the mean 3; the longer one counts √4 / √2 times as much
        assertClose("√2 · 3 and √4 · 3", represent(keys(2, 4, 1, 2, 3, 6), Pooling.MEAN_SQRT_LENGTH, 0, 0, 2, 6), row(3 * Math.sqrt(2), 6));
        assertClose("plain means", represent(keys(2, 4, 1, 2, 3, 6), Pooling.MEAN, 0, 0, 2, 6), row(3, 3));
    }

    @Test
    void aChunkOfOneIsTheKeyItself() {
        assertThat(represent(keys(5, 7), Pooling.MEAN_SQRT_LENGTH, 0, 0, 1, 2)).containsExactly(5, 7);
    }

    @Test
    void theNormOfAChunkOfIndependentUnitVectorsIsOneWhateverItsLength() {
        for (int n : new int[] {1, 4, 9}) {
            DoubleTensor unitVectors = DoubleTensor.zeros(Shape.of("kvHeads", 1, "keyLen", n, "headDim", n));
            for (int t = 0; t < n; t++) {
                unitVectors.set(1, 0, t, t);
            }
            double squared = 0;
            for (double x : represent(unitVectors, Pooling.MEAN_SQRT_LENGTH, 0, 0, n)) {
                squared += x * x;
            }
            assertClose("squared norm of " + n, squared, 1);
        }
    }

    @Test
    void headsAreAveragedFirst() {
        DoubleTensor states = DoubleTensor.of(Shape.of("kvHeads", 2, "keyLen", 2, "headDim", 1), 1, 3, 5, 7);
        assertClose("maximum of the means 3 and 5", represent(states, Pooling.MAX, 0, 0, 2), row(5));
    }

    @Test
    void paddingDividesByTheFullBlockAndShowsItsZerosToTheMaximum() {
        DoubleTensor states = keys(4, 4, -2);
        assertClose("mean of a padded last block", represent(states, Pooling.MEAN, 2, 0, 2, 3), row(4, -1));
        assertClose("maximum of a padded last block", represent(states, Pooling.MAX, 2, 0, 2, 3), row(4, 0));
        assertClose("without padding", represent(states, Pooling.MAX, 0, 0, 2, 3), row(4, -2));
    }

    @Test
    void anEmptyChunkIsZero() {
        assertThat(represent(keys(1, 2), Pooling.MEAN_SQRT_LENGTH, 0, 0, 1, 1, 2)).containsExactly(1, 0, 2);
        assertThat(represent(keys(1, 2), Pooling.MAX, 0, 0, 1, 1, 2)).containsExactly(1, 0, 2);
    }

    @Test
    void segmentsMayEndBeforeTheStatesButNotAfter() {
        assertThat(represent(keys(1, 2, 3), Pooling.MEAN, 0, 0, 2)).containsExactly(1.5);
        assertThatIllegalArgumentException().isThrownBy(() -> represent(keys(1), Pooling.MEAN, 0, 0, 2))
                .withMessage("segments cover 2 tokens of [kvHeads=1, keyLen=1, headDim=1]");
    }
}
