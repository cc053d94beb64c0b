package org.dhsa.eval.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import org.dhsa.backend.Backend;
import org.dhsa.eval.policy.PolicyRegistry;
import org.dhsa.eval.policy.PolicyResources;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.generate.AttentionCount;
import org.dhsa.generate.Probes;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.policy.DhsaPolicy;
import org.dhsa.policy.PolicySetting;
import org.dhsa.weights.BoundaryPredictorLoader;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.junit.jupiter.api.Test;

/// Measures of the trained model, on the fast backend.
class MeasureProbeTest {

    private static final Path TINY = Path.of(System.getProperty("dhsa.root", ".")).resolve("golden-tests/models/tiny-gemma2");

    private record Seen(MeasureProbe probe, AttentionCount count) {}

    private static Seen run(Gemma2Model model, AttentionMode mode) {
        Seen seen = new Seen(new MeasureProbe(model.config(), Integer.MAX_VALUE), new AttentionCount());
        try (Backend fast = new OptimizedBackend(2)) {
            Gemma2Forward.Session session = new Gemma2Forward(model.config(), model.weights(), fast, EmbeddingScale.EXACT)
                    .open(mode, Probes.all(seen.probe, seen.count));
            session.prefill(new SplittableRandom(3).ints(96, 5, model.config().vocabSize()).toArray());
            session.decode(7);
        }
        return seen;
    }

    @Test
    void everySparseLayerOfThePromptIsMeasuredOnce() throws Exception {
        BoundaryPredictorWeights predictor = BoundaryPredictorLoader.load(TINY.resolve("boundary_predictor.safetensors"), OptionalInt.empty(), OptionalInt.empty());
        DhsaPolicy policy = (DhsaPolicy) PolicyRegistry.create("dhsa:budget=24,block=8,theta=-100", PolicyResources.of(predictor));
        try (Gemma2Model model = Gemma2Loader.load(TINY)) {
            Seen own = run(model, AttentionMode.Policy.strict(policy));
            Seen dhsa = run(model, AttentionMode.Dhsa.predicted(policy.config(), predictor));
            assertThat(own.probe.measures()).isEqualTo(dhsa.probe.measures()).hasSize(4 * 4);
            assertThat(own.count.byLayer()).isEqualTo(dhsa.count.byLayer());
            assertThat(own.probe.work()).hasSize(4).allSatisfy(work ->
                    assertThat(work.pairsRead()).as("layer %d", work.layer()).isEqualTo(own.count.byLayer().get(work.layer()).prompt().read()));
            assertThat(own.probe.measures()).filteredOn(HeadMeasure::isLocal).extracting(HeadMeasure::layer).containsOnly(0, 2);

            Seen oracle = run(model, new AttentionMode.Policy(PolicyRegistry.create("oracle-row:budget=24", PolicyResources.NONE),
                    PolicySetting.questionDense(20).on(PolicySetting.Layers.GLOBAL_ONLY)));
            List<HeadMeasure> best = oracle.probe.measures();
            assertThat(best).extracting(HeadMeasure::layer).containsOnly(1, 3);
            assertThat(best).allSatisfy(m -> {
                assertThat(m.rows()).isEqualTo(76);
                assertThat(m.regret()).isCloseTo(0, within(1e-9));
                assertThat(m.mass()).isGreaterThan(0.5);
            });
            assertThat(oracle.count.byLayer().get(0).prompt().share()).as("local layers are dense").isEqualTo(1);
        }
    }
}
