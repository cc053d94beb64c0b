package org.dhsa.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class SamplerTest {

    private static final double[] LOGITS = {1.0, 4.0, 2.0, 4.0, Double.NEGATIVE_INFINITY};

    @Test
    void temperatureZeroIsGreedyAndEqualLogitsGoToTheLowerId() {
        assertThat(Sampler.of(0, 3, 0.5, 42).next(LOGITS)).isEqualTo(1);
        assertThat(Sampler.greedy().next(LOGITS)).isEqualTo(1);
    }

    @Test
    void theSameSeedGivesTheSameTokens() {
        Sampler a = Sampler.of(1.5, 0, 1, 7);
        Sampler b = Sampler.of(1.5, 0, 1, 7);
        for (int i = 0; i < 50; i++) {
            assertThat(a.next(LOGITS)).isEqualTo(b.next(LOGITS));
        }
    }

    @Test
    void aHighTemperatureReachesEveryTokenThatHasAnyProbability() {
        assertThat(drawn(Sampler.of(50, 0, 1, 1))).containsExactly(0, 1, 2, 3);
    }

    @Test
    void topKOfOneIsGreedyAtAnyTemperature() {
        assertThat(drawn(Sampler.of(50, 1, 1, 1))).containsExactly(1);
    }

    @Test
    void topKKeepsTheMostProbableLowerIdsFirstAmongEquals() {
        assertThat(drawn(Sampler.of(50, 2, 1, 1))).containsExactly(1, 3);
    }

    @Test
    void topKBeyondTheVocabularyIsNoLimit() {
        assertThat(drawn(Sampler.of(50, 1000, 1, 1))).containsExactly(0, 1, 2, 3);
    }

    @Test
    void topPKeepsTheSmallestHeadThatReachesIt() {
        // probabilities at temperature 1: 0.455 and 0.455 for ids 1 and 3, 0.062 for 2, 0.023 for 0
        assertThat(drawn(Sampler.of(1, 0, 0.9, 1))).containsExactly(1, 3);
        assertThat(drawn(Sampler.of(1, 0, 0.4, 1))).containsExactly(1);
    }

    @Test
    void aTinyTopPStillLeavesOneToken() {
        assertThat(drawn(Sampler.of(1, 0, 1e-12, 1))).containsExactly(1);
    }

    @Test
    void topPIsTakenOfWhatTopKLeft() {
        assertThat(drawn(Sampler.of(1, 2, 0.5, 1))).containsExactly(1);
        assertThat(drawn(Sampler.of(1, 2, 0.51, 1))).containsExactly(1, 3);
    }

    @Test
    void nanIsNeverChosen() {
        assertThat(drawn(Sampler.of(50, 0, 1, 1), Double.NaN, 1, Double.NaN)).containsExactly(1);
        assertThatThrownBy(() -> Sampler.greedy().next(new double[] {Double.NaN})).hasMessageContaining("no logit is a number");
    }

    @Test
    void valuesOutOfRangeAreNamed() {
        assertThatThrownBy(() -> Sampler.of(-1, 0, 1, 0)).hasMessage("temperature must be 0 (greedy) or a positive number, was -1.0");
        assertThatThrownBy(() -> Sampler.of(1, -2, 1, 0)).hasMessage("top-k must be 0 (no limit) or positive, was -2");
        assertThatThrownBy(() -> Sampler.of(1, 0, 0, 0)).hasMessage("top-p must be above 0 and at most 1, was 0.0");
        assertThatThrownBy(() -> Sampler.of(1, 0, Double.NaN, 0)).hasMessageContaining("top-p");
    }

    private static Set<Integer> drawn(Sampler sampler, double... logits) {
        Set<Integer> seen = new TreeSet<>();
        for (int i = 0; i < 400; i++) {
            seen.add(sampler.next(logits.length == 0 ? LOGITS : logits));
        }
        return seen;
    }
}
