package org.dhsa.golden.diff;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import java.util.OptionalInt;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Config;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// The small model has a window of 64.
class BlindSpotsTest {

    private static Gemma2Config model;

    @BeforeAll
    static void read() throws Exception {
        try (Gemma2Model opened = Gemma2Loader.load(Dumps.MODEL)) {
            model = opened.config();
        }
    }

    private static ForwardTrace.Setting setting(int length, Optional<DhsaConfig> dhsa) {
        return new ForwardTrace.Setting(model, EmbeddingScale.EXACT, dhsa, Optional.empty(), length, 0);
    }

    @Test
    void aPromptMustBeLongerThanTheWindow() {
        assertThat(BlindSpots.of(setting(64, Optional.empty()), OptionalInt.empty())).singleElement().asString().contains("64 tokens fit into its 64").contains("more than 64");
        assertThat(BlindSpots.of(setting(65, Optional.empty()), OptionalInt.empty())).isEmpty();
    }

    @Test
    void aSelectionMustLeaveSomethingOut() {
        DhsaConfig dhsa = DhsaConfig.DEFAULT;
        int budget = dhsa.budget();
        int tail = dhsa.instructionTokens().orElse(0);
        Optional<DhsaConfig> some = Optional.of(dhsa);
        assertThat(BlindSpots.of(setting(budget + tail, some), OptionalInt.of(9))).singleElement().asString().contains("budget of " + budget);
        assertThat(BlindSpots.of(setting(budget + tail + 1, some), OptionalInt.of(9))).isEmpty();
        assertThat(BlindSpots.of(setting(budget + tail + 1, some), OptionalInt.of(1))).singleElement().asString().contains("a single one");
    }
}
