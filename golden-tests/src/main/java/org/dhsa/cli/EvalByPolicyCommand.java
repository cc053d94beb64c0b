package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.EvalSetup;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.Setting;
import org.dhsa.eval.Sweep;
import org.dhsa.eval.UnitRuns;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// What measures every policy on a prompt, one line of results for each: which prompts, models and policies, and where results go.
abstract class EvalByPolicyCommand implements Callable<Integer>, SweepCommand {

    @Option(names = "--haystack", paramLabel = "DIR", description = "Folder of .txt files (UTF-8). Default: the toy language.")
    Path haystack;

    @Option(names = "--lengths", paramLabel = "N,N", split = ",", description = "Tokens of the prompt and an answer together. Default: 256,512,1024,2048; where every model has a window of 1024 or more, 4096,8192.")
    List<Integer> lengths;

    @Option(names = "--samples", paramLabel = "N", defaultValue = "1", description = "Prompts per length and depth. Default: ${DEFAULT-VALUE}.")
    int samples;

    @Option(names = "--policies", paramLabel = "NAME,NAME", split = ",", description = "As in eval niah. Default: the six of eval quick.")
    List<String> policies = EvalQuickCommand.POLICIES;

    @Option(names = "--budgets", paramLabel = "N,N", split = ",", description = "Keys that a query may read. Default: 64,128; where every model has a window of 1024 or more, 1024,2048.")
    List<Integer> budgets;

    @Mixin
    EvalOptions options;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    /// Makes the sweep of one prompt after the other.
    abstract Sweep sweep(UnitRuns units);

    /// Percent of the haystack before the needle.
    abstract List<Integer> depths();

    /// Cells for each prompt.
    int repeats() {
        return 1;
    }

    /// Says what is wrong with the command's own options, before anything is opened.
    void check() {}

    @Override
    public Sweep sweep(PrintWriter err) throws IOException, WeightsFormatException {
        check();
        Sizes sizes = new Sizes(lengths, budgets);
        NeedlePlan small = new NeedlePlan(spec.name(), sizes.lengthsOr(EvalQuickCommand.LENGTHS), depths(), List.of(1), samples, Contenders.split(policies),
                sizes.budgetsOr(EvalQuickCommand.BUDGETS), List.of(Setting.STRICT), "all", options.seed);
        EvalSetup setup = options.setup(err);
        try {
            NeedlePlan plan = sizes.fit(small, setup.models(), options, err);
            return sweep(new UnitRuns(plan, setup, EvalNeedles.sources(plan, setup, options, haystack, err), repeats()));
        } catch (Throwable e) {
            setup.close();
            throw e;
        }
    }

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        return EvalNeedles.run(this, spec, options);
    }
}
