package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.Setting;
import org.dhsa.eval.Sweep;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// The whole comparison in small.
@Command(name = "quick", mixinStandardHelpOptions = true, sortOptions = false,
        header = "The whole comparison in minutes: six policies, four lengths, five depths, two budgets, both small models, both settings.",
        description = {"", "With --samples 2 this is the run behind docs/findings.md. Its prompts are fixed by the seed; the same command gives the same results.", ""})
final class EvalQuickCommand implements Callable<Integer>, SweepCommand {

    static final List<Integer> LENGTHS = List.of(256, 512, 1024, 2048);
    static final List<Integer> DEPTHS = List.of(0, 25, 50, 75, 100);
    static final List<Integer> BUDGETS = List.of(64, 128);
    static final List<String> POLICIES = List.of("dense", "dhsa", "block-sparse", "sliding", "streaming", "oracle");

    @Option(names = "--samples", paramLabel = "N", defaultValue = "1", description = "Prompts per cell; more may be added to a finished run. Default: ${DEFAULT-VALUE}.")
    int samples;

    @Option(names = "--lengths", paramLabel = "N,N", split = ",", description = "Tokens of prompt and answer together. Default: 256,512,1024,2048; where every model has a window of 1024 or more, 4096,8192.")
    List<Integer> lengths;

    @Mixin
    EvalOptions options;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public Sweep sweep(PrintWriter err) throws IOException, WeightsFormatException {
        Sizes sizes = new Sizes(lengths, null);
        NeedlePlan plan = new NeedlePlan("quick", sizes.lengthsOr(LENGTHS), DEPTHS, List.of(1), samples, POLICIES, BUDGETS, Setting.USUAL, "all", options.seed);
        return EvalNeedles.sweep(plan, sizes, options, null, err);
    }

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        return EvalNeedles.run(this, spec, options);
    }
}
