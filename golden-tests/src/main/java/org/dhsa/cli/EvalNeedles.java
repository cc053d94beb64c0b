package org.dhsa.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dhsa.eval.EvalModel;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.NeedleTask;
import org.dhsa.eval.ProsePrompts;
import org.dhsa.eval.PromptSource;
import org.dhsa.eval.ResultLog;
import org.dhsa.eval.ToyPrompts;
import org.dhsa.eval.report.EvalReport;
import org.dhsa.eval.report.TaskReport;
import org.dhsa.weights.WeightsFormatException;

/// Runs a needle plan, from the command line's point of view: opens models, goes on with an earlier file, shows progress, says what came out.
final class EvalNeedles {

    private EvalNeedles() {}

    /// @param haystack folder of prose, null for the toy language
    static int run(NeedlePlan plan, EvalOptions options, Path haystack, PrintWriter out, PrintWriter err) throws IOException, WeightsFormatException {
        options.workerCount();
        options.shard();
        options.requireBackend();
        List<EvalModel> models = options.open(err);
        try {
            List<PromptSource> sources = new ArrayList<>();
            for (EvalModel model : models) {
                plan.requireFits(model);
                sources.add(haystack == null ? new ToyPrompts(model.tokenizer(), plan.seed()) : new ProsePrompts(model.tokenizer(), haystack));
            }
            Path file = options.file(plan.task());
            NeedleTask task = new NeedleTask(plan, models, sources, options.backends(), options.shard(), options.workerCount());
            long begun = System.nanoTime();
            try (Progress progress = Progress.on(err, options.json); ResultLog log = ResultLog.open(file, task.config(options.backend))) {
                sayGoingOn(log, options, err);
                Progress.Task line = progress.task(plan.task());
                int now = task.run(log, (done, of) -> line.at("prompt", done, of));
                progress.clear();
                report(file, now, (System.nanoTime() - begun) / 1e9, options, out);
            }
        } finally {
            models.forEach(EvalModel::close);
        }
        return 0;
    }

    static void sayGoingOn(ResultLog log, EvalOptions options, PrintWriter err) {
        if (!log.results().isEmpty() && !options.json) {
            err.println("Going on with " + log.file() + ": " + log.results().size() + " prompts are there.");
            err.flush();
        }
    }

    /// The page beside the results, and what came out in short.
    static void report(Path file, int now, double seconds, EvalOptions options, PrintWriter out) throws IOException {
        EvalReport report = EvalReport.read(List.of(file));
        TaskReport summary = report.tasks().getFirst();
        int prompts = summary.results().units().size();
        Path page = file.resolveSibling(file.getFileName().toString().replaceFirst("\\.jsonl$", "") + ".html");
        FileOutput.write(page, report.html());
        if (options.json) {
            ObjectNode json = Json.object().put("results", file.toString()).put("page", page.toString()).put("answered_now", now);
            summary.addTo(json);
            out.println(Json.pretty(json));
        } else {
            out.print(summary.text());
            out.println();
            out.printf(java.util.Locale.ROOT, "%d results measured in %.0f s, %d in the file.%n", now, seconds, prompts);
            out.println("Results: " + file.toAbsolutePath().normalize());
            out.println("The page with the pictures: " + page.toAbsolutePath().normalize());
        }
        out.flush();
    }
}
