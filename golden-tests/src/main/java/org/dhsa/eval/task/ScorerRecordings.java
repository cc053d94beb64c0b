package org.dhsa.eval.task;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dhsa.cli.BadInput;
import org.dhsa.cli.Json;

/// Scores that the published scorers gave, set against this project's.
///
///     {"qa_f1": [{"prediction": …, "truth": …, "normalized": …, "qa_f1": …}], "count": […], "retrieval": […], "rouge_l": […], "code": […], "classification": […]}
///
/// The score of a record stands in the field `qa_f1`, `count_score`, `retrieval_score`, `rouge_l`, `code_score` or `classification_score`; a record of
/// a classification has `all_classes`. Any of the lists may be absent.
///
/// @param agreed records that agree, by scorer
/// @param wrong  one sentence per record that does not
public record ScorerRecordings(Map<String, Integer> agreed, List<String> wrong) {

    /// Beyond rounding in the last place nothing is let pass.
    private static final double TOLERANCE = 1e-12;

    private interface Scorer {
        double score(String prediction, String truth, List<String> classes);
    }

    private record Known(String field, Scorer scorer) {}

    /// @throws BadInput if the file cannot be used
    public static ScorerRecordings check(Path file) throws IOException {
        Map<String, Known> known = new LinkedHashMap<>();
        known.put("qa_f1", new Known("qa_f1", (p, t, c) -> Scorers.tokenF1(p, t)));
        known.put("count", new Known("count_score", (p, t, c) -> Scorers.count(p, t)));
        known.put("retrieval", new Known("retrieval_score", (p, t, c) -> Scorers.retrieval(p, t)));
        known.put("rouge_l", new Known("rouge_l", (p, t, c) -> RougeL.f(p, t)));
        known.put("code", new Known("code_score", (p, t, c) -> Scorers.codeSimilarity(p, t)));
        known.put("classification", new Known("classification_score", Scorers::classification));
        if (!Files.isRegularFile(file)) {
            throw new BadInput("--check-scorers: there is no file " + file + ".");
        }
        JsonNode recorded;
        try {
            recorded = Json.MAPPER.readTree(Files.readString(file));
        } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
            throw new BadInput("--check-scorers: " + file + " is no JSON (" + e.getOriginalMessage() + ").", e);
        }
        Map<String, Integer> agreed = new LinkedHashMap<>();
        List<String> wrong = new ArrayList<>();
        for (Map.Entry<String, JsonNode> list : recorded.properties()) {
            Known scorer = known.get(list.getKey());
            if (scorer == null) {
                throw new BadInput("--check-scorers: " + file + " has records of \"" + list.getKey() + "\"; known are " + String.join(", ", known.keySet()) + ".");
            }
            int number = 0;
            for (JsonNode record : list.getValue()) {
                String what = list.getKey() + "[" + number++ + "]";
                if (!record.has("prediction") || !record.has("truth") || !record.path(scorer.field()).isNumber()) {
                    throw new BadInput("--check-scorers: " + file + ", " + what + " needs prediction, truth and the number " + scorer.field() + ".");
                }
                String prediction = record.path("prediction").asText();
                List<String> classes = new ArrayList<>();
                record.path("all_classes").forEach(c -> classes.add(c.asText()));
                double ours = scorer.scorer().score(prediction, record.path("truth").asText(), classes);
                double theirs = record.path(scorer.field()).asDouble();
                String normalised = Scorers.normalised(prediction);
                if (Math.abs(ours - theirs) > TOLERANCE) {
                    wrong.add(what + ": recorded " + theirs + ", here " + ours);
                } else if (record.has("normalized") && !record.path("normalized").asText().equals(normalised)) {
                    wrong.add(what + ": normalised \"" + record.path("normalized").asText() + "\", here \"" + normalised + "\"");
                } else {
                    agreed.merge(list.getKey(), 1, Integer::sum);
                }
            }
        }
        if (agreed.isEmpty() && wrong.isEmpty()) {
            throw new BadInput("--check-scorers: " + file + " holds no records.");
        }
        return new ScorerRecordings(agreed, wrong);
    }
}
