package org.dhsa.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

class CommandsTest {

    private static final ObjectMapper MAPPER = new ObjectMapper();

    @TempDir
    Path folder;

    static List<List<String>> everyCommand() {
        return commands(Main.commandLine(), List.of());
    }

    private static List<List<String>> commands(CommandLine command, List<String> path) {
        return command.getSubcommands().values().stream().filter(c -> !c.getCommandName().equals("help"))
                .flatMap(c -> {
                    List<String> here = Stream.concat(path.stream(), Stream.of(c.getCommandName())).toList();
                    return Stream.concat(Stream.of(here), commands(c, here).stream());
                }).toList();
    }

    @ParameterizedTest
    @MethodSource("everyCommand")
    void everyCommandAndEveryOptionIsExplained(List<String> path) {
        CommandLine command = Main.commandLine();
        for (String name : path) {
            command = command.getSubcommands().get(name);
        }
        assertThat(command.getCommandSpec().usageMessage().description()).as("description of %s", path).isNotEmpty();
        assertThat(command.getCommandSpec().options()).allSatisfy(o -> assertThat(String.join("", o.description())).as(o.longestName()).isNotBlank());
        String[] args = Stream.concat(path.stream(), Stream.of("--help")).toArray(String[]::new);
        Cli.Result help = Cli.run(args);
        assertThat(help.code()).isZero();
        assertThat(help.out()).contains("Usage: dhsa " + String.join(" ", path));
    }

    @Test
    void helpBeginsWithTheFirstThingToDo() {
        assertThat(Cli.run("--help").out()).contains("./dhsa demo", "generate", "inspect", "backends", "test", "Exit codes");
        assertThat(Cli.run().code()).isEqualTo(2);
    }

    @Test
    void optionsOfSparseAttentionWithoutItAreNotIgnoredInSilence() {
        assertThat(Cli.run("generate", "rain", "--max-new-tokens", "1", "--budget", "64").err()).contains("change nothing without --attention dhsa");
        assertThat(Cli.run("generate", "rain", "--max-new-tokens", "1", "--boundaries", "uniform:8").err()).contains("change nothing");
        assertThat(Cli.run("generate", "rain", "--max-new-tokens", "1", "--attention", "dhsa", "--budget", "64").err()).doesNotContain("change nothing");
        assertThat(Cli.run("generate", "rain", "--max-new-tokens", "1", "--seed", "1").err()).doesNotContain("change nothing");
    }

