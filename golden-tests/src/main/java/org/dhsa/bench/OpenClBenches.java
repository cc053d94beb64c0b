package org.dhsa.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dhsa.backend.Availability;
import org.dhsa.bench.KernelBenches.Gains;
import org.dhsa.bench.Table.Cell;

/// OpenCL beside the Vector API path, turn by turn in one run. Without a device the report says why, and what to do.
final class OpenClBenches {

    private final BenchRun run;
    private final Path folder;
    private final String what;
    private final List<Samples> all = new ArrayList<>();

    /// A CPU's driver uses all processors, so the Vector API path gets as many threads.
    private final int threads = Runtime.getRuntime().availableProcessors();

    /// @param what the model, for people
    OpenClBenches(BenchRun run, Path folder, String what) {
        this.run = run;
        this.folder = folder;
        this.what = what;
    }

    BenchReport report() {
        return switch (BenchBackends.openCl()) {
            case Availability.Missing(String why, String remedy) -> new BenchReport(Bench.OPENCL, List.of(),
                    List.of("SKIPPED, nothing was measured: " + why + ". What to do: " + remedy + "."), List.of());
            case Availability.Available(String device) -> new BenchReport(Bench.OPENCL, List.of(products(), attention(), dhsa(), prefill()), List.of(
                    "Device: " + device + ".",
                    "The Vector API path has " + threads + " threads, one for each processor; a CPU's OpenCL driver uses all of them too, whatever --threads says.",
                    "The clock stops when the device is done. Packing of the input and widening of the BF16 weights are inside it; weights lie on the device, as in the model.",
                    "In attention and DHSA the garbage is collected before every call, outside the clock: results are written into memory that was used before, as in the middle of a prompt.",
                    "DHSA: a gain is the time of the device's own dense attention over that of its DHSA, a share is the gain over the exact ratio of the pairs read.",
                    "In prefill the prompt goes up and the logits come back inside the clock."), all);
        };
    }

    private Table products() {
        Table table = new Table("OpenCL: projections of the 2B shape, FP32 with BF16 weights", "M", "projection", "N x K", "OpenCL GFLOP/s", "Vector API GFLOP/s", "OpenCL / Vector API");
        for (int m : run.choose(new int[] {512, 2048}, new int[] {512}, new int[] {64})) {
            for (KernelBenches.Projection p : run.quick() ? KernelBenches.PROJECTIONS.subList(0, 1) : KernelBenches.PROJECTIONS) {
                Samples s = measure(GemmBenchmark.class, Map.of("threads", threads, "m", m, "n", p.n(), "k", p.k()), run.effort(), GemmBenchmark.CANDIDATE, GemmBenchmark.OPENCL);
                double flops = 2.0 * m * p.n() * p.k();
                double device = s.giga(GemmBenchmark.OPENCL, flops);
                double java = s.giga(GemmBenchmark.CANDIDATE, flops);
                table.row(m, p.name(), p.n() + " x " + p.k(), Cell.of(device, 0), Cell.of(java, 0), Cell.of(device / java, 2));
            }
        }
        return table;
    }

    private Table attention() {
        Table table = new Table("OpenCL: dense causal attention, 8 query and 4 key heads of 256, soft cap 50", "tokens", "OpenCL seconds", "OpenCL GFLOP/s", "Vector API GFLOP/s", "OpenCL / Vector API");
        for (int length : lengths()) {
            Samples s = measure(AttentionBenchmark.class, Map.of("threads", threads, "length", length), effort(length), AttentionBenchmark.CANDIDATE, AttentionBenchmark.OPENCL);
            double flops = AttentionData.flops((long) s.note("pairs"));
            double device = s.giga(AttentionBenchmark.OPENCL, flops);
            double java = s.giga(AttentionBenchmark.CANDIDATE, flops);
            table.row(length, Cell.of(s.median(AttentionBenchmark.OPENCL), 3), Cell.of(device, 0), Cell.of(java, 0), Cell.of(device / java, 2));
        }
        return table;
    }

    private Table dhsa() {
        Table table = new Table("OpenCL: DHSA over its own dense attention, one global layer", "tokens", "budget", "block", "chunks", "pairs dense / DHSA", "gain, attention alone",
                "share of pair ratio", "gain with selection", "share with selection", "gain with predictor", "share over 26 layers");
        for (int length : lengths()) {
            int budget = run.quick() ? 256 : 1024;
            int block = run.quick() ? 128 : 256;
            Samples s = measure(DhsaBenchmark.class, Map.of("threads", threads, "length", length, "budget", budget, "block", block, "backendName", BenchBackends.OPENCL),
                    effort(length).slow(), DhsaBenchmark.DENSE, DhsaBenchmark.SPARSE, DhsaBenchmark.SELECTED, DhsaBenchmark.PREDICTED);
            Gains g = Gains.of(s);
            table.row(length, budget, block, Cell.of(s.note("chunks"), 0), Cell.of(g.pairs(), 2), Cell.of(g.sparse(), 2), Cell.percent(g.sparse() / g.pairs()), Cell.of(g.selected(), 2),
                    Cell.percent(g.selected() / g.pairs()), Cell.of(g.predicted(), 2), Cell.percent(g.allLayers() / g.pairs()));
        }
        return table;
    }

    private Table prefill() {
        int budget = run.quick() ? 128 : 1024;
        int block = run.quick() ? 64 : 256;
        Table table = new Table("OpenCL: prefill, " + what + ", DHSA with budget " + budget + " and block " + block, "tokens", "dense, OpenCL tokens/s", "dense, Vector API tokens/s",
                "OpenCL / Vector API", "DHSA, OpenCL tokens/s", "DHSA / dense, OpenCL");
        for (int tokens : run.choose(new int[] {512, 2048, 4096, 8192}, new int[] {512, 4096}, new int[] {256})) {
            Samples s = measure(PrefillBenchmark.class, Map.of("folder", folder, "threads", threads, "tokens", tokens, "budget", budget, "block", block), effort(tokens / 2).slow(),
                    PrefillBenchmark.DENSE, PrefillBenchmark.DENSE_OPENCL, PrefillBenchmark.DHSA_OPENCL);
            double java = tokens / s.median(PrefillBenchmark.DENSE);
            double dense = tokens / s.median(PrefillBenchmark.DENSE_OPENCL);
            double dhsa = tokens / s.median(PrefillBenchmark.DHSA_OPENCL);
            table.row(tokens, Cell.of(dense, 1), Cell.of(java, 1), Cell.of(dense / java, 2), Cell.of(dhsa, 1), Cell.of(dhsa / dense, 2));
        }
        return table;
    }

    private Samples measure(Class<? extends CheckedBenchmark> benchmark, Map<String, Object> params, BenchRun.Effort effort, String... methods) {
        Samples s = run.measure(benchmark, params, effort, methods);
        all.add(s);
        return s;
    }

    private int[] lengths() {
        return run.choose(new int[] {4096, 8192, 16384}, new int[] {4096}, new int[] {1024});
    }

    private BenchRun.Effort effort(int length) {
        return length > 4096 ? run.effort().slow() : run.effort();
    }
}
