package org.dhsa.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Test;

class DoubleTensorTest {

    private final DoubleTensor tensor = DoubleTensor.of(Shape.of("heads", 2, "queryLen", 3, "headDim", 1), 0, 1, 2, 10, 11, 12);

    @Test
    void theLastAxisIsContiguous() {
        assertThat(tensor.at(1, 2, 0)).isEqualTo(12);
        tensor.set(-1, 0, 1, 0);
        assertThat(tensor.data()).containsExactly(0, -1, 2, 10, 11, 12);
    }

    @Test
    void theFirstTwoAxesCanChangePlaces() {
        DoubleTensor swapped = tensor.swapFirstTwo(Shape.of("queryLen", 3, "heads", 2, "headDim", 1));
        assertThat(swapped.data()).containsExactly(0, 10, 1, 11, 2, 12);
    }

    @Test
    void rowsAreACopyOfTheFirstAxis() {
        DoubleTensor second = tensor.rows(1, 2);
        assertThat(second.shape()).isEqualTo(Shape.of("heads", 1, "queryLen", 3, "headDim", 1));
        second.set(99, 0, 0, 0);
        assertThat(tensor.at(1, 0, 0)).isEqualTo(10);
    }

    @Test
    void slicesOfAnyAxisJoinedAgainAreTheTensor() {
        for (String axis : tensor.shape().names()) {
            int extent = tensor.shape().extent(axis);
            DoubleTensor joined = DoubleTensor.join(List.of(tensor.slice(axis, 0, extent - 1), tensor.slice(axis, extent - 1, extent)), axis);
            assertThat(joined.shape()).isEqualTo(tensor.shape());
            assertThat(joined.data()).containsExactly(tensor.data());
        }
        assertThat(tensor.slice("queryLen", 1, 3).data()).containsExactly(1, 2, 11, 12);
        assertThatIllegalArgumentException().isThrownBy(() -> DoubleTensor.join(List.of(tensor, tensor.slice("heads", 0, 1)), "queryLen"))
                .withMessageContaining("heads=1").withMessageContaining("differ in more than queryLen");
    }

    @Test
    void wrongSizesAndIndicesAreRefusedByName() {
        assertThatIllegalArgumentException().isThrownBy(() -> DoubleTensor.of(Shape.of("heads", 2), 1))
                .withMessage("shape [heads=2] needs 2 values, got 1");
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> tensor.at(0, 3, 0))
                .withMessage("queryLen=3 is outside [heads=2, queryLen=3, headDim=1]");
        assertThatIllegalArgumentException().isThrownBy(() -> tensor.at(0)).withMessageContaining("1 indices for");
    }
}
