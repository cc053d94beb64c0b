package org.dhsa.cli;

import java.util.List;
import java.util.Optional;
import org.dhsa.bench.SystemInfo;
import org.dhsa.eval.LatencyTask;
import org.dhsa.eval.Sweep;
import org.dhsa.eval.UnitRuns;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// What a run costs in time and memory: time to the first token, decode rate, peaks of memory.
@Command(name = "latency", mixinStandardHelpOptions = true, sortOptions = false,
        header = "What a run costs in time and memory: time to the first token, decode rate, memory of heap, outside and device.",
        description = {"", "By length, policy and budget, strict setting, one thread. In every repetition each policy runs once, in turning order, after one untimed run of each.",
            "A further pass of each, with clocks inside, splits a prompt's time: predict, score, select, attend, other.",
            "What the cost model says is kept beside it. Nothing else should run meanwhile. For careful timing use ./dhsa bench.", ""})
final class EvalLatencyCommand extends EvalByPolicyCommand {

    @Option(names = "--repeats", paramLabel = "N", defaultValue = "5", description = "Timed repetitions; more may be added to a finished run. Default: ${DEFAULT-VALUE}.")
    int repeats;

    @Override
    List<Integer> depths() {
        return List.of(50);
    }

    @Override
    int repeats() {
        return repeats;
    }

    @Override
    void check() {
        if (repeats <= 0) {
            throw new BadInput("--repeats must be positive, was " + repeats + ".");
        }
    }

    @Override
    Sweep sweep(UnitRuns units) {
        SystemInfo system = SystemInfo.of(Home.find().root(), Optional.empty());
        return new LatencyTask(units, system.cpu() + ", " + system.cores() + (system.cores() == 1 ? " core" : " cores") + ", JDK " + system.jdk() + device());
    }

    /// The device of a backend that has one, in its own words.
    private String device() {
        return Backends.describe(options.backend).filter(d -> options.backend.equals(Backends.DEVICE)).map(d -> ", device " + d).orElse("");
    }
}
