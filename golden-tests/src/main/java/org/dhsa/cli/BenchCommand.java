package org.dhsa.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dhsa.bench.Bench;
import org.dhsa.bench.BenchFailedException;
import org.dhsa.bench.BenchReport;
import org.dhsa.bench.BenchRun;
import org.dhsa.bench.Benches;
import org.dhsa.bench.MarkedSection;
import org.dhsa.bench.SyntheticCheckpoint;
import org.dhsa.bench.SystemInfo;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// Measures the optimized backend beside what it is held against.
@Command(name = "bench", mixinStandardHelpOptions = true, sortOptions = false,
        header = "Measures how fast the optimized backend is, as ratios to what the machine and others can do.",
        description = {"", "gemm: projections beside OpenBLAS and the multiply-add peak. gemv: decode's products beside reading memory. attention: dense attention beside the peak. "
                + "dhsa: DHSA beside dense attention and the exact ratio of pairs. prefill, decode: a whole model of 4 layers. endtoend: a prompt and 32 new tokens in a process of its own, with its memory. opencl: products, attention, DHSA and prefill on an OpenCL device beside the Vector API path. all: one after the other.",
                "Every result is checked before it is timed. The machine should do nothing else meanwhile. What the benchmark harness says is in target/bench.log.", ""})
final class BenchCommand implements Callable<Integer> {

    private static final int LAYERS = 4;
    private static final int VOCAB = 8192;

    @Parameters(arity = "0..*", paramLabel = "BENCH", description = "gemm, gemv, attention, dhsa, prefill, decode, endtoend, opencl, or all (default).")
    List<String> names = List.of("all");

    @Option(names = "--threads", paramLabel = "N,N", split = ",", description = "Numbers of threads to measure with. Default: one, and one for each processor.")
    List<Integer> threads;

    @Option(names = "--quick", description = "Small sizes, one short iteration: shows that everything runs. The figures mean nothing.")
    boolean quick;

    @Option(names = "--brief", description = "Fewer sizes, one turn each: minutes instead of hours, and wider errors.")
    boolean brief;

    @Option(names = "--json", paramLabel = "FILE", description = "Write tables and every single time there too.")
    Path json;

    @Option(names = "--write", paramLabel = "FILE", description = {"Replace the sections of these benches in a page, between its markers "
            + "<!-- bench:gemm --> and <!-- /bench:gemm -->; sections that are not there are added."})
    Path write;

    @Option(names = "--lengths", paramLabel = "N,N", split = ",", description = "Prompts of the end-to-end runs, in tokens. Default: 2048, 8192.")
    List<Integer> lengths;

