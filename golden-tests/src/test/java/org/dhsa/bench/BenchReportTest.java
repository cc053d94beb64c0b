package org.dhsa.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dhsa.bench.Table.Cell;
import org.junit.jupiter.api.Test;

/// Tables, markers and the arithmetic of the ratios.
class BenchReportTest {

    private final Table table = new Table("Speeds", "threads", "shape", "share of peak").row(1, "q", Cell.percent(0.914)).row(2, "gate, up", Cell.percent(Double.NaN));

    @Test
    void aTableIsAlignedTextAndMarkdownAndJson() {
        assertThat(table.text()).isEqualTo("""
                  threads  shape     share of peak
                        1  q                   91%
                        2  gate, up              –
                """);
        assertThat(table.markdown()).isEqualTo("""
                | threads | shape | share of peak |
                |---:|---|---:|
                | 1 | q | 91% |
                | 2 | gate, up | – |
                """);
        assertThat(table.json().get(0).get("share_of_peak").doubleValue()).isEqualTo(0.914);
        assertThat(table.json().get(1).get("share_of_peak").textValue()).isEqualTo("–");
        assertThatThrownBy(() -> table.row(1)).hasMessage("1 cells for 3 columns");
    }

    @Test
    void theMedianIsTheMiddleOrTheMeanOfTheTwoMiddleOnes() {
        assertThat(Samples.median(3, 1, 200)).isEqualTo(3);
        assertThat(Samples.median(4, 1, 2, 200)).isEqualTo(3);
        assertThat(Samples.median()).isNaN();
    }

    @Test
    void ratesAndThePeakComeFromMedians() {
        Samples s = new Samples("GemmBenchmark", Map.of(), Map.of("project", new double[] {2, 1, 9}, "peak", new double[] {0.5}), Map.of("peakFlops", "1.0E9"));
        assertThat(s.giga("project", 8e9)).isEqualTo(4);
        assertThat(s.peak()).isEqualTo(2);
        assertThat(s.giga("openBlas", 1)).isNaN();
        assertThat(s.note("pairs")).isNaN();
    }

    @Test
    void theGainIsHeldAgainstTheRatioOfPairs() {
        Samples s = new Samples("DhsaBenchmark", Map.of(), Map.of("dense", new double[] {10}, "sparse", new double[] {2}, "selected", new double[] {2.5}, "predicted", new double[] {5.1}),
                Map.of("pairs.dense", "600", "pairs.sparse", "100"));
        KernelBenches.Gains g = KernelBenches.Gains.of(s);
        assertThat(g.pairs()).isEqualTo(6);
        assertThat(g.sparse()).isEqualTo(5);
        assertThat(g.selected()).isEqualTo(4);
        assertThat(g.predicted()).isCloseTo(10 / 5.1, within(1e-12));
        assertThat(g.allLayers()).isCloseTo(10 / 2.6, within(1e-12));
    }

    @Test
    void threeShotsAreWarmUpFirstAndSecondOfEveryRound() {
        double[] shots = {8, 1.5, 1, 9, 1.7, 1.2};
        assertThat(ModelBenches.every(shots, WarmStartBenchmark.WARM_UP)).isEqualTo(8.5);
        assertThat(ModelBenches.every(shots, WarmStartBenchmark.FIRST)).isEqualTo(1.6);
        assertThat(ModelBenches.every(shots, WarmStartBenchmark.SECOND)).isEqualTo(1.1);
    }

    @Test
    void sharesAreSortedAndSmallOnesLeftOut() {
        assertThat(Table.shares(Map.of("feed-forward", 60.0, "rms-norm", 0.1, "dense-attention", 39.9))).isEqualTo("feed-forward 60%, dense-attention 40%");
    }

    @Test
    void aSectionIsReplacedBetweenItsMarkersAndNothingElseChanges() {
        String page = "# B\n\n<!-- bench:gemm -->\nold\n<!-- /bench:gemm -->\n\ntail  \n";
        assertThat(MarkedSection.replace(page, "gemm", "Unused", "new\n\n")).isEqualTo("# B\n\n<!-- bench:gemm -->\nnew\n<!-- /bench:gemm -->\n\ntail  \n");
    }

    @Test
    void aSectionWithoutMarkersIsAddedAtTheEndAndFoundTheNextTime() {
        String added = MarkedSection.replace("# B\n", "gemv", "Vectors", "one");
        assertThat(added).isEqualTo("# B\n\n## Vectors\n\n<!-- bench:gemv -->\none\n<!-- /bench:gemv -->\n");
        assertThat(MarkedSection.replace(added, "gemv", "Vectors", "two")).isEqualTo(added.replace("one", "two"));
    }

    @Test
    void halfAMarkerIsRefused() {
        for (String page : List.of("<!-- bench:gemm -->", "<!-- /bench:gemm -->", "<!-- /bench:gemm --><!-- bench:gemm -->",
                "<!-- bench:gemm --><!-- bench:gemm --><!-- /bench:gemm -->")) {
            assertThatThrownBy(() -> MarkedSection.replace(page, "gemm", "h", "c")).as(page).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void aReportSaysMachineCommitAndCommand() {
        SystemInfo system = new SystemInfo("Some CPU", 2, 16L << 30, "Linux 6 amd64", "25.0.1", "Vector API, 512 bit", "abc-dirty", LocalDate.of(2026, 1, 2), Optional.of("SKYLAKEX"));
        assertThat(system.line(List.of(1, 2))).isEqualTo(
                "Some CPU, 2 cores, 16 GiB; Linux 6 amd64; JDK 25.0.1; Vector API, 512 bit; 1 and 2 threads; OPENBLAS_CORETYPE=SKYLAKEX; commit abc-dirty; 2026-01-02");
        BenchReport report = new BenchReport(Bench.GEMM, List.of(table), List.of("A remark."), List.of());
        assertThat(report.markdown(system.line(List.of(1)), "./dhsa bench gemm")).contains("| 1 | q | 91% |", "* A remark.\n\nSome CPU", "Measured by `./dhsa bench gemm`.");
        assertThat(report.text()).contains("Speeds\n", "  * A remark.");
        assertThat(report.json().get("tables").get("Speeds")).hasSize(2);
    }

    @Test
    void aProcessorThatHidesItsNameIsToldApartByItsModel() {
        assertThat(SystemInfo.modelName(List.of("cpu family\t: 6", "model\t\t: 207", "model name\t: Intel(R) Xeon(R) Processor", "stepping\t: 2")))
                .contains("Intel(R) Xeon(R) Processor (family 6, model 207, stepping 2)");
        assertThat(SystemInfo.modelName(List.of("model\t\t: 1", "model name\t: AMD Ryzen 9"))).contains("AMD Ryzen 9");
    }

    @Test
    void jlamaTellsSecondsAmongOtherThings() {
        Jlama.Result result = Jlama.parse("WARNING: x\noperations=Native SIMD Operations\nseconds=1.5\nseconds=2.5\n");
        assertThat(result.seconds()).containsExactly(1.5, 2.5);
        assertThat(result.operations()).isEqualTo("Native SIMD Operations");
    }
}
