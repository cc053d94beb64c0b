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
        for (String what : List.of("recall", "latency")) {
            refused(measure(what, out, "--lengths", "5000"), "max_position_embeddings 4096");
            refused(measure(what, out, "--budgets", "0"), "the budget was 0");
            refused(measure(what, out, "--shard", "3/3"), "0/3 to 2/3");
            refused(measure(what, out, "--haystack", empty.toString()), "no file ends in .txt");
        }
        refused(measure("recall", out, "--rows", "0"), "--rows must be positive, was 0");
        refused(measure("latency", out, "--repeats", "0"), "--repeats must be positive, was 0");
        refused(niah(out, "--settings", "stric"), "did you mean strict?");
        refused(Cli.run("eval", "report", folder.resolve("none.jsonl").toString()), "no result file");
        refused(Cli.run("eval"), "quick, niah");
        Files.writeString(out, "{\"a\":1}\n");
        refused(niah(out), "not a result file");
    }

    @Test
    void kindsOfTextAreCutAndMeasured(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("notes.txt");
        Files.writeString(file, "The ship sailed past the reef. ".repeat(60));
        Cli.Result result = kinds(folder, file, "1", "128", "--kinds", "prose,cjk,notes");
        assertThat(result.code()).as(result.err()).isZero();
        var rows = Json.MAPPER.readTree(result.out()).path("rows");
        assertThat(rows).extracting(r -> r.path("kind").asText() + " " + r.path("chunking").asText())
                .containsExactly("prose predicted", "prose fixed-16", "cjk predicted", "cjk fixed-16", "notes predicted", "notes fixed-16");
        // the predictor knows sentence ends of the toy language; Han characters tell it nothing
        assertThat(rows.get(0).path("chunk_length").path("mean").asDouble()).isBetween(12.0, 24.0);
        assertThat(rows.get(1).path("chunk_length").path("mean").asDouble()).isEqualTo(16);
        assertThat(rows.get(2).path("longest").asInt()).isGreaterThan(60);
        assertThat(rows.get(0).path("recall").path("mean").asDouble()).isBetween(0.2, 1.0);
        var one = Json.MAPPER.readTree(lines(folder.resolve("k.jsonl")).getFirst());
        assertThat(one.path("tokens").asInt()).isEqualTo(128);
        assertThat(one.path("runs").get(0).path("chunks").path("count").asInt()).isPositive();
        // at equal budgets every chunking reads as much on global layers
        assertThat(one.path("runs").get(0).path("global").path("pairs")).isEqualTo(one.path("runs").get(1).path("global").path("pairs"));

        var recall = rows.get(1).path("first_chunking_recall_minus_this");
        assertThat(recall.path("mean").asDouble()).isCloseTo(rows.get(0).path("recall").path("mean").asDouble() - rows.get(1).path("recall").path("mean").asDouble(),
                org.assertj.core.data.Offset.offset(2e-3));
        var regret = rows.get(1).path("first_chunking_regret_minus_this");
        assertThat(regret.path("mean").asDouble()).isCloseTo(rows.get(0).path("regret").path("mean").asDouble() - rows.get(1).path("regret").path("mean").asDouble(),
                org.assertj.core.data.Offset.offset(2e-3));
        assertThat(Files.readString(folder.resolve("k.html"))).contains("3 texts of 128 tokens, 3 kinds, each cut in 2 ways");

        refused(kinds(folder, file, "1", "128", "--kinds", "prosa"), "did you mean prose");
        refused(kinds(folder, file, "9", "128"), "notes: the file has");
        refused(kinds(folder, folder.resolve("none.txt"), "1", "128"), "there is no such file");
        refused(kinds(folder, file, "1", "128", "--policy", "sliding"), "--chunkings or --policy", "sliding");
        refused(kinds(folder, file, "1", "5000"), "max_position_embeddings 4096");
    }

    private static Cli.Result kinds(Path folder, Path notes, String samples, String length, String... more) {
        List<String> args = new ArrayList<>(List.of("eval", "kinds", "--model", Cli.TINY.toString(), "--length", length, "--samples", samples, "--chunkings", "predicted,fixed-16",
                "--budget", "32", "--text", "notes=" + notes, "--json", "--out", folder.resolve("k.jsonl").toString()));
        args.addAll(List.of(more));
        return Cli.run(args.toArray(String[]::new));
    }

    @Test
    void resultsByKindMakeAPage(@TempDir Path folder) throws IOException {
        Path page = folder.resolve("kinds.html");
        Cli.Result result = Cli.run("eval", "report", Home.find().root().resolve("golden-tests/eval/kinds.jsonl").toString(), "--out", page.toString(), "--json");
        assertThat(result.code()).as(result.err()).isZero();
        var rows = Json.MAPPER.readTree(result.out()).path("rows");
        assertThat(rows).as("two models, eight kinds, six chunkings").hasSize(96);
        var code = rows.get(48 + 6 + 1);
        assertThat(List.of(code.path("model").asText(), code.path("kind").asText(), code.path("chunking").asText())).containsExactly("tiny-gemma2 without chunk loss", "code", "fixed-16");
        assertThat(code.path("chunk_length").path("texts").asInt()).isEqualTo(6);
        // the row of docs/findings.md: predicted minus fixed-16 on code
        assertThat(Files.readString(page)).contains("96 texts of 512 tokens", "-2.6 [-3.0, -2.2]", "without chunk loss").containsSubsequence("<h2>Chunks</h2>", "<td>prose</td>", "<td>code</td>",
                "<td>random</td>", "<h2>Recall and regret</h2>", "predicted minus it").doesNotContain("{{", "src=", "href=", "@import", "NaN", "layers: .");
    }

    @Test
    void sizesThatAreNotGivenFollowTheModels(@TempDir Path folder) throws Exception {
        Path large = Cli.copyOfTinyModel(folder);
        Path config = large.resolve("config.json");
        String before = Files.readString(config);
        Files.writeString(config, before.replaceAll("(\"sliding_window(_size)?\": *)\\d+", "$1 1024"));
        assertThat(Files.readString(config)).isNotEqualTo(before);
        assertThat(sizes("niah", Cli.TINY.toString())).isEqualTo("[256,512,1024,2048] [64,128] ");
        assertThat(sizes("niah", large + "," + Cli.TINY)).as("one of two is small").startsWith("[256,512,1024,2048] [64,128] ").doesNotContain("Not given");
        assertThat(sizes("niah", large.toString(), "--lengths", "512")).startsWith("[512] [1024,2048] ").contains("size: --budgets 1024,2048.");
        assertThat(sizes("niah", large.toString(), "--lengths", "512", "--budgets", "64")).startsWith("[512] [64] ").doesNotContain("Not given");
        for (String command : List.of("niah", "recall", "ablate", "ruler")) {
            // the model was made for 4096 tokens, so 8192 are left out
            assertThat(sizes(command, large.toString())).as(command).startsWith("[4096] [1024,2048] ").contains("--lengths 4096 --budgets 1024,2048.");
        }
    }

    /// Lengths and budgets of a sweep, and what is said on the way.
    private static String sizes(String command, String models, String... more) throws Exception {
        List<String> args = new ArrayList<>(List.of("eval", command, "--model", models, "--policies", "dense,sliding", "--samples", "1"));
        args.addAll(List.of(more));
        var parsed = Main.commandLine().parseArgs(args.toArray(String[]::new)).subcommand().subcommand();
        var err = new java.io.StringWriter();
        try (var sweep = ((SweepCommand) parsed.commandSpec().userObject()).sweep(new java.io.PrintWriter(err))) {
            return sweep.config().path("lengths") + " " + sweep.config().path("budgets") + " " + err;
        }
    }

    @Test
    void aRecipeMakesTheSameSweepAgainFromAnywhere(@TempDir Path folder) throws Exception {
        Path notes = Files.writeString(folder.resolve("notes.txt"), "The ship sailed past the reef. ".repeat(60));
        Path here = Path.of("").toAbsolutePath();
        var line = Main.commandLine();
        var parsed = line.parseArgs("eval", "kinds", "--model", here.relativize(Cli.TINY).toString(), "--text", "notes=" + here.relativize(notes), "--length", "128",
                "--chunkings", "predicted,fixed-16", "--json").subcommand().subcommand();
        SweepRecipe recipe = SweepRecipe.of(parsed.commandSpec());
        assertThat(recipe.args()).contains("eval", "kinds", "--model=" + Cli.TINY, "--text=notes=" + notes, "--length=128", "--chunkings=predicted,fixed-16", "--json");
        try (var first = ((SweepCommand) parsed.commandSpec().userObject()).sweep(new java.io.PrintWriter(System.err)); var second = recipe.open()) {
            assertThat(second.config()).isEqualTo(first.config());
            assertThat(second.cells()).isEqualTo(first.cells()).hasSize(4);
        }
    }

    private static void refused(Cli.Result result, String... message) {
        assertThat(result.code()).as(result.err()).isEqualTo(2);
        assertThat(result.err()).contains(message);
    }

    @Test
    void proseFollowsThePublishedProtocol(@TempDir Path folder) throws IOException {
        Path hay = Files.createDirectory(folder.resolve("hay"));
        Files.writeString(hay.resolve("a.txt"), "The ship sailed past the reef. The road is long. ".repeat(40));
        Cli.Result prose = Cli.run("eval", "niah", "--model", Cli.TINY.toString(), "--haystack", hay.toString(), "--lengths", "420",
                "--depths", "50", "--samples", "1", "--policies", "dense,sliding", "--budgets", "32", "--json", "--out", folder.resolve("p.jsonl").toString());
        assertThat(prose.code()).as(prose.err()).isZero();
    }

    private static Cli.Result measure(String what, Path out, String... more) {
        List<String> args = new ArrayList<>(List.of("eval", what, "--model", Cli.TINY.toString(), "--lengths", "128", "--policies", "dense,sliding,dhsa,oracle", "--budgets", "32",
                "--json", "--out", out.toString()));
        args.addAll(List.of(more));
        return Cli.run(args.toArray(String[]::new));
    }

    @Test
    void recallAndLatencyMeasureAndStandBesideTheNeedlesOnOnePage(@TempDir Path folder) throws IOException {
        Path needles = folder.resolve("needles.jsonl");
        Path recall = folder.resolve("recall.jsonl");
        Path latency = folder.resolve("latency.jsonl");
        assertThat(niah(needles).code()).isZero();

        Cli.Result recalled = measure("recall", recall, "--depths", "0,100");
        assertThat(recalled.code()).as(recalled.err()).isZero();
        var rows = Json.MAPPER.readTree(recalled.out()).path("recall");
        assertThat(rows).as("three sparse policies, global and local layers").hasSize(6);
        var sliding = rows.get(0);
        var oracle = rows.get(4);
        assertThat(oracle.path("policy").asText()).isEqualTo("oracle");
        assertThat(oracle.path("mass").path("prompts").asInt()).isEqualTo(2);
        assertThat(oracle.path("mass").path("mean").asDouble()).isGreaterThan(sliding.path("mass").path("mean").asDouble());
        assertThat(oracle.path("regret").path("mean").asDouble()).isCloseTo(0, org.assertj.core.data.Offset.offset(1e-6));
        var run = Json.MAPPER.readTree(lines(recall).getFirst()).path("runs").get(0);
        assertThat(run.path("layers")).hasSize(4);
        assertThat(run.path("layers").findValuesAsText("kind")).containsExactly("local", "global", "local", "global");
        assertThat(run.path("global").path("mass").asDouble()).as("mean of layers 1 and 3")
                .isCloseTo((run.path("layers").get(1).path("mass").asDouble() + run.path("layers").get(3).path("mass").asDouble()) / 2, org.assertj.core.data.Offset.offset(2e-4));

        Cli.Result timed = measure("latency", latency, "--repeats", "2");
        assertThat(timed.code()).as(timed.err()).isZero();
        assertThat(lines(latency)).hasSize(2);
        Json.MAPPER.readTree(timed.out()).path("latency").forEach(row -> {
            assertThat(row.path("seconds_to_first_token").path("mean").asDouble()).isPositive();
            assertThat(row.path("peak_heap_bytes").asLong()).isPositive();
            assertThat(row.path("split_milliseconds").path("attend").asDouble()).isPositive();
            assertThat(row.path("dense_over_it").path("prompts").asInt()).as("pairs").isEqualTo(2);
        });
        for (var one : Json.MAPPER.readTree(lines(latency).getFirst()).path("runs")) {
            String policy = one.path("policy").asText();
            assertThat(one.path("measured").path("attention_flops").asLong()).as(policy).isPositive().isLessThanOrEqualTo(one.path("predicted").path("attention_flops").asLong());
            assertThat(one.path("measured").path("selection_flops").asLong()).as(policy).isLessThanOrEqualTo(one.path("predicted").path("selection_flops").asLong());
            var split = one.path("split_nanos");
            assertThat(split.fieldNames()).toIterable().as(policy).containsExactly("predict", "score", "select", "attend", "other", "whole");
            assertThat(split.path("predict").asLong() + split.path("score").asLong() + split.path("select").asLong() + split.path("attend").asLong() + split.path("other").asLong())
                    .as(policy).isEqualTo(split.path("whole").asLong());
            assertThat(List.of(split.path("attend").asLong(), split.path("other").asLong())).as(policy).allMatch(n -> n > 0);
            assertThat(split.path("select").asLong() > 0).as("%s chooses", policy).isEqualTo(!policy.equals("dense"));
            assertThat(split.path("predict").asLong() > 0 && split.path("score").asLong() > 0).as("%s predicts and scores", policy).isEqualTo(policy.equals("dhsa"));
            assertThat(one.path("measured").path("kv_bytes").asLong()).as(policy).isPositive().isLessThanOrEqualTo(one.path("predicted").path("kv_bytes").asLong());
        }
        assertThat(Json.MAPPER.readTree(measure("latency", latency, "--repeats", "3").out()).path("answered_now").asInt()).as("one more repetition").isEqualTo(1);

        Path page = folder.resolve("all.html");
        Cli.Result all = Cli.run("eval", "report", needles.toString(), recall.toString(), latency.toString(), "--out", page.toString(), "--json");
        assertThat(all.code()).as(all.err()).isZero();
        assertThat(Json.MAPPER.readTree(all.out()).fieldNames()).toIterable().containsExactlyInAnyOrder("page", "prompts", "accuracy", "recall", "latency");
        assertThat(Files.readString(page)).containsSubsequence("eval niah", "Length and depth", "eval recall", "How well keys are chosen", "Layer by layer", "eval latency",
                "Time and memory", "Where the time of a prompt goes", "The cost model beside what was counted and measured").doesNotContain("{{", "src=", "href=", "@import", "NaN");

        Path other = folder.resolve("other.jsonl");
        assertThat(measure("recall", other, "--depths", "0", "--rows", "7").code()).isZero();
        Cli.Result refused = Cli.run("eval", "report", needles.toString(), recall.toString(), other.toString());
        refused(refused, "rows: the file has 256, asked for is 7");
        assertThat(refused.err()).contains("depths: the file has [0,100], asked for is [0]", "eval recall");
    }

    @Test
    void theQuestionAndDecodingCanBeToldApart(@TempDir Path folder) throws IOException {
        Cli.Result result = Cli.run("eval", "niah", "--model", Cli.TINY.toString(), "--lengths", "128", "--depths", "0", "--samples", "1", "--policies", "sliding", "--budgets", "32",
                "--settings", "question-dense,decode_dense", "--workers", "1", "--out", folder.resolve("s.jsonl").toString());
        assertThat(result.code()).as(result.err()).isZero();
        List<String> settings = new ArrayList<>();
        for (var run : Json.MAPPER.readTree(lines(folder.resolve("s.jsonl")).getFirst()).path("runs")) {
            boolean questionDense = run.path("setting").asText().equals("question-dense");
            settings.add(run.path("setting").asText());
            assertThat(run.path("decode").get(0).asLong() < run.path("decode").get(1).asLong()).as("decoding is sparse").isEqualTo(questionDense);
        }
        assertThat(settings).containsExactly("question-dense", "decode-dense");
        assertThat(result.out()).contains("only the question dense", "only decoding dense");
    }
}
