package org.dhsa.eval.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.dhsa.cli.Json;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.Interval;

/// All methods at equal pairs read, best first.
record FieldReport(ResultSet results) implements TaskReport {

    private static final List<String> PHASES = List.of("prompt", "decode");

    /// A method at one share, prompt by prompt.
    ///
    /// @param asked prompts that were tried; on some it may not be able to read so little
    private record Row(String policy, int asked, Map<String, JsonNode> byPrompt) {

        /// Its name, and of how many prompts it is where some are missing.
        String named() {
            return byPrompt.size() == asked ? policy : policy + " (" + byPrompt.size() + " of " + asked + ")";
        }

        Interval of(ToDoubleFunction<JsonNode> value) {
            return Interval.of(byPrompt.values().stream().mapToDouble(value).toArray());
        }

        /// Paired: this minus the other, on the prompts that both have.
        Interval minus(Row other, ToDoubleFunction<JsonNode> value) {
            return Interval.of(byPrompt.entrySet().stream().filter(e -> other.byPrompt.containsKey(e.getKey()))
                    .mapToDouble(e -> value.applyAsDouble(e.getValue()) - value.applyAsDouble(other.byPrompt.get(e.getKey()))).toArray());
        }

        double mean(ToDoubleFunction<JsonNode> value) {
            return byPrompt.values().stream().mapToDouble(value).average().orElse(Double.NaN);
        }
    }

    private static double mass(JsonNode run) {
        return run.path("mass").asDouble();
    }

    private static double share(JsonNode run) {
        return run.path("pairs").asDouble() / run.path("visible").asDouble();
    }

    /// Operations of selecting and of reading, over those of dense attention.
    private static double cost(JsonNode run) {
        return share(run) + run.path("selection_flops").asDouble() / run.path("attention_flops").asDouble();
    }

    private static double field(JsonNode run, String name) {
        return run.path(name).asDouble(Double.NaN);
    }

    /// Best first by attention mass kept.
    private List<Row> rows(String model, String phase, double share) {
        Map<String, Row> rows = new LinkedHashMap<>();
        Map<String, Integer> asked = new HashMap<>();
        results.units().values().stream().filter(u -> u.path("model").asText().equals(model)).forEach(u -> asked.merge(u.path("policy").asText(), 1, Integer::sum));
        for (JsonNode unit : results.units().values()) {
            if (unit.path("model").asText().equals(model)) {
                for (JsonNode run : unit.path("runs")) {
                    if (run.path("phase").asText().equals(phase) && run.path("share").asDouble() == share) {
                        String policy = unit.path("policy").asText();
                        rows.computeIfAbsent(policy, p -> new Row(p, asked.get(p), new LinkedHashMap<>())).byPrompt()
                                .put(unit.path("length").asInt() + "/" + unit.path("depth").asInt() + "/" + unit.path("sample").asInt(), run);
                    }
                }
            }
        }
        return rows.values().stream().sorted(Comparator.comparingDouble((Row r) -> -r.mean(FieldReport::mass)).thenComparing(Row::policy)).toList();
    }

    private List<Double> shares() {
        List<Double> shares = new ArrayList<>();
        results.config().path("shares").forEach(s -> shares.add(s.asDouble()));
        return shares;
    }

    @Override
    public String headline() {
        return "What is kept at equal pairs read";
    }

    @Override
    public String lead() {
        return results.policies().size() + " methods, each turned up prompt by prompt until it reads a given share of the pairs that dense attention reads in the " + layers()
                + "; lengths " + results.lengths().stream().map(String::valueOf).reduce((a, b) -> a + ", " + b).orElse("") + " tokens. "
                + "All see the states of dense attention.";
    }

    private String layers() {
        return results.config().path("layers").asText().equals("global") ? "global layers" : "layers";
    }

    private static String phaseTitle(String phase) {
        return phase.equals("prompt") ? "Choosing in the prompt (new tokens dense)" : "Choosing while decoding (prompt dense)";
    }

    private static final List<String> HEAD = List.of("Method", "Mass kept", "minus DHSA, points", "Recall", "Output error", "KL", "Needle found", "Pairs read", "Operations with selecting");

