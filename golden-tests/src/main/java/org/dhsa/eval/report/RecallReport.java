package org.dhsa.eval.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.Interval;
import org.dhsa.eval.NeedleTask;
import org.dhsa.eval.RecallTask;

/// How well keys are chosen: recall, mass, regret and output error, global and local layers apart, and layer by layer.
record RecallReport(ResultSet results) implements TaskReport {

    private static final List<String> KINDS = List.of("global", "local");

    @Override
    public String headline() {
        return "How well keys are chosen";
    }

    @Override
    public String lead() {
        return results.units().size() + " prompts of " + results.lengths().stream().map(String::valueOf).collect(Collectors.joining(", "))
                + " tokens, every position sparse, at most " + results.config().path("rows").asInt() + " rows per head and layer looked at.";
    }

    @Override
    public List<Section> sections() {
        return List.of(
                new Section("How well keys are chosen", "Recall: share of the keys read that are among as many best ones. Mass: true attention weight on the keys read. Regret: what the best choice "
                        + "of as many keys would hold on top. Error: of the head's output, relative. Means over heads and prompts with their 95 % bootstrap interval over prompts; "
                        + "differences are paired by prompt. A row that reads all it sees is perfect whatever the policy: \"full rows\" says how many were.", tables()),
                new Section("Mass kept, by length", "Global layers; means over heads and prompts.", lengths()),
                new Section("Layer by layer", "Means over heads and prompts. Local layers are marked.", layers()));
    }

    private String tables() {
        StringBuilder html = new StringBuilder();
        for (String model : results.models()) {
            for (String kind : KINDS) {
                html.append(Html.heading(model + ", " + kind + " layers"));
                for (int budget : results.budgets()) {
                    RunGroup dhsa = group(model, Contenders.DHSA, budget);
                    List<List<String>> rows = new ArrayList<>();
                    for (String policy : sparse()) {
                        RunGroup group = group(model, policy, budget);
                        boolean versus = !policy.equals(Contenders.DHSA) && !dhsa.runs().isEmpty();
                        rows.add(List.of(policy, percent(group, kind, "recall"), percent(group, kind, "mass"), percent(group, kind, "regret"), percent(group, kind, "output_error"),
                                versus ? dhsa.minus(group, "/" + kind + "/recall").points() : "", versus ? dhsa.minus(group, "/" + kind + "/mass").points() : "",
                                versus ? dhsa.minus(group, "/" + kind + "/output_error").points() : "", percent(group.mean("/" + kind + "/full_rows").mean()), read(group, kind)));
                    }
                    html.append(Html.small("Budget " + budget)).append(Html.table(List.of("Policy", "Recall", "Mass", "Regret", "Error", "DHSA minus it: recall", "mass", "error",
                            "Full rows", "Pairs read"), rows));
                }
            }
        }
        return html.toString();
    }

    private String lengths() {
        StringBuilder html = new StringBuilder();
        for (String model : results.models()) {
            List<String> head = new ArrayList<>(List.of("Policy, budget"));
            results.lengths().forEach(l -> head.add(String.valueOf(l)));
            List<List<String>> rows = new ArrayList<>();
            for (RunGroup all : RunGroup.of(results, RunGroup.model(model))) {
                if (all.budget() > 0) {
                    List<String> row = new ArrayList<>(List.of(all.label()));
                    results.lengths().forEach(l -> row.add(percent(RunGroup.of(results, RunGroup.model(model).and(u -> u.path("length").asInt() == l), all.policy(), all.budget()),
                            "global", "mass")));
                    rows.add(row);
                }
            }
            html.append(Html.heading(model)).append(Html.table(head, rows));
        }
        return html.toString();
    }

