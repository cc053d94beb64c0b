package org.dhsa.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.dhsa.backend.Availability;
import org.dhsa.cli.Home;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.openjdk.jmh.runner.BenchmarkList;
import org.openjdk.jmh.runner.format.OutputFormatFactory;
import org.openjdk.jmh.runner.options.VerboseMode;

/// Every method that is timed is checked first, and its check can fail.
class BenchmarkChecksTest {

    private static final Path TINY = Home.find().tinyModel();

    record Timed(String method, Supplier<CheckedBenchmark> benchmark) {

        String id() {
            return benchmark.get().getClass().getSimpleName() + "." + method;
        }

        @Override
        public String toString() {
            return id();
        }
    }

    private static Timed timed(String method, Supplier<CheckedBenchmark> benchmark) {
        return new Timed(method, benchmark);
    }

    static List<Timed> every() {
        Supplier<CheckedBenchmark> gemm = () -> {
            GemmBenchmark b = new GemmBenchmark();
            b.threads = 2;
            b.m = 5;
            b.n = 70;
            b.k = 33;
            return b;
        };
        Supplier<CheckedBenchmark> gemv = () -> {
            GemvBenchmark b = new GemvBenchmark();
            b.threads = 2;
            b.shapes = "64x128+96x64";
            b.megabytes = 1;
            return b;
        };
        Supplier<CheckedBenchmark> attention = () -> {
            AttentionBenchmark b = new AttentionBenchmark();
            b.threads = 2;
            b.length = 96;
            return b;
        };
        Supplier<CheckedBenchmark> dhsa = () -> {
            DhsaBenchmark b = new DhsaBenchmark();
            b.threads = 2;
            b.length = 384;
            b.budget = 288;
            b.block = 32;
            b.backendName = BenchBackends.VECTOR;
            return b;
        };
        Supplier<CheckedBenchmark> prefill = () -> {
            PrefillBenchmark b = new PrefillBenchmark();
            b.threads = 1;
            b.folder = TINY.toString();
            b.tokens = 40;
            b.budget = 128;
            b.block = 16;
            return b;
        };
        Supplier<CheckedBenchmark> decode = () -> {
            DecodeBenchmark b = new DecodeBenchmark();
            b.threads = 1;
            b.folder = TINY.toString();
            return b;
        };
        Supplier<CheckedBenchmark> warmStart = () -> {
            WarmStartBenchmark b = new WarmStartBenchmark();
            b.threads = 1;
            b.folder = TINY.toString();
            b.tokens = 20;
            return b;
        };
        return List.of(timed("project", gemm), timed("openBlas", gemm), timed("openCl", gemm), timed("peak", gemm), timed("project", gemv), timed("read", gemv),
                timed("dense", attention), timed("denseOpenCl", attention), timed("peak", attention), timed("dense", dhsa), timed("sparse", dhsa), timed("selected", dhsa), timed("predicted", dhsa),
                timed("dense", prefill), timed("dhsa", prefill), timed("denseOpenCl", prefill), timed("dhsaOpenCl", prefill), timed("peak", prefill), timed("decode", decode), timed("read", decode), timed("step", warmStart));
    }

    @Test
    void everyBenchmarkIsInThisTest() {
        Set<String> known = BenchmarkList.defaultList().find(OutputFormatFactory.createFormatInstance(System.out, VerboseMode.SILENT), List.of(".*"), List.of()).stream()
                .map(b -> b.getUsername().substring("org.dhsa.bench.".length()))
                .filter(b -> !b.startsWith("KernelSteps.")) // checks itself, see KernelStepsTest
                .collect(Collectors.toCollection(TreeSet::new));
        Set<String> tested = every().stream().map(Timed::id).collect(Collectors.toCollection(TreeSet::new));
        assertThat(tested).isEqualTo(known);
    }

    @ParameterizedTest
    @MethodSource("every")
    void aRightResultPassesAndAWrongOneDoesNot(Timed timed) throws Exception {
        assumeThat(!timed.method.equals("openBlas") || OpenBlas.open(1).isPresent()).as("OpenBLAS is installed (package %s)", OpenBlas.PACKAGE).isTrue();
        assumeThat(!timed.method.endsWith("penCl") || BenchBackends.openCl() instanceof Availability.Available).as("an OpenCL device: %s", BenchBackends.openCl()).isTrue();
        CheckedBenchmark benchmark = timed.benchmark.get();
        benchmark.prepare(timed.method);
        if (benchmark instanceof WarmStartBenchmark warmStart) {
            warmStart.skipWarmUp();
            warmStart.step();
            warmStart.step();
        }
        assertThatCode(() -> benchmark.check(timed.method)).doesNotThrowAnyException();
        benchmark.output(timed.method).fill((byte) 0x41);
        assertThatThrownBy(() -> benchmark.check(timed.method)).isInstanceOf(WrongResultException.class);
        if (!(benchmark instanceof WarmStartBenchmark)) { // whose check is in close
            benchmark.close();
        }
    }

    @Test
    void notANumberIsFarFromEverything() {
        assertThatThrownBy(() -> WrongResultException.unlessNear("x", 1, Double.NaN, 1)).isInstanceOf(WrongResultException.class).hasMessageContaining("x is NaN");
        assertThatCode(() -> WrongResultException.unlessNear("x", 1, 1.5, 1)).doesNotThrowAnyException();
    }
}
