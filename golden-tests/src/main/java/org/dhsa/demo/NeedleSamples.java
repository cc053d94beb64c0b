package org.dhsa.demo;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dhsa.weights.Tokenizer;

/// The needle-in-a-haystack prompts beside a small model, `niah_samples.jsonl`.
public final class NeedleSamples {

    public static final String FILE = "niah_samples.jsonl";

    private static final Pattern ASKED = Pattern.compile("What is the special magic number for ([^?]+)\\?");

    /// One line of the file, as far as the demonstration needs it.
    ///
    /// @param needles how many needles the haystack holds; one of them is asked for
    public record Sample(int id, int promptTokens, int needles, double depth, String prompt, String answer) {

        /// The sentence that holds the answer.
        Optional<String> needle() {
            Matcher asked = ASKED.matcher(prompt);
            return asked.find() ? Optional.of("The special magic number for " + asked.group(1) + " is " + answer + ".") : Optional.empty();
        }

        public DemoPrompt prompt(Tokenizer tokenizer) {
            String origin = "sample " + id + " of the model's needle tests, " + needles + (needles == 1 ? " needle" : " needles with different keys")
                    + ", the one asked for at " + Math.round(100 * depth) + " % of the text";
            return DemoPrompt.of(prompt, tokenizer, needle(), Optional.of(answer), origin);
        }
    }

    private NeedleSamples() {}

    public static boolean existIn(Path modelFolder) {
        return Files.exists(modelFolder.resolve(FILE));
    }

    public static List<Sample> read(Path modelFolder) throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        List<Sample> samples = new ArrayList<>();
        for (String line : Files.readAllLines(modelFolder.resolve(FILE))) {
            if (!line.isBlank()) {
                JsonNode node = mapper.readTree(line);
                samples.add(new Sample(node.path("id").asInt(), node.path("prompt_tokens").asInt(), node.path("needles").asInt(),
                        node.path("depth").asDouble(), node.path("prompt").asText(), node.path("answer").asText()));
            }
        }
        return samples;
    }
}