    @Test
    void theBackendThatKeepsNoBf16CacheRefusesIt() {
        Cli.Result refused = Cli.run("generate", "rain", "--max-new-tokens", "1", "--backend", "reference", "--kv", "bf16");
        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err()).contains("--kv bf16", "reference", "--backend optimized");
        assertThat(Cli.run("generate", "rain", "--max-new-tokens", "1", "--backend", "optimized", "--kv", "bf16").code()).isZero();
    }

    /// Without a device the message is about the device.
    @Test
    void openClKeepsABf16CacheToo() {
        Cli.Result result = Cli.run("generate", "rain", "--max-new-tokens", "1", "--backend", "opencl", "--kv", "bf16");
        if (Backends.available("opencl")) {
            assertThat(result.code()).as(result.err()).isZero();
        } else {
            assertThat(result.err()).contains("The backend opencl cannot run here");
        }
    }

    @Test
    void theTinyModelAnswersWithDenseAttention() {
        Cli.Result result = Cli.run("generate", Cli.PROMPT);
        assertThat(result.err()).isEmpty();
        assertThat(result.out()).isEqualTo(" 44135." + System.lineSeparator());
        assertThat(result.code()).isZero();
    }

    @Test
    void generatePrintsJsonWithWhatWasRead() throws IOException {
        Cli.Result result = Cli.run("generate", "--attention", "dhsa", "--budget", "64", "--json", Cli.PROMPT);
        JsonNode json = MAPPER.readTree(result.out());
        assertThat(result.err()).isEmpty();
        assertThat(json.path("text").textValue()).isEqualTo(" 44135.");
        assertThat(json.path("stopped").booleanValue()).isTrue();
        assertThat(json.path("ids")).hasSize(8);
        assertThat(json.path("prompt_ids")).hasSize(115);
        assertThat(json.path("chunks").intValue()).isPositive();
        JsonNode global = json.path("pairs").path("prompt_global");
        assertThat(global.path("read").longValue()).isPositive().isLessThan(global.path("visible").longValue());
        assertThat(json.path("dhsa").path("decode_budget").intValue()).isEqualTo(64);
    }

    @Test
    void everyDhsaOptionArrivesInTheConfiguration() throws IOException {
        Cli.Result result = Cli.run("generate", "--json", "--attention", "dhsa", "--max-new-tokens", "1", "--profile", "upstream", "--budget", "64",
                "--decode-budget", "48", "--block-size", "8", "--local-tokens", "9", "--global-tokens", "3", "--instruction-tokens", "none",
                "--theta", "none", "--nms-window", "5", "--chunk-beta", "2", "--aggregation", "mean", "--query-chunking", "dynamic",
                "--no-share-boundaries", "--share-masks", "--decode", "dense", "--quirk", "window-plus-one=off", Cli.PROMPT);
        JsonNode dhsa = MAPPER.readTree(result.out()).path("dhsa");
        ((ObjectNode) dhsa).remove("quirks").forEach(q -> assertThat(q.textValue()).isNotEqualTo("window-plus-one"));
        assertThat(dhsa).isEqualTo(MAPPER.readTree("""
                {"block_size": 8, "budget": 64, "decode_budget": 48, "local_tokens": 9, "global_tokens": 3, "instruction_tokens": null,
                 "theta": null, "nms_window": 5, "chunk_beta": 2, "aggregation": "mean", "query_chunking": "dynamic-chunks",
                 "share_boundaries": false, "share_masks": true, "decode": "dense"}"""));
    }

    @Test
    void uniformChunksNeedNoPredictor() throws IOException {
        Cli.copyOfTinyModel(folder);
        Files.delete(folder.resolve("boundary_predictor.safetensors"));
        Cli.Result result = Cli.run("generate", "--model", folder.toString(), "--attention", "dhsa", "--boundaries", "uniform:16", "--json",
                "--max-new-tokens", "1", Cli.PROMPT);
        assertThat(MAPPER.readTree(result.out()).path("chunks").intValue()).isEqualTo(8);
    }

    @Test
    void aPromptFileLosesItsLastLineBreakOnly() throws IOException {
        Path file = Files.writeString(folder.resolve("prompt.txt"), Cli.PROMPT + "\n");
        assertThat(Cli.run("generate", "--prompt-file", file.toString()).out()).isEqualTo(" 44135." + System.lineSeparator());
    }

    @Test
    void theSameSeedGivesTheSameText() {
        String[] args = {"generate", "--temperature", "1.5", "--seed", "11", "--max-new-tokens", "6", "The ferry"};
        assertThat(Cli.run(args).out()).isEqualTo(Cli.run(args).out());
    }

    @Test
    void inspectKnowsACompleteModel() throws IOException {
        Cli.Result text = Cli.run("inspect", Cli.TINY.toString());
        assertThat(text.code()).isZero();
        assertThat(text.out()).contains("4 layers", "model.embed_tokens.weight", "BF16", "[960, 128]", "1,108,096 values", "a complete Gemma 2");
        JsonNode json = MAPPER.readTree(Cli.run("inspect", "--json", Cli.TINY.toString()).out());
        assertThat(json.path("tensors")).hasSize(46);
        assertThat(json.path("problems")).isEmpty();
    }

    @Test
    void inspectSaysWhatIsMissing() throws IOException {
        Cli.copyOfTinyModel(folder);
        Files.writeString(folder.resolve("config.json"), Files.readString(folder.resolve("config.json"))
                .replace("\"num_hidden_layers\": 4", "\"num_hidden_layers\": 5"));
        Cli.Result result = Cli.run("inspect", folder.toString());
        assertThat(result.code()).isEqualTo(2);
        assertThat(result.out()).contains("PROBLEM: missing: model.layers.4.mlp.down_proj.weight [128, 384]");
    }

    @Test
    void inspectReadsOneFile() {
        Cli.Result result = Cli.run("inspect", Cli.TINY.resolve("boundary_predictor.safetensors").toString());
        assertThat(result.code()).isZero();
        assertThat(result.out()).contains("enc.mha.in_proj_weight", "[384, 128]");
    }

    /// With a device: what it reports and how it is tuned. Without one: why, and what to do.
    @Test
    void backendsSaysWhatThereIsForOpenCl() throws IOException {
        String out = Cli.run("backends").out();
        JsonNode opencl = null;
        for (JsonNode one : MAPPER.readTree(Cli.run("backends", "--json").out())) {
            opencl = one.path("name").textValue().equals("opencl") ? one : opencl;
        }
        if (opencl.path("available").booleanValue()) {
            assertThat(out).contains("compute units", "largest buffer", "fp16", "sub-groups", "tuning: ");
            assertThat(opencl.path("details")).isNotEmpty();
        } else {
            assertThat(opencl.path("why").textValue()).isNotBlank();
            assertThat(out).contains(opencl.path("why").textValue(), "What to do: " + opencl.path("remedy").textValue());
            assertThat(Cli.run("backends", "--tune").err()).contains("no OpenCL device to tune", opencl.path("remedy").textValue());
        }
    }

    @Test
    void backendsListsTheReference() throws IOException {
        assertThat(Cli.run("backends").out()).startsWith("reference    available");
        assertThat(MAPPER.readTree(Cli.run("backends", "--json").out()).get(0).path("name").textValue()).isEqualTo("reference");
    }
}
