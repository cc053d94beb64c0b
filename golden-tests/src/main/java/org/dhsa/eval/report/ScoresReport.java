package org.dhsa.eval.report;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.dhsa.cli.Json;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.Interval;
import org.dhsa.eval.NeedleTask;

/// RULER and LongBench: a score for every task and policy, their mean over the tasks, paired differences, pairs read.
///
/// The mean is over tasks, not over prompts: every task weighs the same, as in the published tables.
record ScoresReport(EvalSummary summary) implements TaskReport {

    static ScoresReport of(ResultSet results) {
        return new ScoresReport(EvalSummary.of(results));
    }

    @Override
    public ResultSet results() {
        return summary.results();
    }

    @Override
    public String headline() {
        return results().task().equals("ruler") ? "RULER: tasks made to length" : "LongBench: tasks from documents";
    }

    @Override
    public String lead() {
        return summary.prompts() + " prompts of " + tasks().size() + " tasks, each answered by " + summary.policies().size() + " policies at budgets of "
                + summary.budgets().stream().map(String::valueOf).collect(Collectors.joining(" and ")) + " keys."
                + (lengths().isEmpty() ? " Prompts of more than " + results().config().path("max_tokens").asText() + " tokens are cut in the middle."
                : " Lengths " + lengths().stream().map(String::valueOf).collect(Collectors.joining(", ")) + " tokens.");
    }

    @Override
    public List<String> notes() {
        List<String> notes = new ArrayList<>(results().texts("worth"));
        notes.addAll(summary.notes());
        return notes;
    }

    private List<String> tasks() {
        return results().texts("tasks");
    }

    /// Empty where prompts have the length they have.
    private List<Integer> lengths() {
        return results().lengths();
    }

    private static Predicate<com.fasterxml.jackson.databind.JsonNode> of(String task) {
        return unit -> unit.path("task").asText().equals(task);
    }

    private Interval mean(EvalSummary.Group group, Predicate<com.fasterxml.jackson.databind.JsonNode> wanted) {
        return Interval.ofMeans(tasks().stream().map(task -> group.scores(of(task).and(wanted))).toList());
    }

    private Interval minus(EvalSummary.Group group, EvalSummary.Group other) {
        return Interval.ofMeans(tasks().stream().map(task -> group.differences(other, of(task))).toList());
    }

    @Override
    public List<Section> sections() {
        List<Section> sections = new ArrayList<>(List.of(
                new Section("Scores by task", "Mean over the tasks with its 95 % bootstrap interval, then every task by itself; in percent. Prompts per task: "
                        + tasks().stream().map(t -> t + " " + prompts(t)).collect(Collectors.joining(", ")) + ".", each(this::scores)),
                new Section("Paired differences and what was read", "Differences are taken prompt by prompt and averaged as the scores are, in percentage points with their 95 % bootstrap "
                        + "interval; where the interval holds 0 the run does not show which is better. Pairs: share of the query-key pairs that dense attention reads, "
                        + "all heads, counted by the attention stages.", each(this::differences))));
        if (!lengths().isEmpty()) {
            sections.add(new Section("Scores by length", "Mean over the tasks, in percent. Columns: tokens of the prompt and its answer.", each(this::byLength)));
        }
        return sections;
    }

    private long prompts(String task) {
        return results().units().values().stream().filter(of(task)).count();
    }

    private interface Part {
        String of(String model, String setting, int budget);
    }

    private String each(Part part) {
        StringBuilder html = new StringBuilder();
        for (String model : summary.models()) {
            for (String setting : summary.settings()) {
                html.append(Html.heading(model + ", " + EvalSummary.said(setting)));
                summary.budgets().forEach(budget -> html.append(Html.small("Budget " + budget)).append(part.of(model, setting, budget)));
            }
        }
        return html.toString();
    }

