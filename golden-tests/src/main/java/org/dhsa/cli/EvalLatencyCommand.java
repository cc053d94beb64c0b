package org.dhsa.cli;

import org.dhsa.eval.ByPolicy;
import org.dhsa.eval.NeedleTask;
import org.dhsa.eval.ResultLog;
import picocli.CommandLine.Command;

/// What a run costs in time and memory: time to the first token, decode rate, peak heap and off-heap memory.
@Command(name = "latency", mixinStandardHelpOptions = true, sortOptions = false, header = "What a run costs in time and memory: time to the first token, decode rate, peak heap and off-heap memory.",
        description = {"", "By length, policy and budget, strict setting, one thread, each run once to warm up and once timed. Nothing else should run meanwhile. For careful timing use ./dhsa bench.", ""})
final class EvalLatencyCommand extends EvalByPolicyCommand {

    @Override
    void measure(ByPolicy task, ResultLog log, NeedleTask.Watcher watcher) {
        task.latency(log, watcher);
    }
}
