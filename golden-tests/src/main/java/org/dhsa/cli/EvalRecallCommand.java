package org.dhsa.cli;

import org.dhsa.eval.ByPolicy;
import org.dhsa.eval.NeedleTask;
import org.dhsa.eval.ResultLog;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// How well keys are chosen: recall of the oracle's keys, attention mass kept, regret, output error.
@Command(name = "recall", mixinStandardHelpOptions = true, sortOptions = false, header = "How well keys are chosen: recall of the oracle's keys, attention mass kept, regret, output error.",
        description = {"", "One line per model, length, policy and budget; means over heads, global and local layers apart. The prompt only, strict setting.", ""})
final class EvalRecallCommand extends EvalByPolicyCommand {

    @Option(names = "--rows", paramLabel = "N", defaultValue = "256", description = "Most rows per head and layer that are looked at. Default: ${DEFAULT-VALUE}.")
    int rows;

    @Override
    void check() {
        if (rows <= 0) {
            throw new BadInput("--rows must be positive, was " + rows + ".");
        }
    }

    @Override
    void measure(ByPolicy task, ResultLog log, NeedleTask.Watcher watcher) {
        task.recall(log, watcher, rows);
    }
}
