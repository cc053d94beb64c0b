package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.EvalModel;
import org.dhsa.eval.EvalSetup;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.PromptSource;
import org.dhsa.eval.Setting;
import org.dhsa.eval.Sweep;
import org.dhsa.eval.ToyPrompts;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// What measures policy by policy, one line of results each: which prompts, models and policies, and where results go.
abstract class EvalByPolicyCommand implements Callable<Integer>, SweepCommand {

    @Option(names = "--lengths", paramLabel = "N,N", split = ",", description = "Tokens of the prompt and an answer together. Default: 256,512,1024,2048.")
    List<Integer> lengths = EvalQuickCommand.LENGTHS;

    @Option(names = "--samples", paramLabel = "N", defaultValue = "1", description = "Prompts per length. Default: ${DEFAULT-VALUE}.")
    int samples;

    @Option(names = "--policies", paramLabel = "NAME,NAME", split = ",", description = "As in eval niah. Default: the six of eval quick.")
    List<String> policies = EvalQuickCommand.POLICIES;

    @Option(names = "--budgets", paramLabel = "N,N", split = ",", description = "Keys that a query may read. Default: 64,128.")
    List<Integer> budgets = EvalQuickCommand.BUDGETS;

    @Mixin
    EvalOptions options;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    /// Makes the sweep of one prompt, policy and budget after the other.
    abstract Sweep sweep(NeedlePlan plan, EvalSetup setup, List<PromptSource> sources);

    /// Says what is wrong with the command's own options, before anything is opened.
    void check() {}

    @Override
    public Sweep sweep(PrintWriter err) throws IOException, WeightsFormatException {
        check();
        NeedlePlan plan = new NeedlePlan(spec.name(), lengths, List.of(50), List.of(1), samples, Contenders.split(policies), budgets, List.of(Setting.STRICT), "all", options.seed);
        EvalSetup setup = options.setup(err);
        try {
            List<PromptSource> sources = new ArrayList<>();
            for (EvalModel model : setup.models()) {
                plan.requireFits(model);
                sources.add(new ToyPrompts(model.tokenizer(), plan.seed()));
            }
            return sweep(plan, setup, sources);
        } catch (Throwable e) {
            setup.close();
            throw e;
        }
    }

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        SweepRun run = SweepRun.of(this, spec, options, "run");
        PrintWriter output = spec.commandLine().getOut();
        if (options.json) {
            var json = Json.object().put("results", run.file().toString());
            var rows = json.putArray("rows");
            run.results().forEach(rows::add);
            output.println(Json.pretty(json));
        } else {
            run.results().forEach(r -> output.println(Json.compact(r)));
            output.println("Results: " + run.file().toAbsolutePath().normalize());
        }
        output.flush();
        return 0;
    }
}
