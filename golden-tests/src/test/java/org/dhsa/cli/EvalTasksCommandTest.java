package org.dhsa.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvalTasksCommandTest {

    private static Cli.Result eval(String task, Path out, String... more) {
        List<String> args = new ArrayList<>(List.of("eval", task, "--model", Cli.TINY.toString(), "--policies", "dense,sliding", "--budgets", "32", "--settings", "strict",
                "--workers", "1", "--json", "--out", out.toString()));
        args.addAll(List.of(more));
        return Cli.run(args.toArray(String[]::new));
    }

    @Test
    void theSmallModelAnswersRulerInItsLanguageAndAWindowDoesNot(@TempDir Path folder) throws IOException {
        Path out = folder.resolve("ruler.jsonl");
        String[] plan = {"--tasks", "niah_single_2,niah_multikey_1,niah_multiquery", "--lengths", "256", "--samples", "1"};
        Cli.Result result = eval("ruler", out, plan);
        assertThat(result.code()).as(result.err()).isZero();
        JsonNode accuracy = Json.MAPPER.readTree(result.out()).path("accuracy");
        assertThat(accuracy.get(0).path("policy").asText()).isEqualTo("dense");
        assertThat(accuracy.get(0).path("tasks").path("niah_multiquery").asDouble()).isEqualTo(1);
        assertThat(accuracy.get(0).path("score").path("mean").asDouble()).isEqualTo(1);
        assertThat(accuracy.get(1).path("score").path("mean").asDouble()).isLessThan(0.5);
        assertThat(Files.readString(folder.resolve("ruler.html"))).contains("Scores by task", "niah_multiquery", "chunk retrieval loss", "trained on needles of this kind");

        // goes on where it was, and a shard is a part of the whole
        List<String> lines = Files.readAllLines(out);
        Files.writeString(out, String.join("\n", lines.subList(0, 3)) + "\n");
        assertThat(Json.MAPPER.readTree(eval("ruler", out, plan).out()).path("answered_now").asInt()).isEqualTo(1);
        assertThat(Files.readAllLines(out)).containsExactlyElementsOf(lines);
    }

    @Test
    void longBenchRunsFromFileToScoreAndSaysWhatASmallModelsScoreIsWorth(@TempDir Path folder) throws IOException {
        Path data = Files.createDirectory(folder.resolve("data"));
        Files.writeString(data.resolve("samsum.jsonl"), "{\"context\": \"" + "The ship sailed past the reef. ".repeat(60) + "\", \"input\": \"Sum up.\", \"answers\": [\"A ship sailed.\"]}\nbroken\n");
        Cli.Result result = eval("longbench", folder.resolve("lb.jsonl"), "--data", data.toString(), "--max-tokens", "300", "--new-tokens", "4");
        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.err()).contains("samsum.jsonl, line 2: this is no JSON", "1 broken line is left out", "Not there, so not measured: narrativeqa");
        JsonNode said = Json.MAPPER.readTree(result.out());
        assertThat(said.path("prompts").asInt()).isEqualTo(1);
        assertThat(said.path("worth").toString()).contains("speak no English", "at most 4 tokens");
        JsonNode line = Json.MAPPER.readTree(Files.readAllLines(folder.resolve("lb.jsonl")).get(1));
        assertThat(line.path("tokens").asInt()).isBetween(290, 310);
        // a new line would end the answer, so it cannot be its first token
        assertThat(line.path("runs").get(0).path("response").asText()).isNotEmpty().doesNotContain("\n");
    }

    @Test
    void badInputIsNamedWithExitCode2(@TempDir Path folder) throws IOException {
        Path out = folder.resolve("r.jsonl");
        refused(eval("ruler", out, "--tasks", "niah_singel_1"), "near names: niah_single_1");
        refused(eval("ruler", out, "--tasks", "qa"), "--qa FILE");
        refused(eval("ruler", out, "--qa", folder.resolve("none").toString()), "there is no file");
        refused(eval("ruler", out, "--tasks", "cwe", "--lengths", "256"), "too few for cwe");
        refused(eval("ruler", out, "--chat"), "know no chat");
        refused(eval("longbench", out), "--data is missing");
        refused(eval("longbench", out, "--data", folder.toString()), "holds no example");
        refused(eval("longbench", out, "--data", folder.toString(), "--tasks", "qaspr"), "near names: qasper");
        refused(eval("longbench", out, "--check-scorers", folder.resolve("none").toString()), "there is no file");
        assertThat(out).doesNotExist();
    }

    private static void refused(Cli.Result result, String message) {
        assertThat(result.code()).as(result.err()).isEqualTo(2);
        assertThat(result.err()).contains(message);
    }
}
