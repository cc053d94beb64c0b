package org.dhsa.negative;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.dhsa.cli.Json;
import org.dhsa.model.WeightTensor;
import org.dhsa.weights.Checkpoint;
import org.dhsa.weights.Gemma2ConfigReader;
import org.dhsa.weights.SafetensorsFile;
import org.dhsa.weights.WeightsFormatException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Our own loader over every file of the corpus, as it lies in the repository.
class NegativeCorpusTest {

    private static final Path CORPUS = Path.of("golden/v1/negative");

    static List<JsonNode> cases() throws IOException {
        List<JsonNode> cases = new ArrayList<>();
        Json.MAPPER.readTree(CORPUS.resolve("cases.json").toFile()).get("cases").forEach(cases::add);
        return cases;
    }

    static Stream<String> ids(String verdict) throws IOException {
        return cases().stream().filter(c -> c.get("verdict").asText().equals(verdict)).map(c -> c.get("id").asText());
    }

    static Stream<String> refused() throws IOException {
        return ids("refuse");
    }

    static Stream<String> accepted() throws IOException {
        return ids("accept");
    }

    @ParameterizedTest
    @MethodSource("refused")
    void isRefusedWithAMessageThatNamesIt(String id) throws IOException {
        JsonNode golden = byId(id);
        Path file = CORPUS.resolve(golden.get("open").asText());
        assertThatExceptionOfType(WeightsFormatException.class).isThrownBy(() -> load(golden, file))
                .satisfies(e -> assertThat(e.file().toString()).startsWith(file.getParent().toString()))
                .withMessageStartingWith(file.getParent().toString())
                .withMessageContaining(golden.get("names").asText())
                .withMessageContaining(golden.get("keyword").asText())
                .satisfies(e -> assertThat(e.getMessage()).as("one line").doesNotContain("\n"));
    }

    @ParameterizedTest
    @MethodSource("accepted")
    void isLoaded(String id) throws Exception {
        JsonNode golden = byId(id);
        load(golden, CORPUS.resolve(golden.get("open").asText()));
    }

    /// What a loader that takes everything, or refuses everything, would get.
    @Test
    void bothVerdictsAreManyAndEveryRuleHasACase() throws IOException {
        assertThat(refused().count()).isGreaterThanOrEqualTo(60);
        assertThat(accepted().count()).isGreaterThanOrEqualTo(15);
        assertThat(cases().stream().map(c -> c.get("rule").asText()).distinct()).containsExactlyInAnyOrderElementsOf(Rules.ALL.keySet());
        assertThat(cases()).allSatisfy(c -> assertThat(c.get("note").asText()).isNotBlank().doesNotContain("\n"));
    }

    @Test
    void theGeneratorWritesTheSameBytesAgain() throws IOException {
        Map<String, byte[]> stored = new TreeMap<>();
        try (Stream<Path> files = Files.walk(CORPUS)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                stored.put(CORPUS.relativize(file).toString().replace('\\', '/'), Files.readAllBytes(file));
            }
        }
        Map<String, byte[]> generated = NegativeCorpus.files();
        assertThat(stored.keySet()).isEqualTo(new TreeSet<>(generated.keySet()));
        generated.forEach((name, bytes) -> assertThat(stored.get(name)).as(name).isEqualTo(bytes));
        assertThat(stored.values().stream().mapToLong(b -> b.length).sum()).as("bytes in all").isLessThan(300_000);
    }

    @Test
    void aCaseWithoutARuleOrWithoutItsFileIsNoCase() {
        assertThatIllegalArgumentException().isThrownBy(() -> new NegativeCase("config/x", "f", Map.of("f", new byte[0]), false, "nonsense", "", "", "", "", Map.of()))
                .withMessageContaining("no rule nonsense");
        assertThatIllegalArgumentException().isThrownBy(() -> new NegativeCase("config/x", "g", Map.of("f", new byte[0]), false, "config-json", "", "", "", "", Map.of()))
                .withMessageContaining("not among its files");
    }

    private static JsonNode byId(String id) throws IOException {
        return cases().stream().filter(c -> c.get("id").asText().equals(id)).findFirst().orElseThrow();
    }

    private static void load(JsonNode golden, Path file) throws IOException, WeightsFormatException {
        switch (golden.get("kind").asText()) {
            case "safetensors" -> {
                try (SafetensorsFile opened = SafetensorsFile.open(file)) {
                    requireExpected(golden.get("expect"), opened);
                }
            }
            case "index" -> {
                try (Checkpoint opened = Checkpoint.open(file)) {
                    assertThat(opened.names()).containsExactlyInAnyOrder("a", "b", "c");
                    assertThat(opened.tensor("c").get(0)).isEqualTo(3);
                }
            }
            case "config" -> Gemma2ConfigReader.read(file);
            default -> throw new AssertionError("unknown kind of " + golden);
        }
    }

    private static void requireExpected(JsonNode expect, SafetensorsFile opened) throws WeightsFormatException {
        assertThat(expect).as("a file that must be refused was loaded: " + opened).isNotNull();
        assertThat(opened.names()).hasSize(expect.size());
        for (Map.Entry<String, JsonNode> entry : expect.properties()) {
            WeightTensor tensor = opened.tensor(entry.getKey());
            assertThat(tensor.dtype().name()).isEqualTo(entry.getValue().get("dtype").asText());
            assertThat(tensor.dims()).isEqualTo(Json.MAPPER.convertValue(entry.getValue().get("shape"), long[].class));
            JsonNode values = entry.getValue().get("values");
            assertThat(tensor.elements()).isEqualTo(values.size());
            switch (tensor.dtype()) {
                case F8_E4M3, F8_E5M2, I16, I8, U16, U32, U64 -> { }   // listed, not computed with
                case F64, F32, F16, BF16, I64, I32, U8, BOOL -> {
                    for (int i = 0; i < values.size(); i++) {
                        assertThat(tensor.get(i)).isEqualTo(Double.valueOf(values.get(i).asText()));
                    }
                }
            }
        }
    }
}
