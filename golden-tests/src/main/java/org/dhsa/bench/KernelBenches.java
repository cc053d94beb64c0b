package org.dhsa.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dhsa.bench.Table.Cell;

/// The benches of single kernels: what is measured, and what the table says about it.
final class KernelBenches {

    record Projection(String name, int n, int k) {}

    static final List<Projection> PROJECTIONS = List.of(new Projection("q", 2048, 2304), new Projection("gate, up", 9216, 2304),
            new Projection("down", 2304, 9216), new Projection("o", 2304, 2048));

    /// A whole layer, then its parts.
    private static final List<String[]> VECTOR_SHAPES = List.of(
            new String[] {"a layer", "2048x2304+1024x2304+1024x2304+2304x2048+9216x2304+9216x2304+2304x9216"},
            new String[] {"q", "2048x2304"}, new String[] {"gate, up", "9216x2304"}, new String[] {"down", "2304x9216"}, new String[] {"o", "2304x2048"});

    private final BenchRun run;

    KernelBenches(BenchRun run) {
        this.run = run;
    }

    BenchReport gemm() {
        boolean anchor = OpenBlas.open(1).isPresent();
        Table table = new Table("Projections of the 2B shape, FP32 with BF16 weights, widening and packing included", "threads", "M", "projection", "N x K",
                "Java GFLOP/s", "OpenBLAS GFLOP/s", "Java / OpenBLAS", "peak GFLOP/s", "share of peak");
        List<Samples> all = new ArrayList<>();
        for (int threads : run.threads()) {
            for (int m : run.choose(new int[] {512, 2048}, new int[] {512}, new int[] {32})) {
                for (Projection p : run.quick() ? PROJECTIONS.subList(0, 1) : PROJECTIONS) {
                    Samples s = run.measure(GemmBenchmark.class, Map.of("threads", threads, "m", m, "n", p.n, "k", p.k), run.effort(), anchor
                            ? new String[] {GemmBenchmark.CANDIDATE, GemmBenchmark.ANCHOR, ComputeBenchmark.PEAK} : new String[] {GemmBenchmark.CANDIDATE, ComputeBenchmark.PEAK});
                    all.add(s);
                    double flops = 2.0 * m * p.n * p.k;
                    double java = s.giga(GemmBenchmark.CANDIDATE, flops);
                    double blas = s.giga(GemmBenchmark.ANCHOR, flops);
                    table.row(threads, m, p.name, p.n + " x " + p.k, Cell.of(java, 0), Cell.of(blas, 0), Cell.of(java / blas, 2), Cell.of(s.peak(), 0), Cell.percent(java / s.peak()));
                }
            }
        }
        List<String> remarks = new ArrayList<>(List.of("OpenBLAS multiplies weights that were widened to FP32 beforehand; Java widens and packs BF16 weights inside the clock.",
                "The peak is the FP32 multiply-add rate of the same number of threads at once, measured beside each shape."));
        remarks.add(anchor ? "OpenBLAS chose its kernels " + SystemInfo.openBlasCore().map(t -> "by OPENBLAS_CORETYPE=" + t).orElse("itself (OPENBLAS_CORETYPE is not set)") + "."
                : "There is no OpenBLAS here, so its column is empty: install `" + OpenBlas.PACKAGE + "` and measure again.");
        return new BenchReport(Bench.GEMM, List.of(table), remarks, all);
    }

    BenchReport gemv() {
        Table table = new Table("One row times BF16 weights, every weight read once", "threads", "projection", "matrices", "MB", "Java GB/s", "read GB/s", "share of read");
        List<Samples> all = new ArrayList<>();
        for (int threads : run.threads()) {
            for (String[] shape : run.quick() ? VECTOR_SHAPES.subList(0, 1) : VECTOR_SHAPES) {
                Samples s = run.measure(GemvBenchmark.class, Map.of("threads", threads, "shapes", shape[1], "megabytes", run.quick() ? 100 : 600), run.effort(),
                        GemvBenchmark.CANDIDATE, GemvBenchmark.ANCHOR);
                all.add(s);
                double java = s.giga(GemvBenchmark.CANDIDATE, s.note("bytes"));
                double read = s.giga(GemvBenchmark.ANCHOR, s.note("bytes"));
                table.row(threads, shape[0], Cell.of(s.note("matrices"), 0), Cell.of(s.note("bytes") / 1e6, 0), Cell.of(java, 1), Cell.of(read, 1), Cell.percent(java / read));
            }
        }
        return new BenchReport(Bench.GEMV, List.of(table), List.of("Read is the sum of all 32-bit words of the same memory, each thread an equal part.",
                "A layer is its seven projections in turn, as one decoded token reads them."), all);
    }

