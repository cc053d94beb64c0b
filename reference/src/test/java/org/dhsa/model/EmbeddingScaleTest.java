package org.dhsa.model;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EmbeddingScaleTest {

    @ParameterizedTest
    @CsvSource({"3584, 59.75", "3072, 55.5", "2304, 48", "2048, 45.25"})
    void bfloat16RoundsTheRootOfTheWidth(int modelDim, double factor) {
        assertThat(EmbeddingScale.BF16_ROUNDED.factor(modelDim)).isEqualTo(factor);
    }

    @Test
    void theExactFactorIsTheRoot() {
        assertThat(EmbeddingScale.EXACT.factor(3584)).isEqualTo(Math.sqrt(3584));
        assertThat(EmbeddingScale.EXACT.factor(2304)).isEqualTo(48);
    }

    @Test
    void halfwayValuesGoToTheEvenNeighbour() {
        // bfloat16 has 8 significant bits: between 256 and 258 lies 257
        assertThat(EmbeddingScale.roundToBf16(257)).isEqualTo(256);
        assertThat(EmbeddingScale.roundToBf16(259)).isEqualTo(260);
        assertThat(EmbeddingScale.roundToBf16(257.01f)).isEqualTo(258);
    }
}
