package org.dhsa.eval;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.dhsa.cli.Json;

/// Results of [KindsTask] by model, kind and chunking, with intervals over the texts. Differences are taken text by text.
public final class KindsSummary {

    private final List<JsonNode> results;

    public KindsSummary(List<JsonNode> results) {
        this.results = List.copyOf(results);
    }

    /// One row of the table.
    ///
    /// @param chunks    mean length of a text's chunks
    /// @param recall    on global layers
    /// @param regret    on global layers
    /// @param recallWon recall of the first chunking minus this one's, on the same text
    /// @param regretWon regret, likewise: below 0 the first chunking is better
    public record Row(String model, String kind, String chunking, Interval chunks, int median, int longest, Interval atSuppression, Interval recall, Interval regret,
                      Interval recallWon, Interval regretWon) {

        public ObjectNode json() {
            ObjectNode json = Json.object().put("model", model).put("kind", kind).put("chunking", chunking);
            json.set("chunk_length", interval(chunks));
            json.put("median_of_medians", median).put("longest", longest);
            json.set("at_suppression", interval(atSuppression));
            json.set("recall", interval(recall));
            json.set("regret", interval(regret));
            json.set("first_chunking_recall_minus_this", interval(recallWon));
            json.set("first_chunking_regret_minus_this", interval(regretWon));
            return json;
        }

        private static ObjectNode interval(Interval i) {
            return Json.object().put("mean", NeedleTask.rounded(i.mean())).put("low", NeedleTask.rounded(i.low())).put("high", NeedleTask.rounded(i.high())).put("texts", i.units());
        }
    }

    public List<Row> rows() {
        Set<String> order = new LinkedHashSet<>();
        for (JsonNode text : results) {
            for (JsonNode run : text.path("runs")) {
                order.add(text.path("model").asText() + "\n" + text.path("kind").asText() + "\n" + run.path("chunking").asText());
            }
        }
        List<Row> list = new ArrayList<>();
        for (String key : order) {
            String[] of = key.split("\n");
            list.add(row(of[0], of[1], of[2]));
        }
        return list;
    }

    private Row row(String model, String kind, String chunking) {
        List<Double> chunks = new ArrayList<>();
        List<Integer> medians = new ArrayList<>();
        List<Double> suppressed = new ArrayList<>();
        List<Double> recall = new ArrayList<>();
        List<Double> regret = new ArrayList<>();
        List<Double> won = new ArrayList<>();
        List<Double> regretWon = new ArrayList<>();
        int longest = 0;
        for (JsonNode text : results) {
            if (text.path("model").asText().equals(model) && text.path("kind").asText().equals(kind)) {
                for (JsonNode run : text.path("runs")) {
                    if (run.path("chunking").asText().equals(chunking)) {
                        chunks.add(run.path("chunks").path("mean").asDouble());
                        medians.add(run.path("chunks").path("median").asInt());
                        suppressed.add(run.path("chunks").path("at_suppression").asDouble());
                        longest = Math.max(longest, run.path("chunks").path("longest").asInt());
                        recall.add(run.path("global").path("recall").asDouble());
                        regret.add(run.path("global").path("regret").asDouble());
                        JsonNode first = text.path("runs").path(0).path("global");
                        won.add(first.path("recall").asDouble() - run.path("global").path("recall").asDouble());
                        regretWon.add(first.path("regret").asDouble() - run.path("global").path("regret").asDouble());
                    }
                }
            }
        }
        return new Row(model, kind, chunking, Interval.of(chunks), medians.stream().sorted().toList().get((medians.size() - 1) / 2), longest, Interval.of(suppressed),
                Interval.of(recall), Interval.of(regret), Interval.of(won), Interval.of(regretWon));
    }

    /// A table for the terminal.
    public String text() {
        StringBuilder text = new StringBuilder();
        String model = "";
        String kind = "";
        for (Row row : rows()) {
            if (!row.model().equals(model)) {
                text.append(String.format(Locale.ROOT, "%n%s%n%-10s %-10s %-20s %6s %7s %8s  %-22s %-26s %s%n", row.model(), "kind", "chunks", "mean length", "median",
                        "longest", "shortest", "recall, global layers", "regret", "recall of the first minus it"));
                kind = "";
            }
            boolean first = !row.kind().equals(kind);
            text.append(String.format(Locale.ROOT, "%-10s %-10s %-20s %6d %7d %7.0f%%  %-22s %-26s %s%n", first ? row.kind() : "", row.chunking(), row.chunks().number(), row.median(),
                    row.longest(), 100 * row.atSuppression().mean(), row.recall().percent(), row.regret().number(), first ? "" : row.recallWon().points()));
            model = row.model();
            kind = row.kind();
        }
        return text.toString();
    }
}
