package org.dhsa.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.dhsa.demo.Provenance;
import org.dhsa.eval.EvalModel;
import org.dhsa.eval.EvalSetup;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.Prose;
import org.dhsa.eval.Sweep;
import org.dhsa.eval.TaskSweep;
import org.dhsa.eval.task.PromptFrame;
import org.dhsa.eval.task.QaFile;
import org.dhsa.eval.task.RulerPrompts;
import org.dhsa.eval.task.RulerTask;
import org.dhsa.eval.task.TaskPrompts;
import org.dhsa.eval.task.ToyRulerPrompts;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// RULER's tasks, made to any length.
@Command(name = "ruler", mixinStandardHelpOptions = true, sortOptions = false,
        header = "RULER: needles of many kinds, variable tracking, common and frequent words, questions; made to length.",
        description = {"", "Tasks: niah_single_1 to _3, niah_multikey_1 to _3, niah_multivalue, niah_multiquery, vt, cwe, fwe, qa.",
            "Scored by string match as published. The small models of this project get the needle tasks in their toy",
            "language; on what that language cannot say, their scores tell nothing about a policy.",
            "With a real Gemma 2, in English and with prose as haystack:",
            "", "  ./dhsa eval ruler --model DIR --haystack DIR --lengths 4096 --policies dense,dhsa:block=128 --budgets 1024", "",
            "--qa FILE: one JSON object per line, {\"question\": TEXT, \"answers\": [TEXT], \"documents\": [TEXT]}.",
            "The documents of the other questions fill the prompt up. A broken line is named and left out.",
            "Formats, scores and what they are worth: docs/eval-tasks.md.", ""})
final class EvalRulerCommand implements Callable<Integer>, SweepCommand {

    @Option(names = "--tasks", paramLabel = "NAME,NAME", split = ",", description = {"Default: all but qa, and qa too with --qa; for the small models those that the toy language "
            + "can say."})
    List<String> tasks;

    @Option(names = "--haystack", paramLabel = "DIR", description = "Folder of .txt files (UTF-8) for the needle tasks; English for all models.")
    Path haystack;

    @Option(names = "--qa", paramLabel = "FILE", description = "Questions for the task qa, JSON lines.")
    Path qa;

    @Option(names = "--lengths", paramLabel = "N,N", split = ",", description = "Tokens of prompt and answer together. Default: 256,512,1024,2048; where every model has a window of 1024 or more, 4096,8192.")
    List<Integer> lengths;

    @Option(names = "--samples", paramLabel = "N", defaultValue = "3", description = "Prompts per task and length. Default: ${DEFAULT-VALUE}.")
    int samples;

    @Mixin
    AnswerOptions answers;

    @Mixin
    EvalOptions options;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public Sweep sweep(PrintWriter err) throws IOException, WeightsFormatException {
        NeedlePlan small = answers.plan("ruler", lengths, samples, options.seed);
        List<RulerTask> asked = tasks == null ? null : tasks.stream().map(RulerTask::of).distinct().toList();
        if (qa == null && asked != null && asked.contains(RulerTask.QA)) {
            throw new BadInput("--tasks: qa asks questions from a file. Name it with --qa FILE (one JSON object per line with question, answers and documents).");
        }
        QaFile questions = qa == null ? null : QaFile.read(qa);
        if (questions != null) {
            EvalNeedles.warnOfBroken(questions.broken(), err);
        }
        Prose prose = haystack == null ? null : Prose.read(haystack);
        EvalSetup setup = options.setup(err);
        try {
            boolean toy = haystack == null && setup.models().stream().anyMatch(EvalRulerCommand::speaksToy);
            if (toy && answers.chat) {
                throw new BadInput("--chat: the small models of this project know no chat. Leave --chat away, or name a chat model of Gemma with --model.");
            }
            List<RulerTask> measured = asked != null ? asked : Arrays.stream(RulerTask.values())
                    .filter(t -> t == RulerTask.QA ? qa != null : !toy || t.inToyLanguage()).toList();
            NeedlePlan plan = answers.sizes(lengths).fit(small, setup.models(), options, err);
            List<TaskPrompts> prompts = new ArrayList<>();
            for (EvalModel model : setup.models()) {
                plan.requireFits(model);
                PromptFrame frame = answers.chat ? PromptFrame.chat(model.tokenizer()) : PromptFrame.plain(model.tokenizer());
                String source = (prose == null ? "no prose" : prose.fingerprint()) + (questions == null ? "" : ", questions " + questions.fingerprint());
                TaskPrompts english = new RulerPrompts(frame, plan.seed(), prose == null ? List.of() : prose.sentences(), questions, source);
                prompts.add(haystack == null && speaksToy(model) ? new ToyRulerPrompts(model.tokenizer(), plan.seed(), english) : english);
            }
            return new TaskSweep(plan, setup, about(measured, prompts, setup.models()), units(plan, measured, prompts));
        } catch (Throwable e) {
            setup.close();
            throw e;
        }
    }

