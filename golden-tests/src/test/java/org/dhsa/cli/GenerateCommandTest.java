package org.dhsa.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.dhsa.generate.AttentionCount;
import org.dhsa.generate.Generator;
import org.dhsa.model.LayerKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What somebody with a chat model and a terminal sees.
class GenerateCommandTest {

    private static final int START = 5;
    private static final int END = 6;

    @TempDir
    Path folder;

    @Test
    void chatPutsThePromptIntoATurn() throws IOException {
        Cli.Result result = Cli.run("generate", "--model", chatModel().toString(), "--chat", "--json", "--max-new-tokens", "1", "rain");
        JsonNode ids = new ObjectMapper().readTree(result.out()).path("prompt_ids");
        assertThat(ids.get(0).intValue()).isEqualTo(2);
        assertThat(ids.get(1).intValue()).isEqualTo(START);
        assertThat(ids).filteredOn(id -> id.intValue() == START).hasSize(2);
        assertThat(ids).filteredOn(id -> id.intValue() == END).hasSize(1);
        assertThat(result.err()).isEmpty();
    }

    @Test
    void aChatModelAskedWithoutATurnIsPointedOut() throws IOException {
        String model = chatModel().toString();
        assertThat(Cli.run("generate", "--model", model, "--max-new-tokens", "1", "rain").err()).contains("hint:", "<end_of_turn>", "--chat");
        assertThat(Cli.run("generate", "--model", model, "--max-new-tokens", "1", "--chat", "rain").err()).isEmpty();
        assertThat(Cli.run("generate", "--model", model, "--max-new-tokens", "1", "<start_of_turn>user\nrain<end_of_turn>\n").err()).isEmpty();
        assertThat(Cli.run("generate", "--model", model, "--max-new-tokens", "1", "--chat", "<start_of_turn>user\nrain").err()).contains("warning:", "already");
    }

    @Test
    void chatIsRefusedWhereThereAreNoTurns() throws IOException {
        Cli.Result result = Cli.run("generate", "--model", modelWithoutTurns().toString(), "--chat", "rain");
        assertThat(result.code()).isEqualTo(2);
        assertThat(result.err()).contains("--chat", "no <start_of_turn>");
        assertThat(Cli.run("generate", "--chat", "--no-bos", "rain").err()).contains("--chat and --no-bos contradict each other");
    }

    /// The full stop, 904, ends the text here; its piece would be printed, as `<end_of_turn>` of a chat model would.
    @Test
    void whatEndsTheTextIsNotPrinted() throws IOException {
        Path config = Cli.copyOfTinyModel(folder).resolve("config.json");
        Files.writeString(config, Files.readString(config).replaceFirst("\"eos_token_id\": *1", "\"eos_token_id\": [1, 904]"));
        Cli.Result result = Cli.run("generate", "--model", folder.toString(), Cli.PROMPT);
        assertThat(result.out()).isEqualTo(" 44135" + System.lineSeparator());
    }

    @Test
    void aByteOrderMarkIsNoPartOfThePrompt() throws IOException {
        Path file = Files.writeString(folder.resolve("prompt.txt"), "\uFEFF" + Cli.PROMPT);
        assertThat(Cli.run("generate", "--prompt-file", file.toString()).out()).isEqualTo(" 44135." + System.lineSeparator());
    }

    @Test
    void theLineAboutDhsaSaysWhatReallyRuns() {
        Cli.Result result = Cli.run("generate", "--attention", "dhsa", "--budget", "64", "--block-size", "8", "--boundaries", "uniform:16", "--max-new-tokens", "1", Cli.PROMPT);
        assertThat(result.err()).contains("8 queries share a list of 64 keys", "the last 32 tokens", "uniform chunks of 16 tokens, no predictor").doesNotContain("nothing is left out");
        assertThat(Cli.run("generate", "--attention", "dhsa", "--max-new-tokens", "1", Cli.PROMPT).err()).contains("115 tokens fit the budget of 128 keys");
    }

    /// On a terminal the answer and the line of progress share a row.
    @Test
    void aTaskThatIsDoneSaysNothingMore() {
        StringWriter err = new StringWriter();
        try (Progress progress = new Progress(new PrintWriter(err), true)) {
            Progress.Task reading = progress.task("reading");
            reading.at("layer", 1, 4);
            assertThat(err.toString()).contains("reading: layer 1 of 4");
            reading.done();
            progress.clear();
            int before = err.toString().length();
            reading.at("layer", 1, 4);
            assertThat(err.toString()).hasSize(before);
        }
    }

    @Test
    void theSummaryCountsTheFirstNewTokenToThePrompt() {
        AttentionCount count = new AttentionCount();
        count.attention(0, new LayerKind.Global(), 30, 100);
        count.layerDone(0, 1);
        count.attention(0, new LayerKind.Global(), 5, 50);
        Generator.Result result = new Generator.Result(new int[] {5, 6, 7}, false, new double[0], Duration.ofMillis(2500), Duration.ofMillis(800));
        assertThat(GenerationSummary.of(1000, result, count))
                .isEqualTo("[1,000 tokens read in 2.5 s, 400 a second; 2 tokens more in 0.8 s, 2.5 a second; pairs read: prompt 30 %, new tokens 10 %; stopped by --max-new-tokens]");
    }

    /// The tiny model, told to stop at the end of a turn; its vocabulary has the two pieces.
    private Path chatModel() throws IOException {
        Path config = Cli.copyOfTinyModel(folder).resolve("config.json");
        Files.writeString(config, Files.readString(config).replaceFirst("\"eos_token_id\": *1", "\"eos_token_id\": [1, " + END + "]"));
        return folder;
    }

    /// The same number of bytes, so that the file stays well-formed.
    private Path modelWithoutTurns() throws IOException {
        Path tokenizer = Cli.copyOfTinyModel(folder).resolve("tokenizer.model");
        String bytes = Files.readString(tokenizer, StandardCharsets.ISO_8859_1);
        assertThat(bytes).contains("<start_of_turn>");
        Files.writeString(tokenizer, bytes.replace("<start_of_turn>", "<start_of_tour>"), StandardCharsets.ISO_8859_1);
        return folder;
    }
}
