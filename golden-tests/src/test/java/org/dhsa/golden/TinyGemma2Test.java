package org.dhsa.golden;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.dhsa.weights.SafetensorsFile;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// The model that was really trained: its recorded logits and its answers, all of them, with dense attention in FP64.
class TinyGemma2Test {

    /// The expected logits are stored in F32; they were computed in FP64.
    private static final double F32_ROUNDING = 1e-5;
    static final Path TINY = Recordings.ROOT.resolve("golden-tests/models/tiny-gemma2");

    /// @param margin smallest gap between the best and the second logit of the answer
    record Sample(int id, int[] prompt, int[] answer, String question, double margin) {}

    /// @param logits of the last prompt position
    record Answer(double[] logits, int[] tokens) {}

    @TestFactory
    Stream<DynamicTest> tinyGemma2() throws Exception {
        return tests(TINY, "tiny-gemma2");
    }

    @TestFactory
    Stream<DynamicTest> withoutChunkLoss() throws Exception {
        return tests(TINY.resolve("without-chunk-loss"), "without-chunk-loss");
    }

    /// Long prompts first, two at a time: the reference itself has one thread.
    private static Stream<DynamicTest> tests(Path folder, String name) throws Exception {
        List<Sample> samples = samples(folder);
        List<DynamicTest> tests = new ArrayList<>();
        try (Gemma2Model model = Gemma2Loader.load(folder);
             SafetensorsFile logits = SafetensorsFile.open(folder.resolve("expected_logits.safetensors"));
             ExecutorService threads = Executors.newFixedThreadPool(2)) {
            Gemma2Forward forward = new Gemma2Forward(model.config(), model.weights(), new ReferenceBackend(), EmbeddingScale.EXACT);
            List<Future<Answer>> answers = new ArrayList<>();
            for (Sample sample : samples.reversed()) {
                answers.addFirst(threads.submit((Callable<Answer>) () -> answer(forward, sample, new AttentionMode.Dense())));
            }
            int withLogits = 0;
            for (int s = 0; s < samples.size(); s++) {
                Sample sample = samples.get(s);
                Answer answer = answers.get(s).get();
                tests.add(DynamicTest.dynamicTest("greedy answer / " + name + " sample " + sample.id() + ", " + sample.prompt().length + " tokens",
                        () -> assertThat(answer.tokens()).as(sample.question()).isEqualTo(sample.answer())));
                String tensor = "sample_" + sample.id() + ".last_logits";
                if (logits.has(tensor)) {
                    withLogits++;
                    double[] expected = logits.tensor(tensor).widen();
                    tests.add(DynamicTest.dynamicTest("last logits / " + name + " sample " + sample.id(), () -> {
                        assertThat(answer.logits()).hasSameSizeAs(expected);
                        assertThat(IntStream.range(0, expected.length).mapToDouble(i -> Math.abs(expected[i] - answer.logits()[i])).max().orElseThrow())
                                .isLessThan(F32_ROUNDING);
                    }));
                }
            }
            int compared = withLogits;
            int recorded = logits.names().size();
            tests.add(DynamicTest.dynamicTest("every recorded logit vector belongs to a sample / " + name, () -> assertThat(compared).isEqualTo(recorded).isPositive()));
        }
        return tests.stream();
    }

    static Answer answer(Gemma2Forward forward, Sample sample, AttentionMode mode) {
        Gemma2Forward.Session session = forward.open(mode);
        Tensor logits = session.prefill(sample.prompt());
        DoubleTensor last = logits.toDouble();
        int[] tokens = new int[sample.answer().length];
        for (int t = 0; t < tokens.length; t++) {
            double[] row = logits.toDouble().data();
            tokens[t] = Compare.argmax(row, 0, row.length);
            if (t + 1 < tokens.length) {
                logits = session.decode(tokens[t]);
            }
        }
        return new Answer(last.data().clone(), tokens);
    }

    static List<Sample> samples(Path folder) throws Exception {
        List<Sample> samples = new ArrayList<>();
        ObjectMapper json = new ObjectMapper();
        for (String line : Files.readAllLines(folder.resolve("niah_samples.jsonl"))) {
            JsonNode node = json.readTree(line);
            String prompt = node.get("prompt").asText();
            samples.add(new Sample(node.get("id").asInt(), ints(node.get("input_ids")), ints(node.get("expected_ids")),
                    prompt.substring(prompt.lastIndexOf('\n') + 1), node.get("min_logit_margin").asDouble()));
        }
        assertThat(samples).isNotEmpty().allSatisfy(s -> assertThat(Arrays.stream(s.answer()).toArray()).isNotEmpty());
        return samples;
    }

    private static int[] ints(JsonNode array) {
        return IntStream.range(0, array.size()).map(i -> array.get(i).asInt()).toArray();
    }
}
