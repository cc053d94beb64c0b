package org.dhsa.eval.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.dhsa.eval.Interval;
import org.dhsa.eval.KindsSummary;
import org.dhsa.eval.KindsSummary.Row;

/// How chunks fall on each kind of text, and what DHSA then reads: chunk statistics, recall and regret by kind and chunking.
record KindsReport(ResultSet results) implements TaskReport {

    @Override
    public String headline() {
        return "Chunks by kind of text";
    }

    @Override
    public String lead() {
        JsonNode config = results.config();
        return results.units().size() + " texts of " + config.path("length").asInt() + " tokens, " + kinds().size() + (kinds().size() == 1 ? " kind" : " kinds") + ", each cut in "
                + chunkings().size() + (chunkings().size() == 1 ? " way" : " ways") + "; " + config.path("policy").asText() + ", budget " + config.path("budget").asInt() + ", strict setting.";
    }

    @Override
    public List<String> notes() {
        return results.units().isEmpty() ? List.of("Nothing is measured yet. Give the same command again.") : List.of();
    }

    private List<String> kinds() {
        List<String> kinds = new ArrayList<>();
        results.config().path("kinds").fieldNames().forEachRemaining(kinds::add);
        return kinds;
    }

    private List<String> chunkings() {
        return results.texts("chunkings");
    }

    /// Kinds in the order in which they were asked for.
    private KindsSummary summary() {
        List<String> models = results.models();
        List<String> kinds = kinds();
        return new KindsSummary(results.units().values().stream()
                .sorted(Comparator.comparingInt((JsonNode u) -> models.indexOf(u.path("model").asText())).thenComparingInt(u -> kinds.indexOf(u.path("kind").asText()))).toList());
    }

    @Override
    public List<Section> sections() {
        List<Row> rows = summary().rows();
        String first = chunkings().isEmpty() ? "" : chunkings().getFirst();
        return List.of(
                new Section("Chunks", "Length of a text's chunks in tokens: mean with its 95 % bootstrap interval over the texts, median of the texts' medians, longest of all. Shortest: share of the chunks "
                        + "that are as short as suppression permits. In one chunk as long as the text every key has the same score.",
                        tables(rows, List.of("Kind", "Chunks", "Texts", "Mean length", "Median", "Longest", "Shortest"),
                                r -> List.of(String.valueOf(r.chunks().units()), r.chunks().number(), String.valueOf(r.median()), String.valueOf(r.longest()), Html.share(r.atSuppression().mean())))),
                new Section("Recall and regret", "Global layers, at most " + results.config().path("rows").asInt() + " rows per head and layer looked at. Recall: share of the keys read that are among as many best "
                        + "ones. Regret: what the best choice of as many keys would hold on top, of the attention weight. Means over heads and texts, in percent, with their 95 % bootstrap interval over texts. "
                        + "Differences are taken text by text: " + first + " minus the other, in percentage points; above 0 its recall is better, below 0 its regret. Where the interval holds 0 the run does not "
                        + "show which is better.",
                        tables(rows, List.of("Kind", "Chunks", "Recall", first + " minus it", "Regret", first + " minus it"),
                                r -> List.of(percent(r.recall()), difference(r, first, r.recallWon()), percent(r.regret()), difference(r, first, r.regretWon())))));
    }

    /// One table per model; a kind is named in its first row.
    private String tables(List<Row> rows, List<String> head, Function<Row, List<String>> cells) {
        return results.models().stream().map(model -> {
            List<List<String>> table = new ArrayList<>();
            String kind = "";
            for (Row row : rows) {
                if (row.model().equals(model)) {
                    List<String> line = new ArrayList<>(List.of(row.kind().equals(kind) ? "" : row.kind(), row.chunking()));
                    line.addAll(cells.apply(row));
                    table.add(line);
                    kind = row.kind();
                }
            }
            return table.isEmpty() ? "" : Html.heading(model) + Html.table(head, table);
        }).collect(Collectors.joining());
    }

    private static String percent(Interval i) {
        return Html.format("%.1f [%.1f, %.1f]", 100 * i.mean(), 100 * i.low(), 100 * i.high()).replaceAll("-0\\.0(?!\\d)", "0.0");
    }

    private static String difference(Row row, String first, Interval i) {
        return row.chunking().equals(first) ? "" : Html.format("%+.1f [%+.1f, %+.1f]", 100 * i.mean(), 100 * i.low(), 100 * i.high()).replaceAll("-0\\.0(?!\\d)", "+0.0");
    }

    @Override
    public String text() {
        return summary().text() + notes().stream().map(n -> "\n" + n + "\n").collect(Collectors.joining());
    }

    @Override
    public void addTo(ObjectNode json) {
        ArrayNode table = json.withArray("rows");
        summary().rows().forEach(row -> table.add(row.json()));
    }
}
