package org.dhsa.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.EvalModel;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.NeedleTask;
import org.dhsa.eval.PromptSource;
import org.dhsa.eval.ProsePrompts;
import org.dhsa.eval.ResultLog;
import org.dhsa.eval.Setting;
import org.dhsa.eval.ToyPrompts;
import org.dhsa.eval.UnitRuns;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// What measures policy by policy on one backend: which prompts, models and policies, and where results go.
abstract class EvalByPolicyCommand implements Callable<Integer> {

    @Option(names = "--haystack", paramLabel = "DIR", description = "Folder of .txt files (UTF-8). Default: the toy language.")
    Path haystack;

    @Option(names = "--lengths", paramLabel = "N,N", split = ",", description = "Tokens of the prompt and an answer together. Default: 256,512,1024,2048.")
    List<Integer> lengths = EvalQuickCommand.LENGTHS;

    @Option(names = "--samples", paramLabel = "N", defaultValue = "1", description = "Prompts per length and depth. Default: ${DEFAULT-VALUE}.")
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

    /// What is measured: its configuration, and the running of what the log does not hold yet.
    interface Task {
        ObjectNode config(String backend);

        int run(ResultLog log, NeedleTask.Watcher watcher);
    }

    abstract Task task(UnitRuns units);

    /// Percent of the haystack before the needle.
    abstract List<Integer> depths();

    /// Lines for each prompt.
    int repeats() {
        return 1;
    }

    /// Says what is wrong with the command's own options, before anything is opened.
    void check() {}

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        check();
        String name = spec.name();
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        NeedlePlan plan = new NeedlePlan(name, lengths, depths(), List.of(1), samples, Contenders.split(policies), budgets, List.of(Setting.STRICT), "all", options.seed);
        options.shard();
        options.requireBackend();
        List<EvalModel> models = options.open(err);
        try {
            List<PromptSource> sources = new ArrayList<>();
            for (EvalModel model : models) {
                plan.requireFits(model);
                sources.add(haystack == null ? new ToyPrompts(model.tokenizer(), plan.seed()) : new ProsePrompts(model.tokenizer(), haystack));
            }
            Path file = options.file(name);
            Task task = task(new UnitRuns(plan, models, sources, options.backends(), options.shard(), repeats()));
            long begun = System.nanoTime();
            try (Progress progress = Progress.on(err, options.json); ResultLog log = ResultLog.open(file, task.config(options.backend))) {
                EvalNeedles.sayGoingOn(log, options, err);
                Progress.Task line = progress.task(name);
                int now = task.run(log, (done, of) -> line.at("run", done, of));
                progress.clear();
                EvalNeedles.report(file, now, (System.nanoTime() - begun) / 1e9, options, out);
            }
        } finally {
            models.forEach(EvalModel::close);
        }
        return 0;
    }
}
