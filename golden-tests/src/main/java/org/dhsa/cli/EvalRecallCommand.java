package org.dhsa.cli;

import java.util.List;
import org.dhsa.eval.RecallTask;
import org.dhsa.eval.Sweep;
import org.dhsa.eval.UnitRuns;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// How well keys are chosen: recall of the oracle's keys, attention mass kept, regret, output error.
@Command(name = "recall", mixinStandardHelpOptions = true, sortOptions = false, header = "How well keys are chosen: recall of the oracle's keys, attention mass kept, regret, output error.",
        description = {"", "One line per prompt with every policy and budget; global and local layers apart, and layer by layer. The prompt only, strict setting.", ""})
final class EvalRecallCommand extends EvalByPolicyCommand {

    @Option(names = "--depths", paramLabel = "N,N", split = ",", description = "Percent of the haystack before the needle. Default: 0,25,50,75,100.")
    List<Integer> depths = EvalQuickCommand.DEPTHS;

    @Option(names = "--rows", paramLabel = "N", defaultValue = "256", description = "Most rows per head and layer that are looked at. Default: ${DEFAULT-VALUE}.")
    int rows;

    @Override
    void check() {
        if (rows <= 0) {
            throw new BadInput("--rows must be positive, was " + rows + ".");
        }
    }

    @Override
    List<Integer> depths() {
        return depths;
    }

    @Override
    Sweep sweep(UnitRuns units) {
        return new RecallTask(units, rows);
    }
}
