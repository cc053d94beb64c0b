package org.dhsa.cli;

import java.util.List;
import org.dhsa.eval.ByPolicy;
import org.dhsa.eval.EvalSetup;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.PromptSource;
import org.dhsa.eval.Sweep;
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
    Sweep sweep(NeedlePlan plan, EvalSetup setup, List<PromptSource> sources) {
        return ByPolicy.recall(plan, setup, sources, rows);
    }
}
