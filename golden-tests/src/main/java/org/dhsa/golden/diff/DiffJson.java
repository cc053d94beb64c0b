package org.dhsa.golden.diff;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Locale;
import java.util.Optional;
import org.dhsa.cli.Json;
import org.dhsa.golden.Verdict;

/// The result for machines, schema `dhsa-golden-result/1`: one case, with all stages and findings beside the common fields.
final class DiffJson {

    private DiffJson() {}

    static ObjectNode of(DiffResult result) {
        ObjectNode root = Json.object();
        root.put("schema", "dhsa-golden-result/1");
        ObjectNode implementation = root.putObject("implementation");
        implementation.put("name", result.actualPath()).put("version", "").put("backend", "").put("device", "");
        root.putObject("environment").put("java", System.getProperty("java.version")).put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
        ObjectNode only = root.putArray("cases").addObject();
        only.put("id", result.expectedPath()).put("verdict", verdict(result).slug()).put("comparisons", result.compared());
        Optional<DiffResult.Finding> first = result.findings().stream().findFirst();
        if (first.isPresent()) {
            divergence(only.putObject("firstDivergence"), first.get().first(), first.get().worst());
            first.get().diagnosis().bugs().forEach(only.putArray("diagnosis")::add);
        } else {
            only.putNull("firstDivergence");
            only.putArray("diagnosis");
        }
        metrics(only.putObject("metrics"), result);
        ArrayNode findings = only.putArray("findings");
        for (DiffResult.Finding finding : result.findings()) {
            ObjectNode node = findings.addObject();
            divergence(node.putObject("divergence"), finding.first(), finding.worst());
            node.put("independent", finding.first().guilty());
            finding.layers().forEach(node.putArray("layers")::add);
            finding.also().forEach(node.putArray("also")::add);
            finding.diagnosis().bugs().forEach(node.putArray("diagnosis")::add);
            finding.diagnosis().lines().forEach(node.putArray("words")::add);
        }
        ArrayNode stages = only.putArray("stages");
        for (NodeResult r : result.results()) {
            ObjectNode node = stages.addObject().put("stage", r.node().stage().slug()).put("layer", r.node().layer()).put("cause", r.cause().name().toLowerCase(Locale.ROOT));
            ArrayNode tensors = node.putArray("tensors");
            for (TensorDiff d : r.compared()) {
                ObjectNode tensor = tensors.addObject().put("tensor", d.name()).put("verdict", d.verdict().slug());
                number(tensor, "error", d.maxAbs());
                number(tensor, "relative", d.relative());
                number(tensor, "budget", d.budget().error());
            }
        }
        result.missingNames().forEach(only.putArray("notCovered")::add);
        result.unused().forEach(only.putArray("unused")::add);
        result.notes().forEach(only.putArray("notes")::add);
        result.blind().forEach(only.putArray("cannotShow")::add);
        return root;
    }

    private static Verdict verdict(DiffResult result) {
        return result.differs() ? Verdict.FAIL : result.nearTies() > 0 ? Verdict.NEAR_TIE : Verdict.PASS;
    }

    private static void divergence(ObjectNode node, NodeResult result, TensorDiff diff) {
        node.put("stage", result.node().stage().slug()).put("layer", result.node().layer()).put("tensor", diff.name()).put("index", diff.index());
        number(node, "expected", diff.expected());
        number(node, "actual", diff.actual());
        number(node, "error", diff.maxAbs());
        number(node, "budget", diff.budget().error());
        node.put("note", diff.note());
    }

    private static void metrics(ObjectNode node, DiffResult result) {
        number(node, "maxAbs", result.results().stream().flatMap(r -> r.compared().stream()).mapToDouble(TensorDiff::maxAbs).max().orElse(Double.NaN));
        number(node, "maxRel", result.results().stream().flatMap(r -> r.compared().stream()).mapToDouble(TensorDiff::relative).max().orElse(Double.NaN));
        number(node, "cosine", result.results().stream().flatMap(r -> r.compared().stream()).mapToDouble(TensorDiff::cosine).filter(c -> !Double.isNaN(c)).min().orElse(Double.NaN));
    }

    /// JSON has no NaN and no infinity; they become texts.
    private static void number(ObjectNode node, String field, double value) {
        if (Double.isFinite(value)) {
            node.put(field, value);
        } else {
            node.put(field, Double.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        }
    }
}