    @Option(names = "--model", paramLabel = "DIR", description = {"Checkpoint for prefill, decode, endtoend and opencl. Default: one of the 2B shape with 4 layers, "
            + "a vocabulary of 8192 and made-up weights, written to a temporary folder (660 MB)."})
    Path model;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        List<Bench> benches = benches(names);
        List<Integer> counts = threadCounts(threads);
        lengths();
        Path root = Home.find().root();
        for (Path file : Stream.of(Optional.ofNullable(json), Optional.ofNullable(write)).flatMap(Optional::stream).toList()) {
            FileOutput.requireWritable(file.toAbsolutePath().getParent(), file == json ? "--json" : "--write");
        }
        SystemInfo system = SystemInfo.of(root, Optional.ofNullable(write));
        PrintWriter out = spec.commandLine().getOut();
        out.println(system.line(counts) + (quick ? "; --quick: these figures mean nothing" : brief ? "; --brief: one turn, wide errors" : ""));
        out.println();
        out.flush();
        List<BenchReport> reports = new ArrayList<>();
        try (Progress progress = Progress.on(spec.commandLine().getErr(), false);
             Checkpoint checkpoint = benches.stream().anyMatch(Bench::needsModel) ? checkpoint(progress) : new Checkpoint(null, "", false)) {
            Progress.Task task = progress.task("measuring");
            try (BenchRun run = new BenchRun(extent(), counts, root.resolve("target/bench.log"), task::at)) {
                for (Bench bench : benches) {
                    BenchReport report = Benches.run(bench, run, checkpoint.folder, checkpoint.name, root, lengths());
                    reports.add(report);
                    progress.clear();
                    out.println(report.text());
                    out.flush();
                    if (write != null && !report.tables().isEmpty()) { // what could not be measured replaces nothing
                        writeSection(report, system, counts);
                    }
                }
            } catch (BenchFailedException e) {
                throw new BadInput(e.getMessage(), e);
            }
        }
        if (json != null) {
            FileOutput.write(json, Json.pretty(json(reports, system, counts)) + "\n");
        }
        return 0;
    }

    private int[] lengths() {
        int[] chosen = lengths != null ? lengths.stream().mapToInt(Integer::intValue).toArray() : quick ? new int[] {64} : new int[] {2048, 8192};
        for (int tokens : chosen) {
            if (tokens <= 0) {
                throw new BadInput("--lengths must be positive, was " + tokens + ".");
            }
        }
        return chosen;
    }

    private BenchRun.Extent extent() {
        return quick ? BenchRun.Extent.QUICK : brief ? BenchRun.Extent.BRIEF : BenchRun.Extent.FULL;
    }

    /// The benches in their usual order, each once.
    static List<Bench> benches(List<String> names) {
        List<String> known = new ArrayList<>(Stream.of(Bench.values()).map(Bench::toString).toList());
        known.add("all");
        for (String name : names) {
            if (!known.contains(name.toLowerCase(Locale.ROOT))) {
                throw new BadInput("bench: " + Choice.unknown(name, known) + ".");
            }
        }
        List<String> wanted = names.stream().map(n -> n.toLowerCase(Locale.ROOT)).toList();
        return Stream.of(Bench.values()).filter(b -> wanted.contains("all") || wanted.contains(b.toString())).toList();
    }

    static List<Integer> threadCounts(List<Integer> given) {
        int processors = Runtime.getRuntime().availableProcessors();
        List<Integer> counts = given == null ? Stream.of(1, processors).distinct().toList() : given.stream().distinct().toList();
        for (int count : counts) {
            if (count <= 0) {
                throw new BadInput("--threads must be positive, was " + count + ".");
            }
        }
        return counts;
    }

    /// A model folder, removed afterwards if it was made for this run.
    private record Checkpoint(Path folder, String name, boolean temporary) implements AutoCloseable {

        @Override
        public void close() {
            if (temporary) {
                delete(folder);
            }
        }
    }

    private Checkpoint checkpoint(Progress progress) throws IOException, WeightsFormatException {
        if (model != null) {
            try (Gemma2Model opened = Gemma2Loader.load(model)) {
                return new Checkpoint(model.toAbsolutePath(), "model " + model.toAbsolutePath().getFileName() + " with " + opened.config().numHiddenLayers() + " layers", false);
            }
        }
        Path folder = Files.createTempDirectory("dhsa-bench");
        Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(folder)));
        try {
            Progress.Task writing = progress.task("writing a checkpoint");
            SyntheticCheckpoint.write(folder, SyntheticCheckpoint.Size.S2B, LAYERS, VOCAB, Home.find().tinyModel().resolve("tokenizer.model"),
                    (tensor, share) -> writing.at("percent", Math.round(100 * share), 100));
            writing.done();
        } catch (IOException e) {
            delete(folder);
            throw e;
        }
        return new Checkpoint(folder, "2B shape, " + LAYERS + " layers, vocabulary " + VOCAB, true);
    }

    /// As far as it goes: what is left lies in the folder for temporary files.
    private static void delete(Path folder) {
        try (Stream<Path> inside = Files.walk(folder)) {
            inside.sorted(Comparator.reverseOrder()).forEach(p -> p.toFile().delete());
        } catch (IOException e) {
            // it is gone already
        }
    }

    private String command(Bench bench, List<Integer> counts) {
        return "./dhsa bench " + bench + " --threads " + counts.stream().map(String::valueOf).collect(Collectors.joining(","))
                + (bench == Bench.ENDTOEND && lengths != null ? " --lengths " + lengths.stream().map(String::valueOf).collect(Collectors.joining(",")) : "")
                + (quick ? " --quick" : brief ? " --brief" : "") + (model == null || !bench.needsModel() ? "" : " --model DIR");
    }

    private void writeSection(BenchReport report, SystemInfo system, List<Integer> counts) throws IOException {
        String page = Files.exists(write) ? Files.readString(write) : "# Benchmarks\n";
        String content = report.markdown((quick ? "A quick run, no measurement. " : brief ? "A brief run: one turn, wide errors. " : "") + system.line(counts), command(report.bench(), counts));
        try {
            FileOutput.write(write, MarkedSection.replace(page, report.bench().toString(), report.bench().title(), content));
        } catch (IllegalArgumentException e) {
            throw new BadInput(write + ": " + e.getMessage() + ".", e);
        }
    }

    private ObjectNode json(List<BenchReport> reports, SystemInfo system, List<Integer> counts) {
        ObjectNode node = Json.object();
        node.put("system", system.line(counts)).put("cpu", system.cpu()).put("cores", system.cores()).put("memory_bytes", system.memoryBytes()).put("os", system.os())
                .put("jdk", system.jdk()).put("kernels", system.kernels()).put("commit", system.commit()).put("date", system.date().toString()).put("quick", quick);
        node.set("threads", Json.array(counts.stream().mapToInt(Integer::intValue).toArray()));
        ArrayNode all = node.putArray("benches");
        reports.forEach(r -> all.add(r.json()));
        return node;
    }
}
