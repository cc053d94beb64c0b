package org.dhsa.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.EvalModel;
import org.dhsa.eval.EvalSetup;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.NeedleTask;
import org.dhsa.eval.ProsePrompts;
import org.dhsa.eval.PromptSource;
import org.dhsa.eval.Sweep;
import org.dhsa.eval.ToyPrompts;
import org.dhsa.eval.report.EvalReport;
import org.dhsa.eval.report.TaskReport;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Model.CommandSpec;

/// What the commands of needle tests share: makes the sweep, and says what came out.
final class EvalNeedles {

    private EvalNeedles() {}

    /// @param small    with the sizes of small models where none were given
    /// @param haystack folder of prose, null for the toy language
    static Sweep sweep(NeedlePlan small, Sizes sizes, EvalOptions options, Path haystack, PrintWriter err) throws IOException, WeightsFormatException {
        EvalSetup setup = options.setup(err);
        try {
            NeedlePlan plan = sizes.fit(small, setup.models(), options, err);
            return new NeedleTask(plan, setup, sources(plan, setup, options, haystack, err));
        } catch (Throwable e) {
            setup.close();
            throw e;
        }
    }

    /// The prompts of each model, after a look whether the plan fits it.
    ///
    /// @param haystack folder of prose, null for the toy language
    static List<PromptSource> sources(NeedlePlan plan, EvalSetup setup, EvalOptions options, Path haystack, PrintWriter err) throws IOException {
        List<PromptSource> sources = new ArrayList<>();
        for (EvalModel model : setup.models()) {
            plan.requireFits(model);
            saySizes(plan, model, options, err);
            sources.add(haystack == null ? new ToyPrompts(model.tokenizer(), plan.seed()) : new ProsePrompts(model.tokenizer(), haystack));
        }
        return sources;
    }

    /// Says which sizes a real model is measured with, where they come from a default.
    private static void saySizes(NeedlePlan plan, EvalModel model, EvalOptions options, PrintWriter err) {
        if (!options.json) {
            Contenders.sizes(plan, model).forEach(err::println);
            err.flush();
        }
    }

    /// Names the first broken lines of a file and counts them; the rest goes on.
    static void warnOfBroken(List<String> broken, PrintWriter err) {
        broken.stream().limit(10).forEach(line -> err.println("warning: " + line + "; left out"));
        if (!broken.isEmpty()) {
            err.println("warning: " + broken.size() + (broken.size() == 1 ? " broken line is" : " broken lines are") + " left out.");
            err.flush();
        }
    }

    static int run(SweepCommand command, CommandSpec spec, EvalOptions options) throws IOException, WeightsFormatException {
        return run(command, spec, options, "prompt", "answered_now");
    }

    /// @param unit what a cell is called
    /// @param now  the field of `--json` that says how many cells were computed now
    static int run(SweepCommand command, CommandSpec spec, EvalOptions options, String unit, String now) throws IOException, WeightsFormatException {
        SweepRun run = SweepRun.of(command, spec, options, unit);
        report(run, now, options, spec.commandLine().getOut());
        return 0;
    }

    private static void report(SweepRun run, String now, EvalOptions options, PrintWriter out) throws IOException {
        Path file = run.file();
        EvalReport report = EvalReport.read(List.of(file));
        TaskReport summary = report.tasks().getFirst();
        int units = summary.results().units().size();
        Path page = file.resolveSibling(file.getFileName().toString().replaceFirst("\\.jsonl$", "") + ".html");
        FileOutput.write(page, report.html());
        if (options.json) {
            ObjectNode json = Json.object().put("results", file.toString()).put("page", page.toString()).put(now, run.now());
            summary.addTo(json);
            out.println(Json.pretty(json));
        } else {
            out.print(summary.text());
            out.println();
            out.printf(java.util.Locale.ROOT, "%d results measured in %.0f s, %d in the file.%n", run.now(), run.seconds(), units);
            out.println("Results: " + file.toAbsolutePath().normalize());
            out.println("The page with the pictures: " + page.toAbsolutePath().normalize());
        }
        out.flush();
    }
}
