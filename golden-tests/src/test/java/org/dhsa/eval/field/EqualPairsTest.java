package org.dhsa.eval.field;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import org.dhsa.eval.field.EqualPairs.Phase;
import org.dhsa.eval.field.EqualPairs.Reading;
import org.dhsa.eval.policy.PolicyKnob;
import org.dhsa.eval.policy.PolicyResources;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.LayerKind;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.weights.BoundaryPredictorLoader;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Policies turned until they read alike.
class EqualPairsTest {

    private static final Path TINY = Path.of(System.getProperty("dhsa.root", ".")).resolve("golden-tests/models/tiny-gemma2");
    private static final int LENGTH = 150;
    private static Gemma2Model model;
    private static OptimizedBackend backend;
    private static EqualPairs global;

    @BeforeAll
    static void open() throws Exception {
        model = Gemma2Loader.load(TINY);
        backend = new OptimizedBackend(1);
        Gemma2Forward forward = new Gemma2Forward(model.config(), model.weights(), backend, EmbeddingScale.EXACT);
        DenseStates states = DenseStates.of(forward, backend, new SplittableRandom(5).ints(LENGTH, 5, model.config().vocabSize()).toArray());
        PolicyResources resources = PolicyResources.of(BoundaryPredictorLoader.load(TINY.resolve("boundary_predictor.safetensors"), OptionalInt.empty(), OptionalInt.empty()));
        global = new EqualPairs(states, resources, kind -> !(kind instanceof LayerKind.Local), Integer.MAX_VALUE);
    }

    @AfterAll
    static void close() {
        backend.close();
        model.close();
    }

    @Test
    void aPolicyReadsAsMuchAsItMayAndNotMore() {
        for (String spec : new String[] {"sliding", "streaming:sinks=4", "block-topk:block=8", "dhsa:block=8,local=8,sinks=2", "oracle-row", "oracle-topp"}) {
            for (double share : new double[] {0.15, 0.4}) {
                Reading at = global.at(spec, Phase.PROMPT, share).orElseThrow();
                assertThat(at.pairs()).as(at.spec()).isLessThanOrEqualTo((long) (share * at.visible()));
                PolicyKnob knob = PolicyKnob.of(spec, LENGTH).orElseThrow();
                int step = 1;
                while (!knob.at(step).equals(at.spec())) {
                    step++;
                }
                Reading more = global.measure(knob.at(step + 1), Phase.PROMPT);
                assertThat(more.pairs()).as("one step more than %s", at.spec()).isGreaterThan((long) (share * at.visible()));
            }
        }
    }

    @Test
    void pairsAreThoseOfTheRuledLayers() {
        // 4 query heads in each of the 2 global layers of 4
        assertThat(global.measure("dense", Phase.PROMPT).visible()).isEqualTo(2L * 4 * LENGTH * (LENGTH + 1) / 2);
        assertThat(global.measure("dense", Phase.DECODE).visible()).isEqualTo(2L * 4 * LENGTH);
        Reading window = global.measure("sliding:window=10", Phase.DECODE);
        assertThat(window.pairs()).isEqualTo(2L * 4 * 10);
        assertThat(window.selectionFlops()).isZero();
    }

    @Test
    void theOracleKeepsTheMost() {
        double best = global.at("oracle-row", Phase.PROMPT, 0.2).orElseThrow().mass();
        for (String spec : new String[] {"sliding", "block-topk:block=8", "dhsa:block=8,local=8,sinks=2"}) {
            Reading at = global.at(spec, Phase.PROMPT, 0.2).orElseThrow();
            assertThat(at.mass()).as(spec).isLessThan(best);
            assertThat(at.regret()).as(spec).isGreaterThan(0);
        }
        Reading oracle = global.at("oracle-row", Phase.DECODE, 0.2).orElseThrow();
        assertThat(oracle.recall()).isEqualTo(1);
        assertThat(oracle.regret()).isCloseTo(0, within(1e-12));
    }

    @Test
    void whoChoosesNothingInAPhaseDoesNotTakePart() {
        assertThat(global.at("dense", Phase.PROMPT, 0.2)).isEmpty();
        assertThat(global.at("snapkv:window=4", Phase.PROMPT, 0.2)).as("the prompt is dense").isEmpty();
        assertThat(global.at("snapkv:window=4", Phase.DECODE, 0.2)).isPresent();
        assertThat(global.at("block-topk:block=64", Phase.PROMPT, 0.01)).as("one block is too much").isEmpty();
    }

    /// A gate turns queries back by the model's own base, and an indexer reads values.
    @Test
    void statesHoldAllThatAPolicyMayLookAt() {
        DenseStates.Layer layer = global.states().layers().get(1);
        assertThat(global.states().prompt(layer).value().orElseThrow().toDouble().data()).isEqualTo(layer.value().data());
        assertThat(global.states().prompt(layer).ropeTheta()).isEqualTo(model.config().ropeTheta());
        assertThat(global.states().before(layer).value().orElseThrow().shape().extent("keyLen")).isEqualTo(LENGTH - 1);
        assertThat(global.states().lastToken(layer).value().orElseThrow().shape().extent("keyLen")).isEqualTo(LENGTH);
    }
}
