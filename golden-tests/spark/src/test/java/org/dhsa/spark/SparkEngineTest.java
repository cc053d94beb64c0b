package org.dhsa.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.dhsa.cli.Home;
import org.dhsa.cli.Main;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SparkEngineTest {

    private static final Path TINY = Home.find().tinyModel();

    private record Result(int code, String err) {}

    private static final int CELLS = 16;

    @TempDir
    static Path whole;

    /// What the plain engine gives.
    private static Path plain;

    @TempDir
    Path folder;

    private static Result niah(Path out, String... more) {
        List<String> args = new ArrayList<>(List.of("eval", "niah", "--model", TINY.toString(), "--lengths", "128,160", "--depths", "0,100", "--samples", "4",
                "--policies", "dense,sliding,dhsa", "--budgets", "32", "--settings", "strict", "--json", "--out", out.toString()));
        args.addAll(List.of(more));
        StringWriter err = new StringWriter();
        int code = Main.commandLine().setOut(new PrintWriter(new StringWriter())).setErr(new PrintWriter(err)).execute(args.toArray(String[]::new));
        return new Result(code, err.toString());
    }

    @BeforeAll
    static void plainRun() throws IOException {
        plain = whole.resolve("plain.jsonl");
        assertThat(niah(plain).code()).isZero();
        assertThat(lines(plain)).hasSize(1 + CELLS);
    }

    private static List<String> lines(Path file) throws IOException {
        try (Stream<String> lines = Files.lines(file)) {
            return lines.sorted().toList();
        }
    }

    @Test
    void theLinesAreThoseOfThePlainRunWhichItMayEvenGoOnWith() throws IOException {
        Path begun = folder.resolve("begun.jsonl");
        Files.write(begun, Files.readAllLines(plain).subList(0, 1 + CELLS - 4));
        Result spark = niah(begun, "--engine", "spark", "--master", "local[2]");
        assertThat(spark.code()).as(spark.err()).isZero();
        assertThat(lines(begun)).isEqualTo(lines(plain));
        // a shard is a shard with every engine
        Path shard = folder.resolve("shard.jsonl");
        assertThat(niah(shard, "--engine", "spark", "--master", "local[2]", "--shard", "3/8").code()).isZero();
        assertThat(lines(plain)).containsAll(lines(shard).stream().filter(l -> l.contains("\"unit\"")).toList());
        assertThat(lines(shard)).hasSize(3);
    }

    /// Two executors, processes of their own; one of them is killed at work.
    @Test
    void aLostExecutorCostsOnlyItsCells() throws IOException, InterruptedException {
        Path file = folder.resolve("cluster.jsonl");
        CompletableFuture<Result> run = CompletableFuture.supplyAsync(() -> niah(file, "--engine", "spark", "--master", "local-cluster[2,1,1024]",
                "--spark-conf", "spark.executor.extraClassPath=" + System.getProperty("java.class.path")));
        while (!run.isDone() && (!Files.exists(file) || lines(file).size() < 3)) {
            Thread.sleep(20);
        }
        List<String> before = Files.exists(file) ? Files.readAllLines(file) : List.of();
        Optional<ProcessHandle> executor = ProcessHandle.current().descendants()
                .filter(p -> p.info().command().orElse("").endsWith("java")).findFirst();
        executor.ifPresent(ProcessHandle::destroyForcibly);
        Result result = run.join();
        assertThat(result.code()).as(result.err()).isZero();
        assertThat(executor).as("an executor of its own").isPresent();
        assertThat(before.size()).as("it was killed at work").isBetween(3, CELLS - 1);
        assertThat(result.err()).contains("is lost", "computed again elsewhere");
        assertThat(Files.readAllLines(file)).startsWith(before.toArray(String[]::new));
        assertThat(lines(file)).isEqualTo(lines(plain));
    }

    @Test
    void aMasterThatCannotBeReachedIsNamedAndNothingIsWritten() throws IOException {
        int free;
        try (ServerSocket socket = new ServerSocket(0)) {
            free = socket.getLocalPort();
        }
        for (String master : List.of("spark://localhost:" + free, "spark://localhost", "yarn")) {
            Path out = folder.resolve("never.jsonl");
            Result result = niah(out, "--engine", "spark", "--master", master);
            assertThat(result.code()).as(result.err()).isEqualTo(2);
            assertThat(result.err()).contains("--master", master).doesNotContain("\tat ");
            assertThat(folder).isEmptyDirectory();
        }
    }

    /// Other data under the same path must not slip in: an executor whose configuration differs computes nothing.
    @Test
    void anExecutorWithOtherWeightsComputesNothing() {
        var recipe = new org.dhsa.cli.SweepRecipe(List.of("eval", "niah", "--model=" + TINY, "--lengths=128"), Home.find().root().toString());
        CellTask.Outcome outcome = new CellTask(recipe, "{\"task\":\"other\"}").compute(0);
        CellTask.closeAll();
        assertThat(outcome.line()).isNull();
        assertThat(outcome.refusal()).contains("other data", "\"task\":\"other\"");
    }
}
