package org.dhsa.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.dhsa.demo.Provenance;
import org.dhsa.eval.EvalModel;
import org.dhsa.eval.EvalSetup;
import org.dhsa.eval.NeedlePlan;
import org.dhsa.eval.Sweep;
import org.dhsa.eval.TaskSweep;
import org.dhsa.eval.task.LongBenchData;
import org.dhsa.eval.task.LongBenchTask;
import org.dhsa.eval.task.PromptFrame;
import org.dhsa.eval.task.ScorerRecordings;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// LongBench's English tasks, from its files.
@Command(name = "longbench", mixinStandardHelpOptions = true, sortOptions = false,
        header = "LongBench: the English tasks, with the published prompts, output lengths and scorers.",
        description = {"", "DIR holds LongBench's files, one JSON object per line: narrativeqa.jsonl, qasper.jsonl, ...",
            "Nothing is downloaded. The default is the eleven tasks of the DHSA paper; trec, passage_count,",
            "passage_retrieval_en, lcc and repobench-p are there too. A broken line is named by file and line,",
            "counted and left out. With a real Gemma 2:",
            "", "  ./dhsa eval longbench --model DIR --data DIR --policies dense,dhsa:block=128 --budgets 2048", "",
            "--check-scorers FILE compares recorded scores of the published scorers with this program's, and measures",
            "nothing. Formats, scorers and what scores are worth: docs/eval-tasks.md.", ""})
final class EvalLongbenchCommand implements Callable<Integer>, SweepCommand {

    /// The cap of the authors' runs with Gemma 2.
    private static final int PAPER_TOKENS = 7950;

    @Option(names = "--data", paramLabel = "DIR", description = "Folder with TASK.jsonl files.")
    Path data;

    @Option(names = "--tasks", paramLabel = "NAME,NAME", split = ",", description = "Default: those of the paper's eleven that are there.")
    List<String> tasks;

    @Option(names = "--examples", paramLabel = "N", description = "Only the first N good lines of each file; more may be added to a finished run. Default: all.")
    Integer examples;

    @Option(names = "--max-tokens", paramLabel = "N", description = {"Prompts of more tokens keep their first and last N/2. "
            + "Default: 7950, as in the paper's runs, or what the model has less the answer."})
    Integer maxTokens;

    @Option(names = "--new-tokens", paramLabel = "N", description = "Most tokens of an answer, where that is fewer than published. Default: as published, 32 to 512.")
    Integer newTokens;

