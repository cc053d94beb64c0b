package org.dhsa.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.dhsa.demo.Provenance;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoCommandTest {

    private static final ObjectMapper MAPPER = new ObjectMapper();

    @TempDir
    Path folder;

    @Test
    void tellsEverythingOnTheTerminal() throws IOException {
        Cli.Result result = Cli.run("demo", "--sample", "3", "--no-goldens", "--out", folder.toString());
        assertThat(result.out()).contains("In short", "hides one sentence, the needle,", "Answers", "88057.", "correct", "Chunks", "boundary_predictor.safetensors", "Query-key pairs read",
                "prompt, global layers", "Where the needle ranks", "differ from dense by at most", "Time", "chunk retrieval loss", "trained by this project",
                folder.resolve("demo.html").toString()).doesNotContain("\u001b");
        assertThat(result.code()).isZero();
        assertThat(Cli.files(folder)).containsExactly(folder.resolve("demo.html"));
    }

    @Test
    void thePageStandsAlone() throws IOException {
        String page = page("--sample", "3");
        assertThat(page).doesNotContain("http://").doesNotContain("https://").doesNotContain(" src=").doesNotContain("@import")
                .doesNotContain("url(").doesNotContain("<link").doesNotContain("fetch(").doesNotContain("{{");
        assertThat(page.length()).isLessThan(3_000_000);
        assertThat(page).contains("88057.", "chunk retrieval loss", "aria-label=\"Final mask");
    }

    @Test
    void theDataOfThePageAddUp() throws IOException {
        JsonNode data = data(page("--sample", "3"));
        int length = data.path("length").intValue();
        assertThat(data.path("tokens")).hasSize(length);
        assertThat(data.path("runs")).hasSize(2);
        StringBuilder needle = new StringBuilder();
        for (int t = data.path("needle").get(0).intValue(); t < data.path("needle").get(1).intValue(); t++) {
            needle.append(data.path("tokens").get(t).textValue());
        }
        assertThat(needle.toString().strip()).startsWith("The special magic number for ").endsWith(" is 88057.");
        for (JsonNode run : data.path("runs")) {
            assertThat(run.path("layers")).hasSize(4);
            for (JsonNode layer : run.path("layers")) {
                JsonNode boundaries = layer.path("boundaries");
                assertThat(boundaries.get(boundaries.size() - 1).intValue()).isEqualTo(length);
                assertThat(layer.path("keys")).hasSize(layer.path("blocks").size());
                assertThat(layer.path("scores")).allSatisfy(row -> assertThat(row).hasSize(boundaries.size() - 1));
                JsonNode lastBlock = layer.path("blocks").get(layer.path("blocks").size() - 1);
                assertThat(lastBlock.get(1)).isEqualTo(run.path("denseFrom"));
            }
            assertThat(run.path("steps")).hasSize(7);
        }
    }

    @Test
    void anOwnPromptWithMarkupIsShownAsText() throws IOException {
        Path prompt = Files.writeString(folder.resolve("prompt.txt"), "The <b>ferry</b> & co. </script><script>alert('x')</script>\nWhat is it?\n");
        String page = page("--prompt-file", prompt.toString(), "--max-new-tokens", "2", "--budget", "32", "--layer", "3");
        assertThat(page).doesNotContain("<b>ferry").doesNotContain("<script>alert").contains("&lt;b&gt;ferry");
        JsonNode data = data(page);
        assertThat(data.path("layer").intValue()).isEqualTo(3);
        StringBuilder text = new StringBuilder();
        data.path("tokens").forEach(t -> text.append(t.textValue()));
        assertThat(text.toString().strip()).isEqualTo(Files.readString(prompt).strip());
    }

    @Test
    void aModelWithoutPredictorGetsUniformChunksAndIsToldSo() throws IOException {
        Cli.copyOfTinyModel(folder);
        Files.delete(folder.resolve("boundary_predictor.safetensors"));
        Cli.Result result = Cli.run("demo", "--model", folder.toString(), "--sample", "0", "--no-goldens", "--out", folder.toString(), "--json");
        JsonNode json = MAPPER.readTree(result.out());
        assertThat(json.path("notes").get(0).textValue()).contains("no boundary predictor", "--predictor");
        assertThat(json.path("chunks").path("source").textValue()).isEqualTo("uniform chunks of 16 tokens");
        assertThat(json.path("chunks").path("count").intValue()).isEqualTo(8);
        assertThat(json.path("runs")).hasSize(3);
        assertThat(json.path("page").textValue()).endsWith("demo.html");
    }

    @Test
    void whatIsDisclosedFollowsTheWeightsNotTheFolder() throws IOException {
        Path variant = Cli.TINY.resolve("without-chunk-loss");
        Cli.copyOfTinyModel(folder);
        assertThat(Provenance.of(Cli.TINY, Cli.TINY)).isEqualTo(Provenance.WITH_CHUNK_LOSS);
        assertThat(Provenance.of(folder, Cli.TINY)).isEqualTo(Provenance.WITH_CHUNK_LOSS);
        assertThat(Provenance.of(variant, Cli.TINY)).isEqualTo(Provenance.WITHOUT_CHUNK_LOSS);
        Files.copy(variant.resolve("model.safetensors"), folder.resolve("model.safetensors"), StandardCopyOption.REPLACE_EXISTING);
        assertThat(Provenance.of(folder, Cli.TINY)).isEqualTo(Provenance.WITHOUT_CHUNK_LOSS);
        Files.write(folder.resolve("model.safetensors"), new byte[100]);
        assertThat(Provenance.of(folder, Cli.TINY)).isEqualTo(Provenance.OTHER);
    }

    private String page(String... options) throws IOException {
        String[] args = new String[options.length + 4];
        args[0] = "demo";
        args[1] = "--no-goldens";
        args[2] = "--out";
        args[3] = folder.toString();
        System.arraycopy(options, 0, args, 4, options.length);
        Cli.Result result = Cli.run(args);
        assertThat(result.code()).as(result.err()).isZero();
        return Files.readString(folder.resolve("demo.html"));
    }

    private static JsonNode data(String page) throws IOException {
        String start = "<script type=\"application/json\" id=\"data\">";
        int from = page.indexOf(start) + start.length();
        return MAPPER.readTree(page.substring(from, page.indexOf("</script>", from)));
    }
}