    private String scores(String model, String setting, int budget) {
        List<String> head = new ArrayList<>(List.of("Policy", "Mean"));
        head.addAll(tasks());
        List<List<String>> rows = new ArrayList<>();
        for (String policy : summary.policies()) {
            EvalSummary.Group group = summary.group(model, setting, budget, policy);
            List<String> row = new ArrayList<>(List.of(policy, mean(group, u -> true).percent()));
            tasks().forEach(task -> row.add(one(Interval.of(group.scores(of(task))))));
            rows.add(row);
        }
        return Html.table(head, rows);
    }

    private String differences(String model, String setting, int budget) {
        EvalSummary.Group dhsa = summary.group(model, setting, budget, Contenders.DHSA);
        List<List<String>> rows = new ArrayList<>();
        for (String policy : summary.policies()) {
            EvalSummary.Group group = summary.group(model, setting, budget, policy);
            rows.add(List.of(policy, policy.equals(Contenders.DHSA) ? "" : minus(dhsa, group).points(), group.kl().number(), Html.share(group.share("global", u -> true)),
                    Html.share(group.share("local", u -> true)), Html.share(group.share("decode", u -> true))));
        }
        return Html.table(List.of("Policy", "DHSA minus it", "KL", "Global pairs", "Local pairs", "Decode pairs"), rows);
    }

    private String byLength(String model, String setting, int budget) {
        List<String> head = new ArrayList<>(List.of("Policy"));
        lengths().forEach(length -> head.add(String.valueOf(length)));
        List<List<String>> rows = new ArrayList<>();
        for (String policy : summary.policies()) {
            EvalSummary.Group group = summary.group(model, setting, budget, policy);
            List<String> row = new ArrayList<>(List.of(policy));
            lengths().forEach(length -> row.add(one(mean(group, u -> u.path("length").asInt() == length))));
            rows.add(row);
        }
        return Html.table(head, rows);
    }

    private static String one(Interval interval) {
        return interval.units() == 0 ? "none" : Html.format("%.1f", 100 * interval.mean());
    }

    @Override
    public String text() {
        StringBuilder text = new StringBuilder();
        for (String model : summary.models()) {
            for (String setting : summary.settings()) {
                for (int budget : summary.budgets()) {
                    text.append(String.format(Locale.ROOT, "%n%s, %s, budget %d%n", model, EvalSummary.said(setting), budget));
                    EvalSummary.Group dhsa = summary.group(model, setting, budget, Contenders.DHSA);
                    for (String policy : summary.policies()) {
                        EvalSummary.Group group = summary.group(model, setting, budget, policy);
                        String versus = summary.policies().contains(Contenders.DHSA) && !policy.equals(Contenders.DHSA) ? "  DHSA minus it " + minus(dhsa, group).points() : "";
                        text.append(String.format(Locale.ROOT, "  %-22s %-18s  pairs read %5.1f %%%s%n", policy, mean(group, u -> true).percent(), 100 * group.share("global", u -> true), versus));
                        text.append("    ").append(tasks().stream().map(task -> task + " " + one(Interval.of(group.scores(of(task))))).collect(Collectors.joining(", "))).append('\n');
                    }
                }
            }
        }
        notes().forEach(note -> text.append('\n').append(note).append('\n'));
        return text.toString();
    }

    @Override
    public void addTo(ObjectNode json) {
        json.put("prompts", json.path("prompts").asInt() + summary.prompts());
        ArrayNode worth = json.withArray("worth");
        results().texts("worth").forEach(worth::add);
        ArrayNode rows = json.withArray("accuracy");
        for (EvalSummary.Group group : summary.groups()) {
            ObjectNode row = group.json();
            row.set("score", NeedleTask.json(mean(group, u -> true)));
            ObjectNode byTask = row.putObject("tasks");
            tasks().stream().filter(task -> !group.scores(of(task)).isEmpty()).forEach(task -> byTask.put(task, NeedleTask.rounded(Interval.of(group.scores(of(task))).mean())));
            rows.add(row);
        }
    }
}
