package org.dhsa.cli;

import java.util.List;
import org.dhsa.eval.ByPolicy;
import org.dhsa.eval.EvalSetup;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.PromptSource;
import org.dhsa.eval.Sweep;
import picocli.CommandLine.Command;

/// What a run costs in time and memory: time to the first token, decode rate, peak heap and off-heap memory.
@Command(name = "latency", mixinStandardHelpOptions = true, sortOptions = false, header = "What a run costs in time and memory: time to the first token, decode rate, peak heap and off-heap memory.",
        description = {"", "By length, policy and budget, strict setting, one thread, each run once to warm up and once timed. Nothing else should run meanwhile. For careful timing use ./dhsa bench.", ""})
final class EvalLatencyCommand extends EvalByPolicyCommand {

    @Override
    Sweep sweep(NeedlePlan plan, EvalSetup setup, List<PromptSource> sources) {
        return ByPolicy.latency(plan, setup, sources);
    }
}