    @Option(names = "--check-scorers", paramLabel = "FILE", description = "Compare recorded scores (JSON, see docs/eval-tasks.md) with this program's; nothing is measured.")
    Path recordings;

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
        if (data == null) {
            throw new BadInput("--data is missing: name the folder that holds LongBench's files, like narrativeqa.jsonl.");
        }
        positive("--examples", examples);
        positive("--max-tokens", maxTokens);
        positive("--new-tokens", newTokens);
        List<LongBenchTask> asked = tasks == null ? List.of() : tasks.stream().map(LongBenchTask::of).distinct().toList();
        NeedlePlan small = answers.plan("longbench", List.of(1), 1, options.seed);
        LongBenchData read = LongBenchData.read(data, asked);
        EvalNeedles.warnOfBroken(read.broken(), err);
        if (!read.missing().isEmpty()) {
            err.println("Not there, so not measured: " + String.join(", ", read.missing()) + ".");
            err.flush();
        }
        EvalSetup setup = options.setup(err);
        try {
            int longest = read.examples().keySet().stream().mapToInt(t -> newTokens == null ? t.newTokens() : Math.min(newTokens, t.newTokens())).max().orElseThrow();
            int room = setup.models().stream().mapToInt(m -> m.model().config().maxPositionEmbeddings()).min().orElseThrow() - longest;
            if (room <= 0 || maxTokens != null && maxTokens > room) {
                throw new BadInput("--max-tokens: a prompt of " + (maxTokens == null ? "any length" : maxTokens + " tokens") + " and an answer of " + longest
                        + " are more than a model was made for. Give at most " + Math.max(room, 0) + (room <= 0 ? " and fewer --new-tokens." : ", or fewer --new-tokens."));
            }
            int most = maxTokens == null ? Math.min(PAPER_TOKENS, room) : maxTokens;
            NeedlePlan plan = answers.sizes(small.lengths()).fit(small, setup.models(), options, err);
            for (EvalModel model : setup.models()) {
                plan.requireFits(model);
            }
            return new TaskSweep(plan, setup, about(read, most, setup.models()), units(read, most, setup.models()));
        } catch (Throwable e) {
            setup.close();
            throw e;
        }
    }

    private static void positive(String option, Integer value) {
        if (value != null && value <= 0) {
            throw new BadInput(option + " must be positive, was " + value + ".");
        }
    }

    private List<TaskSweep.Unit> units(LongBenchData read, int most, List<EvalModel> models) {
        List<TaskSweep.Unit> units = new ArrayList<>();
        for (int m = 0; m < models.size(); m++) {
            EvalModel model = models.get(m);
            PromptFrame plain = PromptFrame.plain(model.tokenizer());
            PromptFrame frame = answers.chat ? PromptFrame.chat(model.tokenizer()) : plain;
            for (Map.Entry<LongBenchTask, List<LongBenchTask.Example>> entry : read.examples().entrySet()) {
                LongBenchTask task = entry.getKey();
                List<LongBenchTask.Example> lines = entry.getValue();
                for (int i = 0; i < lines.size() && (examples == null || i < examples); i++) {
                    LongBenchTask.Example example = lines.get(i);
                    ObjectNode head = Json.object().put("task", task.name()).put("line", example.line()).put("sample", i);
                    units.add(new TaskSweep.Unit(m, m + "/" + task.name() + "/" + example.line(), head,
                            () -> task.prompt(example, most, newTokens == null ? task.newTokens() : newTokens, model.tokenizer(), plain, frame)));
                }
            }
        }
        // Example by example, so that a stopped run has measured every task about equally often.
        units.sort(java.util.Comparator.comparingInt(u -> u.head().path("sample").asInt()));
        return units;
    }

    private ObjectNode about(LongBenchData read, int most, List<EvalModel> models) {
        ObjectNode about = Json.object();
        ArrayNode names = about.putArray("tasks");
        ObjectNode counts = about.putObject("examples");
        read.examples().forEach((task, lines) -> {
            names.add(task.name());
            counts.put(task.name(), lines.size());
        });
        about.put("data", read.fingerprint()).put("broken_lines", read.broken().size()).put("max_tokens", most).put("chat", answers.chat);
        if (newTokens != null) {
            about.put("new_tokens", newTokens);
        }
        ArrayNode worth = about.putArray("worth");
        if (!read.broken().isEmpty()) {
            worth.add(read.broken().size() + (read.broken().size() == 1 ? " broken line is" : " broken lines are") + " left out.");
        }
        if (newTokens != null) {
            worth.add("Answers have at most " + newTokens + " tokens (--new-tokens): scores are not comparable with published ones.");
        }
        if (models.stream().anyMatch(m -> m.provenance() != Provenance.OTHER)) {
            worth.add("The small models of this project speak no English: their LongBench scores show that the code runs from file to score, and nothing about a policy.");
        }
        return about;
    }

    @Override
    public Integer call() throws IOException, WeightsFormatException {
        return recordings != null ? checkScorers() : EvalNeedles.run(this, spec, options);
    }

    private int checkScorers() throws IOException {
        ScorerRecordings checked = ScorerRecordings.check(recordings);
        PrintWriter out = spec.commandLine().getOut();
        if (options.json) {
            ObjectNode json = Json.object();
            ObjectNode agreed = json.putObject("agreed");
            checked.agreed().forEach(agreed::put);
            ArrayNode wrong = json.putArray("wrong");
            checked.wrong().forEach(wrong::add);
            out.println(Json.pretty(json));
        } else {
            checked.agreed().forEach((scorer, records) -> out.println(scorer + ": " + records + " agree"));
            checked.wrong().forEach(out::println);
            out.println(checked.wrong().isEmpty() ? "All recorded scores agree." : checked.wrong().size() + " do not agree.");
        }
        out.flush();
        return checked.wrong().isEmpty() ? 0 : 1;
    }
}
