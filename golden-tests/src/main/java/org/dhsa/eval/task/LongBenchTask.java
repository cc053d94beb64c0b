package org.dhsa.eval.task;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dhsa.cli.BadInput;
import org.dhsa.cli.Json;
import org.dhsa.weights.Tokenizer;

/// An English task of LongBench (arXiv 2308.14508): its prompt, output length and scorer, as published.
///
/// @param name      as its file is named, without `.jsonl`
/// @param template  with `{context}`, most with `{input}`
/// @param newTokens most tokens of an answer
/// @param inPaper   among the eleven of the DHSA paper's table
/// @param firstLine only the first line of an answer is judged
/// @param stopsAtNewLine a new line ends the answer
/// @param chat      asked as a turn of a chat where the model is a chat model; the tasks with examples and with code never are
public record LongBenchTask(String name, String template, int newTokens, Metric metric, boolean inPaper, boolean firstLine, boolean stopsAtNewLine, boolean chat) {

    private static final Map<String, LongBenchTask> ALL = load();

    /// How answers are scored.
    public enum Metric {
        F1("f1"), ROUGE_L("rouge-l"), CLASSIFICATION("classification"), RETRIEVAL("retrieval"), COUNT("count"), CODE("code");

        private final String slug;

        Metric(String slug) {
            this.slug = slug;
        }

        public String slug() {
            return slug;
        }

        /// One response and one right answer, from 0 to 1.
        double of(String response, String answer, List<String> classes) {
            return switch (this) {
                case F1 -> Scorers.tokenF1(response, answer);
                case ROUGE_L -> RougeL.f(response, answer);
                case CLASSIFICATION -> Scorers.classification(response, answer, classes);
                case RETRIEVAL -> Scorers.retrieval(response, answer);
                case COUNT -> Scorers.count(response, answer);
                case CODE -> Scorers.codeSimilarity(response, answer);
            };
        }
    }

    /// One line of a task's file.
    ///
    /// @param line    from 1
    /// @param input   the question; empty where the prompt has none
    /// @param answers all right ones
    /// @param classes names of all classes, empty where there are none
    public record Example(int line, String context, String input, List<String> answers, List<String> classes) {}

    private static Map<String, LongBenchTask> load() {
        try (InputStream in = LongBenchTask.class.getResourceAsStream("longbench.json")) {
            Map<String, LongBenchTask> all = new LinkedHashMap<>();
            for (Map.Entry<String, JsonNode> entry : Json.MAPPER.readTree(in).path("tasks").properties()) {
                JsonNode said = entry.getValue();
                Metric metric = java.util.Arrays.stream(Metric.values()).filter(m -> m.slug.equals(said.path("metric").asText())).findFirst().orElseThrow();
                all.put(entry.getKey(), new LongBenchTask(entry.getKey(), said.path("prompt").asText(), said.path("newTokens").asInt(), metric, said.path("paper").asBoolean(),
                        said.path("firstLine").asBoolean(), said.path("stopsAtNewLine").asBoolean(), said.path("chat").asBoolean(true)));
            }
            return Collections.unmodifiableMap(all);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public static List<LongBenchTask> all() {
        return List.copyOf(ALL.values());
    }

    /// The eleven of the DHSA paper, in the order of its table.
    public static List<LongBenchTask> ofThePaper() {
        return ALL.values().stream().filter(LongBenchTask::inPaper).toList();
    }

    /// @throws BadInput with the nearest names
    public static LongBenchTask of(String name) {
        LongBenchTask task = ALL.get(name.strip());
        if (task == null) {
            throw new BadInput(RulerTask.unknown("LongBench", name, List.copyOf(ALL.keySet())));
        }
        return task;
    }

    /// @throws IllegalArgumentException naming the field that is missing or wrong
    Example parse(JsonNode object, int line) {
        String context = JsonLines.text(object, "context");
        String input = template.contains("{input}") ? JsonLines.text(object, "input") : "";
        List<String> answers = JsonLines.texts(object, "answers");
        List<String> classes = metric == Metric.CLASSIFICATION ? JsonLines.texts(object, "all_classes") : List.of();
        if (metric == Metric.RETRIEVAL) {
            answers.forEach(answer -> Scorers.retrieval("", answer));
        }
        return new Example(line, context, input, answers, classes);
    }

    /// The best score over the right answers, from 0 to 1.
    public double score(String response, List<String> answers, List<String> classes) {
        String judged = firstLine ? Scorers.firstLine(response) : response;
        return answers.stream().mapToDouble(answer -> metric.of(judged, answer, classes)).max().orElse(0);
    }

    /// The prompt of one example. A prompt of more than `maxTokens` keeps its first and last ⌊maxTokens / 2⌋ tokens: decoded, put
    /// together and encoded again, so that a few more or fewer may come of it.
    ///
    /// @param plain without a chat's turns
    /// @param chat  the frame for tasks that are asked as a chat; the same as `plain` where the model is none
    /// @param most  tokens of the answer, the published number or fewer
    public TaskPrompt prompt(Example example, int maxTokens, int most, Tokenizer tokenizer, PromptFrame plain, PromptFrame chat) {
        PromptFrame frame = this.chat ? chat : plain;
        int at = template.indexOf("{context}");
        String head = template.substring(0, at).replace("{input}", example.input());
        String tail = template.substring(at + "{context}".length()).replace("{input}", example.input());
        String before = head + example.context();
        int[] all = tokenizer.encodeWithBos(before + tail);
        if (all.length > maxTokens) {
            int half = maxTokens / 2;
            String kept = tokenizer.decode(java.util.Arrays.copyOf(all, half)) + tokenizer.decode(java.util.Arrays.copyOfRange(all, all.length - half, all.length));
            // The tail is whole unless it alone is longer than half.
            tail = kept.endsWith(tail) ? tail : "";
            before = kept.substring(0, kept.length() - tail.length());
        }
        Set<Integer> stops = new java.util.HashSet<>(frame.stopIds());
        if (stopsAtNewLine) {
            int[] newLine = tokenizer.encode("\n");
            stops.add(newLine[newLine.length - 1]);
        }
        return TaskPrompt.free(frame.frame(before, tail, ""), Math.min(most, newTokens), stops, response -> score(response, example.answers(), example.classes()));
    }
}
