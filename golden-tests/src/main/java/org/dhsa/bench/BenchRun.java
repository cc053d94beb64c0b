package org.dhsa.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.results.BenchmarkResult;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.format.OutputFormatFactory;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/// Runs JMH: every method in a JVM of its own, with the flags of this JVM, in rounds A B A B.
///
/// What JMH and the forked JVMs say goes to a log.
public final class BenchRun implements AutoCloseable {

    /// How long something is measured.
    ///
    /// @param rounds     how often the methods take turns; every turn is a fresh JVM
    /// @param warmups    iterations before the measured ones
    /// @param iterations measured iterations of a turn
    /// @param millis     least time of an iteration; an operation that takes longer is run once
    record Effort(int rounds, int warmups, int iterations, int millis) {

        /// Fewer iterations where one operation takes many seconds.
        Effort slow() {
            return new Effort(rounds, Math.min(warmups, 1), Math.min(iterations, 2), millis);
        }

        /// Where one operation takes minutes, it is its own warm-up.
        Effort slowest() {
            return new Effort(rounds, 0, Math.min(iterations, 2), millis);
        }

        /// For turns that somebody else takes care of.
        Effort oneRound() {
            return new Effort(1, warmups, iterations, millis);
        }

        /// Single shots in a fresh JVM.
        Effort shots(int count) {
            return new Effort(rounds, 0, count, 0);
        }
    }

    private static final Effort FULL = new Effort(2, 2, 4, 1000);
    private static final Effort BRIEF = new Effort(1, 1, 2, 500);
    private static final Effort QUICK = new Effort(1, 1, 1, 100);

    /// How much is measured: everything, fewer sizes and turns, or just enough to see that it runs.
    public enum Extent { FULL, BRIEF, QUICK }

    private final Extent extent;
    private final List<Integer> threads;
    private final Path log;
    private final PrintStream logStream;
    private final Consumer<String> progress;
    private final List<Samples> all = new ArrayList<>();

    /// @param log      overwritten
    /// @param progress told what is being measured
    public BenchRun(Extent extent, List<Integer> threads, Path log, Consumer<String> progress) throws IOException {
        this.extent = extent;
        this.threads = List.copyOf(threads);
        this.log = log;
        Files.createDirectories(log.toAbsolutePath().getParent());
        this.logStream = new PrintStream(Files.newOutputStream(log), true, StandardCharsets.UTF_8);
        this.progress = progress;
    }

    boolean quick() {
        return extent == Extent.QUICK;
    }

    /// The first choice in a full run, the second in a brief one, the third in a quick one.
    <T> T choose(T full, T brief, T quick) {
        return switch (extent) {
            case FULL -> full;
            case BRIEF -> brief;
            case QUICK -> quick;
        };
    }

    List<Integer> threads() {
        return threads;
    }

    Effort effort() {
        return choose(FULL, BRIEF, QUICK);
    }

    /// Everything measured so far.
    List<Samples> all() {
        return List.copyOf(all);
    }

    void tell(String what) {
        progress.accept(what);
    }

    /// Measures methods of one class with one set of parameters.
    ///
    /// @throws BenchFailedException if a check failed or a JVM could not be started
    Samples measure(Class<? extends CheckedBenchmark> benchmark, Map<String, Object> params, Effort effort, String... methods) {
        Map<String, String> given = new LinkedHashMap<>();
        params.forEach((name, value) -> given.put(name, value.toString()));
        Map<String, List<Double>> seconds = new LinkedHashMap<>();
        try {
            Path notes = Files.createTempFile("dhsa-bench", ".notes");
            try {
                for (int round = 1; round <= effort.rounds(); round++) {
                    for (String method : methods) {
                        progress.accept(benchmark.getSimpleName().replace("Benchmark", "").toLowerCase(Locale.ROOT) + " " + shown(given)
                                + ", " + method + ", round " + round + " of " + effort.rounds());
                        for (RunResult result : run(benchmark, method, given, effort, notes)) {
                            seconds.computeIfAbsent(method, m -> new ArrayList<>()).addAll(seconds(result));
                        }
                    }
                }
                Map<String, double[]> arrays = new LinkedHashMap<>();
                seconds.forEach((method, list) -> arrays.put(method, list.stream().mapToDouble(Double::doubleValue).toArray()));
                Samples samples = new Samples(benchmark.getSimpleName(), given, arrays, Notes.read(notes));
                all.add(samples);
                return samples;
            } finally {
                Files.deleteIfExists(notes);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String shown(Map<String, String> params) {
        return params.entrySet().stream().filter(p -> !p.getKey().equals("folder")).map(p -> p.getKey() + " " + p.getValue())
                .reduce((a, b) -> a + ", " + b).orElse("");
    }

    private Iterable<RunResult> run(Class<?> benchmark, String method, Map<String, String> params, Effort effort, Path notes) throws IOException {
        List<String> flags = new ArrayList<>(ManagementFactory.getRuntimeMXBean().getInputArguments());
        flags.removeIf(f -> f.startsWith("-agentlib") || f.startsWith("-javaagent"));
        flags.add("-D" + Notes.PROPERTY + "=" + notes);
        boolean shots = effort.millis() == 0;
        ChainedOptionsBuilder options = new OptionsBuilder().include("^" + Pattern.quote(benchmark.getName() + "." + method) + "$")
                .mode(shots ? Mode.SingleShotTime : Mode.AverageTime).timeUnit(TimeUnit.NANOSECONDS).threads(1).forks(1)
                .warmupIterations(effort.warmups()).measurementIterations(effort.iterations())
                .timeout(TimeValue.minutes(60)).shouldFailOnError(true).jvmArgs(flags.toArray(String[]::new));
        if (!shots) {
            options.warmupTime(TimeValue.milliseconds(effort.millis())).measurementTime(TimeValue.milliseconds(effort.millis()));
        }
        params.forEach((name, value) -> options.param(name, value));
        try {
            return new Runner(options.build(), OutputFormatFactory.createFormatInstance(logStream, VerboseMode.NORMAL)).run();
        } catch (RunnerException e) {
            String why = Notes.read(notes).getOrDefault("failed", String.valueOf(e.getMessage()).strip());
            throw new BenchFailedException(benchmark.getSimpleName() + "." + method + " (" + shown(params) + "): " + why + ". Everything that was said is in " + log
                    + (why.contains("lock") ? ". If no other benchmark is running: DHSA_JAVA_OPTS=-Djmh.ignoreLock=true" : ""), e);
        }
    }

    private static List<Double> seconds(RunResult result) {
        List<Double> seconds = new ArrayList<>();
        for (BenchmarkResult fork : result.getBenchmarkResults()) {
            for (IterationResult iteration : fork.getIterationResults()) {
                seconds.add(iteration.getPrimaryResult().getScore() / 1e9);
            }
        }
        return seconds;
    }

    @Override
    public void close() {
        logStream.close();
    }
}
