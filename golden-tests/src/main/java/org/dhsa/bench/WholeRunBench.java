package org.dhsa.bench;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.dhsa.bench.Table.Cell;

/// A model from the first prompt token to the last new one, each run in a process of its own: see [WholeRun].
final class WholeRunBench {

    private static final int NEW_TOKENS = 32;

    private final BenchRun run;
    private final Path folder;
    private final String what;
    private final int[] lengths;

    WholeRunBench(BenchRun run, Path folder, String what, int[] lengths) {
        this.run = run;
        this.folder = folder;
        this.what = what;
        this.lengths = lengths;
    }

    BenchReport report() {
        int budget = run.quick() ? 128 : 1024;
        int block = run.quick() ? 64 : 256;
        int newTokens = run.quick() ? 2 : NEW_TOKENS;
        int threads = run.threads().getLast();
        Table table = new Table("End to end, " + what + ", " + threads + " threads, DHSA with budget " + budget + " and block " + block + ", " + newTokens + " new tokens",
                "tokens", "attention", "prefill seconds", "prefill tokens/s", "decode tokens/s", "pairs read", "peak resident GB", "of it its own GB");
        Table stages = new Table("Where the time goes, end to end", "tokens", "attention", "phase", "stages");
        boolean first = true;
        for (int tokens : lengths) {
            for (String mode : List.of(PrefillBenchmark.DENSE, PrefillBenchmark.DHSA)) {
                run.tell("end to end, " + tokens + " tokens, " + mode);
                Map<String, Double> told = start(List.of(folder, tokens, mode, threads, newTokens, budget, block, first));
                first = false;
                double prefill = told.get("prefill");
                table.row(tokens, mode, Cell.of(prefill, 1), Cell.of(tokens / prefill, 1), Cell.of(newTokens / told.get("decode"), 2), Cell.percent(told.get("pairs")),
                        Cell.of(told.getOrDefault("peakResident", Double.NaN) / 1e9, 2), Cell.of(told.getOrDefault("ownMemory", Double.NaN) / 1e9, 2));
                for (String phase : List.of("prefill", "decode")) {
                    stages.row(tokens, mode, phase, Table.shares(parts(told, phase)));
                }
            }
        }
        return new BenchReport(Bench.ENDTOEND, List.of(table, stages), List.of("One run each, in a process of its own, after the warm-up.",
                "Peak resident memory holds the pages of the mapped weights; what is its own (heap, caches, code) is that at the end of the run.",
                "The first run compares the logits of a short prompt with the reference's before anything is timed."), List.of());
    }

    private static Map<String, Double> parts(Map<String, Double> told, String phase) {
        Map<String, Double> parts = new TreeMap<>();
        told.forEach((name, value) -> {
            if (name.startsWith(phase + ".")) {
                parts.put(name.substring(phase.length() + 1), value);
            }
        });
        return parts;
    }

    /// Numbers told by a [WholeRun] with these arguments.
    ///
    /// @throws BenchFailedException if it failed
    private static Map<String, Double> start(List<Object> arguments) {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), WholeRun.class.getName()));
        arguments.stream().map(Object::toString).forEach(command::add);
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            List<String> out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines().toList();
            if (process.waitFor() != 0) {
                throw new BenchFailedException("An end-to-end run failed: " + String.join("\n", out).strip(), null);
            }
            Map<String, Double> told = new TreeMap<>();
            out.stream().filter(l -> l.startsWith(WholeRun.PREFIX)).map(l -> l.substring(WholeRun.PREFIX.length()).split(" "))
                    .forEach(words -> told.put(words[0], Double.parseDouble(words[1])));
            return told;
        } catch (IOException e) {
            throw new BenchFailedException("An end-to-end run cannot be started: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BenchFailedException("interrupted", e);
        }
    }
}
