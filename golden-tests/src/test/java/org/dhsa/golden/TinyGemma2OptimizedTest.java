package org.dhsa.golden;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.weights.BoundaryPredictorLoader;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.dhsa.weights.SafetensorsFile;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// The model that was really trained, in FP32: all recorded answers with dense attention, and with DHSA the answers of the
/// FP64 reference.
class TinyGemma2OptimizedTest {

    /// FP32 leaves some 1e-5; the recorded logits themselves are stored in F32.
    private static final double LOGITS = 1e-4;
    /// A recorded answer whose margin is smaller than this might go either way in FP32.
    private static final double CLEAR = 1e-2;
    private static final List<Integer> DHSA_SAMPLES = List.of(0, 5, 9);

    @TestFactory
    Stream<DynamicTest> tinyGemma2() throws Exception {
        return tests(TinyGemma2Test.TINY, TinyGemma2Test.TINY, "tiny-gemma2");
    }

    @TestFactory
    Stream<DynamicTest> withoutChunkLoss() throws Exception {
        return tests(TinyGemma2Test.TINY.resolve("without-chunk-loss"), TinyGemma2Test.TINY, "without-chunk-loss");
    }

    private static Stream<DynamicTest> tests(Path folder, Path predictorFolder, String name) throws Exception {
        List<TinyGemma2Test.Sample> samples = TinyGemma2Test.samples(folder);
        List<DynamicTest> tests = new ArrayList<>();
        double worst = 0;
        int unclear = 0;
        try (Gemma2Model model = Gemma2Loader.load(folder);
             SafetensorsFile recorded = SafetensorsFile.open(folder.resolve("expected_logits.safetensors"));
             Backend fast = new OptimizedBackend(2)) {
            Gemma2Forward forward = new Gemma2Forward(model.config(), model.weights(), fast, EmbeddingScale.EXACT);
            int withLogits = 0;
            for (TinyGemma2Test.Sample sample : samples) {
                TinyGemma2Test.Answer answer = TinyGemma2Test.answer(forward, sample, new AttentionMode.Dense());
                boolean clear = sample.margin() >= CLEAR;
                unclear += clear ? 0 : 1;
                tests.add(DynamicTest.dynamicTest("dense answer / " + name + " sample " + sample.id() + ", " + sample.prompt().length + " tokens", () -> {
                    if (clear) {
                        assertThat(answer.tokens()).as(sample.question()).isEqualTo(sample.answer());
                    }
                }));
                String tensor = "sample_" + sample.id() + ".last_logits";
                if (recorded.has(tensor)) {
                    withLogits++;
                    double[] expected = recorded.tensor(tensor).widen();
                    double error = IntStream.range(0, expected.length).mapToDouble(i -> Math.abs(expected[i] - answer.logits()[i])).max().orElseThrow();
                    worst = Math.max(worst, error);
                    tests.add(DynamicTest.dynamicTest("last logits / " + name + " sample " + sample.id(), () -> assertThat(error).isLessThan(LOGITS)));
                }
            }
            int compared = withLogits;
            tests.add(DynamicTest.dynamicTest("recorded logits were compared / " + name, () -> assertThat(compared).isPositive()));

            BoundaryPredictorWeights predictor = BoundaryPredictorLoader.load(predictorFolder.resolve("boundary_predictor.safetensors"), OptionalInt.empty(), OptionalInt.empty());
            AttentionMode dhsa = AttentionMode.Dhsa.predicted(DhsaConfig.DEFAULT.with(c -> {
                c.blockSize = 16;
                c.budget = 64;
                c.decodeBudget = 64;
                c.localTokens = 16;
                c.globalTokens = 4;
                c.instructionTokens = OptionalInt.of(32);
            }), predictor);
            Gemma2Forward reference = new Gemma2Forward(model.config(), model.weights(), new ReferenceBackend(), EmbeddingScale.EXACT);
            for (int id : DHSA_SAMPLES) {
                TinyGemma2Test.Sample sample = samples.get(id);
                TinyGemma2Test.Answer expected = TinyGemma2Test.answer(reference, sample, dhsa);
                TinyGemma2Test.Answer actual = TinyGemma2Test.answer(forward, sample, dhsa);
                double error = IntStream.range(0, expected.logits().length).mapToDouble(i -> Math.abs(expected.logits()[i] - actual.logits()[i])).max().orElseThrow();
                worst = Math.max(worst, error);
                tests.add(DynamicTest.dynamicTest("DHSA answer / " + name + " sample " + sample.id(), () -> {
                    assertThat(actual.tokens()).isEqualTo(expected.tokens());
                    assertThat(error).isLessThan(LOGITS);
                }));
            }
        }
        System.out.printf("tiny model in FP32, %s: worst error of a logit %.2g, %d answers too close to call%n", name, worst, unclear);
        return tests.stream();
    }
}