    private static List<String> cells(Row row, Row dhsa) {
        return List.of(row.named(), row.of(FieldReport::mass).percent(), dhsa == null || dhsa == row ? "" : row.minus(dhsa, FieldReport::mass).points(),
                Html.share(row.mean(r -> field(r, "recall"))), Html.format("%.3f", row.mean(r -> field(r, "output_error"))), Html.format("%.3g", row.mean(r -> field(r, "kl"))),
                row.of(r -> field(r, "score")).percent(), Html.share(row.mean(FieldReport::share)), Html.share(row.mean(FieldReport::cost)));
    }

    private static Row dhsa(List<Row> rows) {
        return rows.stream().filter(r -> r.policy().equals(Contenders.DHSA)).findFirst().orElse(null);
    }

    @Override
    public List<Section> sections() {
        List<Section> sections = new ArrayList<>();
        for (String phase : PHASES) {
            StringBuilder html = new StringBuilder();
            for (String model : results.models()) {
                for (double share : shares()) {
                    List<Row> rows = rows(model, phase, share);
                    html.append(Html.heading(model + ", at most " + Html.share(share) + " of the pairs"));
                    html.append(rows.isEmpty() ? Html.small("No method can read so little.") : Html.table(HEAD, rows.stream().map(r -> cells(r, dhsa(rows))).toList()));
                }
            }
            sections.add(new Section(phaseTitle(phase), "Best first by the attention mass kept, mean over heads, rows and prompts, with its 95 % bootstrap interval; differences are paired by prompt. "
                    + "Where an interval of a difference holds 0 the run does not show which is better. A method that cannot be cut as fine reads less than allowed: see the pairs it read. "
                    + "Operations: reading plus selecting, over those of dense attention. A method is missing where it does not choose or cannot read so little; a number of prompts is said where that holds for some of them only.", html.toString()));
        }
        return sections;
    }

    @Override
    public String text() {
        StringBuilder text = new StringBuilder();
        for (String model : results.models()) {
            for (String phase : PHASES) {
                for (double share : shares()) {
                    List<Row> rows = rows(model, phase, share);
                    text.append(model).append(". ").append(phaseTitle(phase)).append(", at most ").append(Html.share(share)).append(" of the pairs\n");
                    text.append(String.format(Locale.ROOT, "  %-34s %-16s %-16s %8s %8s %8s%n", "method", "mass kept", "minus DHSA", "pairs", "cost", "found"));
                    for (Row row : rows) {
                        List<String> cells = cells(row, dhsa(rows));
                        text.append(String.format(Locale.ROOT, "  %-34s %-16s %-16s %8s %8s %8s%n", cells.get(0), cells.get(1), cells.get(2), cells.get(7), cells.get(8),
                                Html.format("%.0f %%", 100 * row.mean(r -> field(r, "score")))));
                    }
                }
            }
        }
        return text.toString();
    }

    @Override
    public void addTo(ObjectNode json) {
        ArrayNode all = json.withArray("field");
        for (String model : results.models()) {
            for (String phase : PHASES) {
                for (double share : shares()) {
                    List<Row> rows = rows(model, phase, share);
                    for (Row row : rows) {
                        Interval mass = row.of(FieldReport::mass);
                        ObjectNode one = Json.object().put("model", model).put("phase", phase).put("share", share).put("policy", row.policy()).put("prompts", row.byPrompt().size())
                                .put("mass", mass.mean()).put("mass_low", mass.low()).put("mass_high", mass.high());
                        Row dhsa = dhsa(rows);
                        if (dhsa != null && dhsa != row) {
                            Interval difference = row.minus(dhsa, FieldReport::mass);
                            one.put("minus_dhsa", difference.mean()).put("minus_dhsa_low", difference.low()).put("minus_dhsa_high", difference.high());
                        }
                        one.put("recall", row.mean(r -> field(r, "recall"))).put("output_error", row.mean(r -> field(r, "output_error"))).put("kl", row.mean(r -> field(r, "kl")))
                                .put("found", row.mean(r -> field(r, "score"))).put("pairs_share", row.mean(FieldReport::share)).put("cost_share", row.mean(FieldReport::cost));
                        all.add(one);
                    }
                }
            }
        }
    }
}