    private int[] lengths() {
        return run.choose(new int[] {4096, 8192, 16384}, new int[] {4096, 8192}, new int[] {1024});
    }

    private BenchRun.Effort effort(int length) {
        return length > 4096 ? run.effort().slow() : run.effort();
    }

    BenchReport attention() {
        Table table = new Table("Dense causal attention, 8 query and 4 key heads of 256, soft cap 50", "threads", "tokens", "seconds", "Java GFLOP/s", "peak GFLOP/s", "share of peak");
        List<Samples> all = new ArrayList<>();
        for (int threads : run.threads()) {
            for (int length : lengths()) {
                Samples s = run.measure(AttentionBenchmark.class, Map.of("threads", threads, "length", length), effort(length), AttentionBenchmark.CANDIDATE, ComputeBenchmark.PEAK);
                all.add(s);
                double java = s.giga(AttentionBenchmark.CANDIDATE, AttentionData.flops((long) s.note("pairs")));
                table.row(threads, length, Cell.of(s.median(AttentionBenchmark.CANDIDATE), 3), Cell.of(java, 0), Cell.of(s.peak(), 0), Cell.percent(java / s.peak()));
            }
        }
        return new BenchReport(Bench.ATTENTION, List.of(table), List.of("Only pairs that the causal rule allows count, 4 x 256 operations each; the soft cap and the softmax are not counted.",
                "The garbage is collected before every call, outside the clock."), all);
    }

    BenchReport dhsa() {
        Table table = new Table("DHSA over dense, one global layer", "threads", "tokens", "budget", "block", "chunks", "pairs dense / DHSA", "gain, attention alone", "share of pair ratio",
                "gain with selection", "share with selection", "gain with predictor", "share with predictor", "share over 26 layers");
        List<Samples> all = new ArrayList<>();
        for (int threads : run.threads()) {
            for (int length : lengths()) {
                for (int budget : run.choose(new int[] {1024, 2048}, new int[] {1024}, new int[] {256})) {
                    for (int block : run.choose(new int[] {128, 256}, new int[] {256}, new int[] {128})) {
                        Samples s = run.measure(DhsaBenchmark.class, Map.of("threads", threads, "length", length, "budget", budget, "block", block), effort(length).slow(),
                                DhsaBenchmark.DENSE, DhsaBenchmark.SPARSE, DhsaBenchmark.SELECTED, DhsaBenchmark.PREDICTED);
                        all.add(s);
                        Gains g = Gains.of(s);
                        table.row(threads, length, budget, block, Cell.of(s.note("chunks"), 0), Cell.of(g.pairs, 2), Cell.of(g.sparse, 2), Cell.percent(g.sparse / g.pairs),
                                Cell.of(g.selected, 2), Cell.percent(g.selected / g.pairs), Cell.of(g.predicted, 2), Cell.percent(g.predicted / g.pairs), Cell.percent(g.allLayers / g.pairs));
                    }
                }
            }
        }
        return new BenchReport(Bench.DHSA, List.of(table), List.of(
                "The garbage is collected before every call, outside the clock.",
                "A gain is the time of dense attention over that of DHSA; its share is the gain over the exact ratio of the pairs read, the instruction's dense rows included.",
                "\"With selection\": chunk representation, similarity, upsampling and top-k selection inside the clock, what every layer does.",
                "\"With predictor\": boundary predictor (1024 channels, window 4, 8 heads) and suppression too, what the first layer does. Boundaries serve all layers, "
                        + "so the last column spreads the predictor over 26 of them; it is computed from the two times before it."), all);
    }

    /// Times of dense attention over times of DHSA.
    record Gains(double pairs, double sparse, double selected, double predicted, double allLayers) {

        private static final int LAYERS = 26;

        static Gains of(Samples s) {
            double dense = s.median(DhsaBenchmark.DENSE);
            double selected = s.median(DhsaBenchmark.SELECTED);
            double predicted = s.median(DhsaBenchmark.PREDICTED);
            return new Gains(s.note("pairs.dense") / s.note("pairs.sparse"), dense / s.median(DhsaBenchmark.SPARSE), dense / selected, dense / predicted,
                    dense / (selected + (predicted - selected) / LAYERS));
        }
    }
}
