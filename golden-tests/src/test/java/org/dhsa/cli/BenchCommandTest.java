package org.dhsa.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.dhsa.bench.Bench;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class BenchCommandTest {

    @Test
    void namesAreBenchesInTheirOrder() {
        assertThat(BenchCommand.benches(List.of("dhsa", "GEMM", "dhsa"))).containsExactly(Bench.GEMM, Bench.DHSA);
        assertThat(BenchCommand.benches(List.of("opencl"))).containsExactly(Bench.OPENCL);
        assertThat(BenchCommand.benches(List.of("all"))).containsExactly(Bench.values());
        assertThatThrownBy(() -> BenchCommand.benches(List.of("gem"))).isInstanceOf(BadInput.class).hasMessageContaining("did you mean gem");
    }

    @Test
    void threadsAreCounts() {
        assertThat(BenchCommand.threadCounts(List.of(1, 2, 1))).containsExactly(1, 2);
        assertThat(BenchCommand.threadCounts(null)).startsWith(1);
        assertThatThrownBy(() -> BenchCommand.threadCounts(List.of(0))).isInstanceOf(BadInput.class).hasMessageContaining("--threads");
    }

    @Test
    void theCommandIsParsed() {
        CommandLine.ParseResult parsed = Main.commandLine().parseArgs("bench", "gemm", "attention", "--threads", "1,2", "--quick", "--json", "a.json", "--write", "b.md");
        BenchCommand command = (BenchCommand) parsed.subcommand().commandSpec().userObject();
        assertThat(command.names).containsExactly("gemm", "attention");
        assertThat(command.threads).containsExactly(1, 2);
        assertThat(command.quick).isTrue();
    }

    @Test
    void whatCannotBeUsedIsSaidBeforeAnythingRuns() {
        assertThat(Cli.run("bench", "nothing").code()).isEqualTo(2);
        assertThat(Cli.run("bench", "gemm", "--threads", "x").code()).isEqualTo(2);
        Cli.Result noModel = Cli.run("bench", "decode", "--model", "no-such-folder");
        assertThat(noModel.code()).isEqualTo(2);
        assertThat(noModel.err()).contains("no-such-folder");
    }
}
