package org.dhsa.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvalCommandTest {

    private static Cli.Result niah(Path out, String... more) {
        List<String> args = new ArrayList<>(List.of("eval", "niah", "--model", Cli.TINY.toString(), "--lengths", "128", "--depths", "0,100", "--samples", "2",
                "--policies", "dense,sliding,dhsa", "--budgets", "32", "--settings", "strict", "--workers", "1", "--json", "--out", out.toString()));
        args.addAll(List.of(more));
        return Cli.run(args.toArray(String[]::new));
    }

    private static List<String> lines(Path... files) throws IOException {
        List<String> all = new ArrayList<>();
        for (Path file : files) {
            try (Stream<String> lines = Files.lines(file)) {
                lines.skip(1).forEach(all::add);
            }
        }
        return all.stream().sorted().toList();
    }

    @Test
    void aStoppedRunGoesOnAndShardsMakeTheWhole(@TempDir Path folder) throws IOException {
        Path whole = folder.resolve("whole.jsonl");
        Cli.Result first = niah(whole);
        assertThat(first.code()).as(first.err()).isZero();
        assertThat(lines(whole)).hasSize(4);
        assertThat(Json.MAPPER.readTree(first.out()).path("answered_now").asInt()).isEqualTo(4);

        List<String> all = Files.readAllLines(whole);
        Path stopped = folder.resolve("stopped.jsonl");
        Files.writeString(stopped, String.join("\n", all.subList(0, 3)) + "\n" + all.get(3).substring(0, 40));
        Cli.Result again = niah(stopped);
        assertThat(Json.MAPPER.readTree(again.out()).path("answered_now").asInt()).isEqualTo(2);
        assertThat(lines(stopped)).isEqualTo(lines(whole));

        Path one = folder.resolve("one.jsonl");
        Path two = folder.resolve("two.jsonl");
        assertThat(niah(one, "--shard", "0/2").code()).isZero();
        assertThat(niah(two, "--shard", "1/2").code()).isZero();
        assertThat(lines(one, two)).isEqualTo(lines(whole));
        Path page = folder.resolve("page.html");
        Cli.Result report = Cli.run("eval", "report", one.toString(), two.toString(), "--out", page.toString(), "--svg", folder.resolve("svg").toString(), "--json");
        assertThat(report.code()).as(report.err()).isZero();
        assertThat(Json.MAPPER.readTree(report.out()).path("accuracy")).isEqualTo(Json.MAPPER.readTree(first.out()).path("accuracy"));
        assertThat(Files.readString(page)).contains("chunk retrieval loss", "prefers-color-scheme: dark").doesNotContain("src=", "href=", "@import");
        assertThat(Cli.files(folder.resolve("svg"))).hasSize(1);

        // the small model answers these prompts densely, and a window of 32 cannot see a needle at the beginning
        var accuracy = Json.MAPPER.readTree(first.out()).path("accuracy");
        assertThat(accuracy.path(0).path("policy").asText()).isEqualTo("dense");
        assertThat(accuracy.path(0).path("score").path("mean").asDouble()).isEqualTo(1);
        assertThat(accuracy.path(1).path("score").path("mean").asDouble()).isLessThan(1);

        Cli.Result other = niah(whole, "--seed", "5");
        assertThat(other.code()).isEqualTo(2);
        assertThat(other.err()).contains("seed: the file has 1, asked for is 5");
    }

    @Test
    void badInputIsNamedWithExitCode2(@TempDir Path folder) throws IOException {
        Path out = folder.resolve("r.jsonl");
        Path empty = Files.createDirectory(folder.resolve("empty"));
        refused(niah(out, "--haystack", empty.toString()), "no file ends in .txt");
        refused(niah(out, "--lengths", "5000"), "max_position_embeddings 4096");
        refused(niah(out, "--lengths", "20"), "too few");
        refused(niah(out, "--budgets", "0"), "the budget was 0");
        refused(niah(out, "--shard", "2/2"), "0/2 to 1/2");
        refused(niah(out, "--policies", "dhza"), "dhza");
        refused(niah(out, "--depths", "101"), "from 0 to 100");
        refused(Cli.run("eval", "report", folder.resolve("none.jsonl").toString()), "no result file");
        refused(Cli.run("eval"), "quick, niah");
        Files.writeString(out, "{\"a\":1}\n");
        refused(niah(out), "not a result file");
    }

    private static void refused(Cli.Result result, String message) {
        assertThat(result.code()).as(result.err()).isEqualTo(2);
        assertThat(result.err()).contains(message);
    }

    @Test
    void proseFollowsThePublishedProtocolAndRecallAndLatencyMeasure(@TempDir Path folder) throws IOException {
        Path hay = Files.createDirectory(folder.resolve("hay"));
        Files.writeString(hay.resolve("a.txt"), "The ship sailed past the reef. The road is long. ".repeat(40));
        Cli.Result prose = Cli.run("eval", "niah", "--model", Cli.TINY.toString(), "--haystack", hay.toString(), "--lengths", "420",
                "--depths", "50", "--samples", "1", "--policies", "dense,sliding", "--budgets", "32", "--json", "--out", folder.resolve("p.jsonl").toString());
        assertThat(prose.code()).as(prose.err()).isZero();
        for (String what : List.of("recall", "latency")) {
            Cli.Result result = Cli.run("eval", what, "--model", Cli.TINY.toString(), "--lengths", "128", "--policies", "sliding,oracle", "--budgets", "32", "--json",
                    "--out", folder.resolve(what + ".jsonl").toString());
            assertThat(result.code()).as(result.err()).isZero();
            var rows = Json.MAPPER.readTree(result.out()).path("rows");
            assertThat(rows).hasSize(2);
            if (what.equals("recall")) {
                assertThat(rows.get(1).path("global").path("mass").asDouble()).isGreaterThanOrEqualTo(rows.get(0).path("global").path("mass").asDouble());
                assertThat(rows.get(1).path("global").path("regret").asDouble()).isCloseTo(0, org.assertj.core.data.Offset.offset(1e-6));
            } else {
                assertThat(rows.get(0).path("seconds_to_first_token").asDouble()).isPositive();
                assertThat(rows.get(0).path("peak_heap_bytes").asLong()).isPositive();
            }
        }
    }
}
