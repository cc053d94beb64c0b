package org.dhsa.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.dhsa.eval.ByPolicy;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.EvalModel;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.NeedleTask;
import org.dhsa.eval.PromptSource;
import org.dhsa.eval.ResultLog;
import org.dhsa.eval.Setting;
import org.dhsa.eval.ToyPrompts;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// What measures policy by policy, one line of results each: which prompts, models and policies, and where results go.
abstract class EvalByPolicyCommand implements Callable<Integer> {

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

    /// Measures what the log does not hold yet.
    abstract void measure(ByPolicy task, ResultLog log, NeedleTask.Watcher watcher);

    /// Says what is wrong with the command's own options, before anything is opened.
    void check() {}

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        check();
        String name = spec.name();
        PrintWriter output = spec.commandLine().getOut();
        NeedlePlan plan = new NeedlePlan(name, lengths, List.of(50), List.of(1), samples, Contenders.split(policies), budgets, List.of(Setting.STRICT), "all", options.seed);
        options.shard();
        options.requireBackend();
        List<EvalModel> models = options.open(spec.commandLine().getErr());
        try {
            List<PromptSource> sources = new ArrayList<>();
            for (EvalModel model : models) {
                plan.requireFits(model);
                sources.add(new ToyPrompts(model.tokenizer(), plan.seed()));
            }
            Path file = options.file(name);
            ByPolicy task = new ByPolicy(plan, models, sources, options.backends(), options.shard());
            JsonNode config = new NeedleTask(plan, models, sources, options.backends(), options.shard(), 1).config(options.backend);
            try (Progress progress = Progress.on(spec.commandLine().getErr(), options.json); ResultLog log = ResultLog.open(file, config.deepCopy())) {
                Progress.Task line = progress.task(name);
                measure(task, log, (done, of) -> line.at("run", done, of));
                progress.clear();
                if (options.json) {
                    var json = Json.object().put("results", file.toString());
                    var rows = json.putArray("rows");
                    log.results().forEach(rows::add);
                    output.println(Json.pretty(json));
                } else {
                    log.results().forEach(r -> output.println(Json.compact(r)));
                    output.println("Results: " + file.toAbsolutePath().normalize());
                }
                output.flush();
            }
        } finally {
            models.forEach(EvalModel::close);
        }
        return 0;
    }
}