    private String layers() {
        StringBuilder html = new StringBuilder();
        for (String model : results.models()) {
            html.append(Html.heading(model));
            Map<Integer, String> kinds = kinds(model);
            for (String measure : RecallTask.MEASURES) {
                html.append("<details").append(measure.equals("mass") ? " open" : "").append("><summary>").append(name(measure)).append("</summary>");
                List<String> head = new ArrayList<>(List.of("Policy, budget"));
                kinds.forEach((layer, kind) -> head.add(layer + (kind.equals("local") ? " local" : "")));
                List<List<String>> rows = new ArrayList<>();
                for (RunGroup group : RunGroup.of(results, RunGroup.model(model))) {
                    if (group.budget() > 0) {
                        List<String> row = new ArrayList<>(List.of(group.label()));
                        kinds.keySet().forEach(layer -> row.add(percent(layerMean(group, layer, measure))));
                        rows.add(row);
                    }
                }
                html.append(Html.table(head, rows)).append("</details>");
            }
        }
        return html.toString();
    }

    private static double layerMean(RunGroup group, int layer, String measure) {
        return group.runs().values().stream().flatMap(r -> r.path("layers").valueStream()).filter(l -> l.path("layer").asInt() == layer)
                .mapToDouble(l -> l.path(measure).asDouble()).average().orElse(Double.NaN);
    }

    /// Local or global, by layer.
    private Map<Integer, String> kinds(String model) {
        Map<Integer, String> kinds = new TreeMap<>();
        results.units().values().stream().filter(RunGroup.model(model)).flatMap(u -> u.path("runs").valueStream()).flatMap(r -> r.path("layers").valueStream())
                .forEach(l -> kinds.put(l.path("layer").asInt(), l.path("kind").asText()));
        return kinds;
    }

    private List<String> sparse() {
        return results.policies().stream().filter(p -> !p.equals(Contenders.DENSE)).toList();
    }

    private RunGroup group(String model, String policy, int budget) {
        return RunGroup.of(results, RunGroup.model(model), policy, budget);
    }

    private static String percent(RunGroup group, String kind, String measure) {
        Interval i = group.mean("/" + kind + "/" + measure);
        return i.units() == 0 ? "none" : Html.format("%.1f %% [%.1f, %.1f]", 100 * i.mean(), 100 * i.low(), 100 * i.high()).replaceAll("-0\\.0(?!\\d)", "0.0");
    }

    private static String percent(double share) {
        return Double.isNaN(share) ? "none" : Html.format("%.1f %%", 100 * share);
    }

    private static String read(RunGroup group, String kind) {
        long read = 0;
        long visible = 0;
        for (JsonNode run : group.runs().values()) {
            read += run.path(kind).path("pairs").path(0).asLong();
            visible += run.path(kind).path("pairs").path(1).asLong();
        }
        return Html.share(visible == 0 ? Double.NaN : (double) read / visible);
    }

    private static String name(String measure) {
        return switch (measure) {
            case "output_error" -> "Output error";
            default -> measure.substring(0, 1).toUpperCase(Locale.ROOT) + measure.substring(1);
        };
    }

    @Override
    public String text() {
        StringBuilder text = new StringBuilder();
        for (String model : results.models()) {
            for (String kind : KINDS) {
                for (int budget : results.budgets()) {
                    text.append(Html.format("%n%s, %s layers, budget %d%n", model, kind, budget));
                    RunGroup dhsa = group(model, Contenders.DHSA, budget);
                    for (String policy : sparse()) {
                        RunGroup group = group(model, policy, budget);
                        String versus = policy.equals(Contenders.DHSA) || dhsa.runs().isEmpty() ? "" : "  DHSA's mass minus it " + dhsa.minus(group, "/" + kind + "/mass").points();
                        text.append(Html.format("  %-16s recall %-22s mass %-22s error %-22s%s%n", policy, percent(group, kind, "recall"), percent(group, kind, "mass"),
                                percent(group, kind, "output_error"), versus));
                    }
                }
            }
        }
        return text.toString();
    }

    @Override
    public void addTo(ObjectNode json) {
        ArrayNode rows = json.withArray("recall");
        for (String model : results.models()) {
            for (RunGroup group : RunGroup.of(results, RunGroup.model(model))) {
                for (String kind : group.budget() == 0 ? List.<String>of() : KINDS) {
                    ObjectNode row = rows.addObject().put("model", model).put("policy", group.policy()).put("budget", group.budget()).put("layers", kind);
                    RecallTask.MEASURES.forEach(measure -> row.set(measure, NeedleTask.json(group.mean("/" + kind + "/" + measure))));
                }
            }
        }
    }
}
