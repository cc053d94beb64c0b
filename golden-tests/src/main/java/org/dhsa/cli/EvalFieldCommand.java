package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.EvalModel;
import org.dhsa.eval.EvalSetup;
import org.dhsa.eval.FieldPlan;
import org.dhsa.eval.FieldSweep;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.PromptSource;
import org.dhsa.eval.Setting;
import org.dhsa.eval.Sweep;
import org.dhsa.eval.ToyPrompts;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// Every method at equal pairs read.
@Command(name = "field", mixinStandardHelpOptions = true, sortOptions = false,
        header = "All methods at equal pairs read, ranked by what they keep, the cost of selecting included.",
        description = {"", "Each policy is turned up, prompt by prompt, until it reads as many query-key pairs as allowed. What it then reads is compared with the true attention, on the",
            "states of dense attention, and the needle is asked for. Methods that choose in the prompt and those that choose while decoding are ranked apart.", ""})
final class EvalFieldCommand implements Callable<Integer>, SweepCommand {

    @Option(names = "--lengths", paramLabel = "N,N", split = ",", description = "Tokens of prompt and answer together. Default: 512,1024.")
    List<Integer> lengths = List.of(512, 1024);

    @Option(names = "--depths", paramLabel = "N,N", split = ",", description = "Percent of the haystack before the needle. Default: 10,50,90.")
    List<Integer> depths = List.of(10, 50, 90);

    @Option(names = "--samples", paramLabel = "N", defaultValue = "2", description = "Prompts per cell. Default: ${DEFAULT-VALUE}.")
    int samples;

    @Option(names = "--policies", paramLabel = "NAME,NAME", split = ",", description = "As in eval niah; budgets and thresholds in a name are turned. Default: one of every method.")
    List<String> policies = Contenders.field();

    @Option(names = "--shares", paramLabel = "X,X", split = ",", description = "Share of the pairs that dense attention reads. Default: 0.1,0.2.")
    List<Double> shares = List.of(0.1, 0.2);

    @Option(names = "--layers", paramLabel = "WHICH", defaultValue = "global", description = "Layers that the policies rule and pairs are counted in: global, or all. Default: ${DEFAULT-VALUE}.")
    String layers;

    @Option(names = "--rows", paramLabel = "N", defaultValue = "256", description = "Most rows per head and layer that are looked at. Default: ${DEFAULT-VALUE}.")
    int rows;

    @Mixin
    EvalOptions options;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public Sweep sweep(PrintWriter err) throws IOException, WeightsFormatException {
        FieldPlan plan = new FieldPlan(new NeedlePlan("field", lengths, depths, List.of(1), samples, Contenders.split(policies), List.of(1), List.of(Setting.STRICT), layers,
                options.seed), shares, rows);
        EvalSetup setup = options.setup(err);
        try {
            List<PromptSource> sources = new ArrayList<>();
            for (EvalModel model : setup.models()) {
                plan.needles().requireLengths(model.name(), model.model().config().maxPositionEmbeddings());
                FieldSweep.require(plan, model);
                sources.add(new ToyPrompts(model.tokenizer(), plan.needles().seed()));
            }
            return new FieldSweep(plan, setup, sources);
        } catch (Throwable e) {
            setup.close();
            throw e;
        }
    }

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        return EvalNeedles.run(this, spec, options, "cell", "computed_now");
    }
}
