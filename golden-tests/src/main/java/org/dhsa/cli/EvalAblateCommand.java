package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.Setting;
import org.dhsa.eval.Sweep;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// Which part of DHSA does what: one part changed at a time, on the same prompts.
@Command(name = "ablate", mixinStandardHelpOptions = true, sortOptions = false,
        header = "Ablations of DHSA, one part changed at a time: chunks, aggregation, heads, query side, sharing.",
        description = {"", "Needle prompts as in eval niah. Every difference is paired: DHSA minus the variant, on the same prompts.", ""})
final class EvalAblateCommand implements Callable<Integer>, SweepCommand {

    @Option(names = "--lengths", paramLabel = "N,N", split = ",", description = "Tokens of prompt and answer together. Default: 1024; where every model has a window of 1024 or more, 4096,8192.")
    List<Integer> lengths;

    @Option(names = "--depths", paramLabel = "N,N", split = ",", description = "Percent of the haystack before the needle. Default: 0,25,50,75,100.")
    List<Integer> depths = EvalQuickCommand.DEPTHS;

    @Option(names = "--samples", paramLabel = "N", defaultValue = "2", description = "Prompts per cell. Default: ${DEFAULT-VALUE}.")
    int samples;

    @Option(names = "--policies", paramLabel = "NAME,NAME", split = ",", description = "Default: all variants that have a short name.")
    List<String> policies = Contenders.ablations();

    @Option(names = "--budgets", paramLabel = "N,N", split = ",", description = "Keys that a query may read. Default: 128; where every model has a window of 1024 or more, 1024,2048.")
    List<Integer> budgets;

    @Option(names = "--settings", paramLabel = "NAME,NAME", split = ",", description = "authors, strict, question-dense, decode-dense; see eval niah. Default: strict.")
    List<Setting> settings = List.of(Setting.STRICT);

    @Mixin
    EvalOptions options;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public Sweep sweep(PrintWriter err) throws IOException, WeightsFormatException {
        Sizes sizes = new Sizes(lengths, budgets);
        NeedlePlan plan = new NeedlePlan("ablate", sizes.lengthsOr(List.of(1024)), depths, List.of(1), samples, Contenders.split(policies), sizes.budgetsOr(List.of(128)), settings, "all",
                options.seed);
        return EvalNeedles.sweep(plan, sizes, options, null, err);
    }

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        return EvalNeedles.run(this, spec, options);
    }
}
