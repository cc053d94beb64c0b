package org.dhsa.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class GoldenCommandTest {

    private static final Path RECORDINGS = Path.of(System.getProperty("dhsa.root", ".")).resolve("golden-tests/recordings");

    private static final Path VECTORS = RECORDINGS.resolveSibling("golden/v1");

    @TempDir
    private Path temp;
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(Object... args) {
        String[] texts = Stream.of(args).map(Object::toString).toArray(String[]::new);
        return new CommandLine(new GoldenCommand()).setOut(new PrintWriter(out)).setErr(new PrintWriter(err)).execute(texts);
    }

    private Path copyOfACase() throws IOException {
        Path to = Files.createDirectories(temp.resolve("case"));
        try (Stream<Path> files = Files.list(RECORDINGS.resolve("dhsa_sdpa/1"))) {
            for (Path file : files.toList()) {
                Files.copy(file, to.resolve(file.getFileName()));
            }
        }
        return to;
    }

    /// Another window: the outputs then belong to other keys.
    private Path wrongCase() throws IOException {
        Path folder = copyOfACase();
        ObjectMapper json = new ObjectMapper();
        ObjectNode root = (ObjectNode) json.readTree(folder.resolve("case.json").toFile());
        ((ObjectNode) root.get("hyperparameters")).put("scaling", 0.2);
        json.writeValue(folder.resolve("case.json").toFile(), root);
        return folder;
    }

    @Test
    void aRecordingThatAgreesExitsWithZeroAndSaysWhatWasCompared() {
        assertThat(run("check", RECORDINGS, "--filter", "dhsa_mask/tiefree_*")).isZero();
        assertThat(out.toString()).contains("pass        dhsa_mask/tiefree_0").contains("top-k-selection").contains("6 cases: 6 pass")
                .contains("comparisons");
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void aFamilyNameIsAFilter() {
        assertThat(run("check", RECORDINGS, "--filter", "merge_regions")).isZero();
        assertThat(out.toString()).contains("2 cases: 2 pass");
    }

    @Test
    void verboseShowsEveryComparison() {
        assertThat(run("check", RECORDINGS, "--filter", "dhsa_sdpa/0", "-v")).isZero();
        assertThat(out.toString()).contains("sparse-attention, output_softcap5 [end to end]");
    }

    @Test
    void aDifferenceExitsWithOneAndNamesStageTensorAndPlace() throws IOException {
        assertThat(run("check", wrongCase())).isEqualTo(1);
        assertThat(out.toString()).contains("fail        dhsa_sdpa/1").contains("first divergence").contains("sparse-attention, output")
                .containsPattern("at \\[heads=\\d+, queryLen=\\d+, headDim=\\d+\\]: expected .* actual .* error .* allowed");
    }

    @Test
    void badInputExitsWithTwoAndSaysWhy() throws IOException {
        assertThat(run("check", temp.resolve("nowhere"))).isEqualTo(2);
        assertThat(err.toString()).contains("nowhere").contains("is not a folder");
        assertThat(run("check", RECORDINGS, "--backend", "abacus")).isEqualTo(2);
        assertThat(err.toString()).contains("there is no backend abacus; there are: ").contains("reference");
        assertThat(run("check", RECORDINGS, "--filter", "nothing/*")).isEqualTo(2);
        assertThat(err.toString()).contains("passes the filter");
        assertThat(run("check", RECORDINGS, "--filter", "[")).isEqualTo(2);
        assertThat(run("check", RECORDINGS, "--json", temp.resolve("no/such/folder/out.json"))).isEqualTo(2);
        assertThat(err.toString()).contains("cannot write");
        assertThat(run("check")).isEqualTo(2);
        assertThat(run()).isEqualTo(2);
        assertThat(out.toString()).doesNotContain("pass");
    }

    @Test
    void theResultFileHoldsEveryCase() throws IOException {
        Path json = temp.resolve("result.json");
        assertThat(run("check", RECORDINGS, "--filter", "dhsa_sdpa", "--json", json)).isZero();
        JsonNode root = new ObjectMapper().readTree(json.toFile());
        assertThat(root.get("schema").asText()).isEqualTo("dhsa-golden-result/1");
        assertThat(root.get("implementation").get("backend").asText()).isEqualTo("reference");
        assertThat(root.get("environment").get("java").asText()).isEqualTo(System.getProperty("java.version"));
        assertThat(root.get("cases")).hasSize(7);
        assertThat(root.get("cases").get(0).get("id").asText()).isEqualTo("dhsa_sdpa/0");
        assertThat(root.get("cases").get(0).get("verdict").asText()).isEqualTo("pass");
        assertThat(root.get("cases").get(0).get("metrics").get("maxAbs").asDouble()).isBetween(0.0, 1e-9);
        try (Stream<Path> left = Files.list(temp)) {
            assertThat(left).as("no unfinished file is left").containsExactly(json);
        }
    }

    @Test
    void theResultFileOfADifferenceSaysWhere() throws IOException {
        Path json = temp.resolve("result.json");
        assertThat(run("check", wrongCase(), "--json", json)).isEqualTo(1);
        JsonNode divergence = new ObjectMapper().readTree(json.toFile()).get("cases").get(0).get("firstDivergence");
        assertThat(divergence.get("stage").asText()).isEqualTo("sparse-attention");
        assertThat(divergence.get("tensor").asText()).isEqualTo("output");
        assertThat(divergence.get("index").asText()).startsWith("[heads=");
        assertThat(divergence.get("error").asDouble()).isPositive();
    }

    @Test
    void brokenInputLeavesAnOldResultFileAlone() throws IOException {
        Path json = Files.writeString(temp.resolve("result.json"), "old");
        assertThat(run("check", temp.resolve("nowhere"), "--json", json)).isEqualTo(2);
        assertThat(json).hasContent("old");
    }

    /// Three stages: one is not covered, one wrong and low on the ladder, one wrong and high on it, though its name comes first.
    @Test
    void failuresComeInTheOrderOfTheLadderAndTheLowestIsWhereToStart() throws IOException {
        Path junit = temp.resolve("junit.xml");
        String program = "f() { grep -q lm-head \"$1/case.json\" && exit 3; echo \"<broken> & so on\" >&2; exit 1; }; f";
        int code = run("check", VECTORS, "--filter", "{dhsa/upsampling,gemma2/residual-add,gemma2/lm-head}/*", "--exec", program, "--name", "mine", "--junit", junit);
        assertThat(code).isEqualTo(1);
        String said = out.toString();
        assertThat(said).containsSubsequence("gemma2/residual-add/", ": error", "and 3 more of gemma2/residual-add; -v shows them", "dhsa/upsampling/", ": error",
                "Start with gemma2/residual-add (L0): 6 of its 6 cases are wrong; the other 12 may only follow from it", "alone: --filter \"gemma2/residual-add/*\"");
        assertThat(said).contains("  L0 lm-head 13").contains("because the program does not cover it (exit code 3)").doesNotContain("not-covered gemma2/lm-head").doesNotContain("complete");
        assertThat(junit).content().contains("<testsuites name=\"mine\" tests=\"31\" failures=\"0\" errors=\"18\" skipped=\"13\">")
                .contains("<testcase classname=\"gemma2.residual-add\" name=\"").contains("<error message=\"the program ended with exit code 1; it said: &lt;broken&gt; &amp; so on\">").contains("<skipped message=\"not covered: ");
        try (Stream<Path> left = Files.list(temp)) {
            assertThat(left).as("no unfinished file is left").containsExactly(junit);
        }
    }

    @Test
    void optionsThatDoNotGoTogetherAreRefused() {
        assertThat(run("check", VECTORS, "--exec", "true", "--backend", "reference")).isEqualTo(2);
        assertThat(err.toString()).contains("name one of them");
        assertThat(run("check", VECTORS, "--keep", temp.resolve("kept"))).isEqualTo(2);
        assertThat(err.toString()).contains("--keep goes with --exec");
        assertThat(run("check", VECTORS, "--exec", "no-such-program-here")).isEqualTo(2);
        assertThat(err.toString()).contains("cannot be started");
    }

    @Test
    void helpIsForNewcomers() {
        assertThat(run("check", "--help")).isZero();
        assertThat(out.toString()).contains("Exit codes:").contains("near-tie").contains("not-covered").contains("Examples:");
    }
}
