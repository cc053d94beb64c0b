package org.dhsa.bench;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class KernelStepsTest {

    @Test
    void everyFormOfTheProductIsRightAndAWrongOneIsNoticed() {
        KernelSteps steps = new KernelSteps();
        assertThatCode(steps::check).doesNotThrowAnyException();
        float[] wrong = steps.registerTile().clone();
        wrong[0] += 1;
        assertThatThrownBy(() -> steps.requireRight("registerTile", wrong)).isInstanceOf(IllegalStateException.class).hasMessageContaining("[0, 0]");
        assertThatThrownBy(() -> steps.requireRight("registerTile", new float[wrong.length])).isInstanceOf(IllegalStateException.class);
    }
}