    /// A prompt of every task and length is made at once, so that what cannot be made is said before any work.
    private static List<TaskSweep.Unit> units(NeedlePlan plan, List<RulerTask> tasks, List<TaskPrompts> prompts) {
        List<TaskSweep.Unit> units = new ArrayList<>();
        for (int sample = 0; sample < plan.samples(); sample++) {
            for (int model = 0; model < prompts.size(); model++) {
                for (RulerTask task : tasks) {
                    for (int length : plan.lengths()) {
                        TaskPrompts from = prompts.get(model);
                        int number = sample;
                        if (sample == 0) {
                            from.prompt(task, length, 0);
                        }
                        ObjectNode head = Json.object().put("task", task.slug()).put("length", length).put("sample", sample);
                        units.add(new TaskSweep.Unit(model, model + "/" + task.slug() + "/" + length + "/" + sample, head, () -> from.prompt(task, length, number)));
                    }
                }
            }
        }
        return units;
    }

    private static ObjectNode about(List<RulerTask> tasks, List<TaskPrompts> prompts, List<EvalModel> models) {
        ObjectNode about = Json.object();
        ArrayNode names = about.putArray("tasks");
        tasks.forEach(t -> names.add(t.slug()));
        about.put("haystack", prompts.stream().map(TaskPrompts::fingerprint).distinct().collect(Collectors.joining("; ")));
        ArrayNode worth = about.putArray("worth");
        if (models.stream().anyMatch(EvalRulerCommand::speaksToy)) {
            boolean inToy = prompts.stream().anyMatch(p -> p instanceof ToyRulerPrompts);
            List<RulerTask> known = inToy ? tasks.stream().filter(RulerTask::inToyLanguage).toList() : List.of();
            if (!known.isEmpty()) {
                worth.add("The small models were trained on needles of this kind, so these tasks show which keys a policy keeps, on these models and in this language: " + said(known) + ".");
            }
            if (inToy && tasks.contains(RulerTask.NIAH_MULTIVALUE)) {
                worth.add("niah_multivalue: the small models were trained to give one value and stop, so 25 % is the most that can be expected; it says nothing about a policy.");
            }
            List<RulerTask> unknown = tasks.stream().filter(t -> !known.contains(t) && !(inToy && t == RulerTask.NIAH_MULTIVALUE)).toList();
            if (!unknown.isEmpty()) {
                worth.add("The small models were never trained on what " + said(unknown) + " ask, in English or with UUIDs: their scores show that the code runs and nothing about a policy.");
            }
        }
        return about;
    }

    private static String said(List<RulerTask> tasks) {
        return tasks.stream().map(RulerTask::slug).collect(Collectors.joining(", "));
    }

    private static boolean speaksToy(EvalModel model) {
        return model.provenance() != Provenance.OTHER;
    }

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        return EvalNeedles.run(this, spec, options);
    }
}
