package org.dhsa.golden.vector;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.dhsa.backend.Backend;
import org.dhsa.golden.CaseResult;
import org.dhsa.golden.Comparison;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.GoldenRun;
import org.dhsa.golden.Verdict;
import org.dhsa.reference.ReferenceBackend;

/// Second evidence: how far the reference, which computes the expected values, lies from what the official code gave.
///
/// Measured on the recordings, stage by stage, each stage fed with recorded inputs. The inputs are the recordings' own,
/// not those of a vector.
public final class Evidence {

    public static final Evidence NONE = new Evidence(Map.of());
    private static final ObjectMapper MAPPER = new ObjectMapper();

    /// What a run from one end to the other is evidence for, by the recording's family.
    private static final Map<String, String> WHOLE_RUNS = Map.of("gemma2", "dense-model", "e2e", "dhsa-model", "dhsa_mask", "selection-chain", "dhsa_sdpa", "sparse-chain");

    /// By stage, then by recording: the worst distance.
    private final Map<String, Map<String, Double>> distances;

    private Evidence(Map<String, Map<String, Double>> distances) {
        this.distances = distances;
    }

    /// Runs the reference over a folder of recordings.
    public static Evidence measure(Path recordings) throws GoldenFormatException, IOException {
        Map<String, Map<String, Double>> distances = new LinkedHashMap<>();
        try (Backend reference = new ReferenceBackend()) {
            for (CaseResult result : GoldenRun.of(recordings, reference, id -> true, r -> {}).cases()) {
                for (Comparison c : result.comparisons()) {
                    if (c.verdict() == Verdict.PASS && Double.isFinite(c.maxAbs())) {
                        String slug = result.id().equals("gemma2/decode") ? "generation" : c.note().contains("end to end") ? WHOLE_RUNS.get(result.family()) : c.stage();
                        if (slug != null) {
                            distances.computeIfAbsent(slug, s -> new TreeMap<>()).merge(result.id(), c.maxAbs(), Math::max);
                        }
                    }
                }
            }
        }
        return new Evidence(distances);
    }

    /// `[{recording, maxAbs}]`; where nobody recorded a stage, the reason why there is nothing.
    JsonNode of(String slug) {
        ArrayNode list = MAPPER.createArrayNode();
        distances.getOrDefault(slug, Map.of()).forEach((recording, maxAbs) -> {
            ObjectNode entry = list.addObject().put("recording", recording).put("kind", "same-function");
            entry.put("maxAbs", VectorWriter.roundedUp(maxAbs));
        });
        if (list.isEmpty()) {
            list.addObject().put("kind", "none").put("reason", slug.equals("decoder-layer")
                    ? "the recordings show a layer's stages one by one; the cases recorded-* compare them within the whole layer" : "no recording of the official code shows this stage");
        }
        return list;
    }
}
