package org.dhsa.golden.vector;

import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dhsa.backend.Backend;
import org.dhsa.reference.dhsa.NonMaximumSuppressionReference;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.dhsa.weights.SafetensorsWriter;

/// Computes a draft and writes it as a case folder: truth from the reference, baseline from plain loops in float32.
final class VectorWriter {

    static final String INPUTS = "inputs.safetensors";
    static final String EXPECTED = "expected.safetensors";
    static final int RATIO = 4;
    /// 2^-23 of the largest expected value, so many times: what no float32 program can be asked to be better than.
    private static final int FLOOR_STAGE = 2;
    private static final int FLOOR_COMPOSITE = 40;
    /// A generated input that is larger is not stored.
    private static final int STORE_UP_TO_BYTES = 32 << 10;
    /// The official code ran in float64; more than this is no rounding, relative to the largest value.
    private static final double OFFICIAL = 1e-9;
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final Backend reference;
    private final Backend baseline;

    /// @param baseline an honest float32 implementation with plain loops
    VectorWriter(Backend reference, Backend baseline) {
        this.reference = reference;
        this.baseline = baseline;
    }

    /// What a draft gives, under the axis names and in the types of the catalogue.
    Map<String, VectorTensor> expected(CaseDraft draft) {
        return outputs(draft, StageRunner.run(reference, draft.slug(), draft.config(), draft.tensors()));
    }

    static Map<String, VectorTensor> outputs(CaseDraft draft, Map<String, Tensor> computed) {
        Map<String, VectorTensor> outputs = new LinkedHashMap<>();
        computed.forEach((name, tensor) -> {
            if (!draft.leavesOut(name)) {
                JsonNode entry = StageCatalog.INSTANCE.output(draft.slug(), name).orElseThrow(
                        () -> new IllegalStateException("stages.json knows no output " + name + " of " + draft.slug()));
                outputs.put(name, stored(tensor, entry));
            }
        });
        return outputs;
    }

    private static VectorTensor stored(Tensor tensor, JsonNode entry) {
        List<String> axes = StageCatalog.texts(entry.get("axes"));
        if (axes.size() != tensor.shape().rank()) {
            throw new IllegalStateException("stages.json gives " + entry.get("name") + " the axes " + axes + ", it has " + tensor.shape());
        }
        Object[] namesAndExtents = new Object[2 * axes.size()];
        for (int a = 0; a < axes.size(); a++) {
            namesAndExtents[2 * a] = axes.get(a);
            namesAndExtents[2 * a + 1] = tensor.shape().extent(a);
        }
        return VectorTensor.of(Shape.of(namesAndExtents), DType.valueOf(entry.get("dtype").textValue()), tensor.toDouble().data());
    }

    /// Writes the folder of one case.
    ///
    /// @param evidence what recordings of the official code say about this stage; a case with a recording's inputs is
    ///                 measured itself instead
    void write(CaseDraft draft, Path root, JsonNode evidence) throws IOException {
        Map<String, VectorTensor> expected = expected(draft);
        Map<String, VectorTensor> plain = outputs(draft, StageRunner.run(baseline, draft.slug(), draft.config(), draft.tensors()));
        Path folder = Files.createDirectories(root.resolve(draft.id()));
        ObjectNode json = MAPPER.createObjectNode().put("schema", VectorCase.SCHEMA).put("id", draft.id()).put("comment", draft.comment())
                .put("level", draft.level()).put("profile", draft.profile());
        draft.flags().forEach(json.putArray("flags")::add);
        json.set("config", draft.config());
        json.putObject("source").put("kind", "reference").put("name", "dhsa-java").put("version", draft.since()).put("precision", "f64");
        inputs(draft, folder, json.putObject("inputs"));
        outputs(draft, folder, expected, plain, json.putObject("expected"));
        json.set("evidence", draft.recording().isEmpty() ? evidence : measured(draft, expected));
        json.putObject("diagnoses");
        writeJson(folder.resolve(VectorCase.FILE_NAME), json);
    }

    /// How far what the official code gave on these inputs lies from what is expected.
    private static JsonNode measured(CaseDraft draft, Map<String, VectorTensor> expected) {
        ArrayNode list = MAPPER.createArrayNode();
        draft.official().forEach((name, official) -> {
            double[] want = expected.get(name).toDouble().data();
            double[] have = name.equals("selectedKeys") ? ascendingRows(official, expected.get(name).shape()) : official;
            if (have.length != want.length) {
                throw new IllegalStateException(draft.id() + ": the recording has " + have.length + " values of " + name + ", expected are " + want.length);
            }
            double worst = 0;
            for (int i = 0; i < want.length; i++) {
                // NaN on both sides is no distance, on one side an endless one
                worst = Double.compare(want[i], have[i]) == 0 ? worst : Double.isNaN(want[i] - have[i]) ? Double.POSITIVE_INFINITY : Math.max(worst, Math.abs(want[i] - have[i]));
            }
            double largest = VectorComparison.largest(want);
            boolean decision = expected.get(name).dtype() == DType.I64;
            if (!Double.isFinite(worst) || decision && worst > 0 || worst > OFFICIAL * Math.max(1, largest)) {
                throw new IllegalStateException(draft.id() + ": " + name + " is " + worst + " away from what the official code gave");
            }
            list.addObject().put("recording", draft.recording()).put("kind", "same-inputs").put("tensor", name).put("maxAbs", roundedUp(worst))
                    .put("relative", largest == 0 ? 0 : roundedUp(worst / largest));
        });
        return list;
    }

    /// The official lists are in the order in which their keys were found.
    private static double[] ascendingRows(double[] lists, Shape shape) {
        double[] sorted = lists.clone();
        for (int row = 0; row < shape.extent(0); row++) {
            Arrays.sort(sorted, row * shape.extent(1), (row + 1) * shape.extent(1));
        }
        return sorted;
    }

    private static void inputs(CaseDraft draft, Path folder, ObjectNode json) throws IOException {
        Map<String, VectorTensor> stored = new LinkedHashMap<>();
        draft.inputs().forEach((name, input) -> {
            ObjectNode entry = entry(json.putObject(name), input.tensor());
            if (input.generator() == null || input.tensor().byteSize() <= STORE_UP_TO_BYTES) {
                entry.put("file", INPUTS);
                stored.put(name, input.tensor());
            }
            if (input.generator() != null) {
                entry.set("generator", input.generator());
            }
            if (Arrays.stream(input.tensor().toDouble().data()).anyMatch(Double::isNaN)) {
                entry.put("allowNaN", true);
            }
        });
        writeTensors(folder.resolve(INPUTS), stored);
    }

    private static void outputs(CaseDraft draft, Path folder, Map<String, VectorTensor> expected, Map<String, VectorTensor> plain, ObjectNode json) throws IOException {
        int order = 0;
        for (Map.Entry<String, VectorTensor> output : expected.entrySet()) {
            String name = output.getKey();
            JsonNode catalogue = StageCatalog.INSTANCE.output(draft.slug(), name).orElseThrow();
            ObjectNode entry = json.putObject(name);
            entry.put("order", order++).put("stage", catalogue.path("stage").asText(draft.slug())).put("layer", StageCatalog.layer(name));
            entry(entry, output.getValue()).put("file", EXPECTED).put("required", catalogue.get("required").booleanValue());
            entry.set("comparison", comparison(draft, name, catalogue.get("comparison").textValue(), output.getValue(), plain.get(name), expected));
        }
        writeTensors(folder.resolve(EXPECTED), expected);
    }

    static ObjectNode entry(ObjectNode json, VectorTensor tensor) {
        json.put("dtype", tensor.dtype().name());
        tensor.shape().names().forEach(json.putArray("axes")::add);
        var extents = json.putArray("shape");
        for (int a = 0; a < tensor.shape().rank(); a++) {
            extents.add(tensor.shape().extent(a));
        }
        return json.put("sha256", tensor.sha256());
    }

    private static ObjectNode comparison(CaseDraft draft, String name, String kind, VectorTensor truth, VectorTensor plain, Map<String, VectorTensor> expected) {
        ObjectNode json = MAPPER.createObjectNode().put("kind", kind);
        double[] want = truth.toDouble().data();
        switch (kind) {
            case "exact" -> requireEqual(draft, name, truth, plain);
            case "selection" -> {
                requireEqual(draft, name, truth, plain);
                String prefix = name.substring(0, name.length() - "selectedKeys".length());
                put(json, "scores", scores(draft, prefix, expected));
                put(json, "threshold", expected.containsKey(prefix + "threshold") ? prefix + "threshold" : null);
                put(json, "margin", expected.containsKey(prefix + "margin") ? prefix + "margin" : null);
                put(json, "lists", expected.containsKey(prefix + "lists") ? prefix + "lists" : null);
                put(json, "ties", expected.containsKey(prefix + "tiedKeys") ? prefix + "tiedKeys" : null);
                put(json, "forced", expected.containsKey(prefix + "forcedKeys") ? prefix + "forcedKeys" : null);
                put(json, "allowed", expected.containsKey(prefix + "allowed") ? prefix + "allowed" : null);
                put(json, "blocks", draft.inputs().containsKey("blocks") || expected.containsKey("blocks") ? "blocks" : null);
            }
            case "continuous" -> {
                double error = error(draft, name, truth, plain);
                // the fill of the ends is no measure of the logits
                double[] measure = Arrays.stream(want).filter(v -> v != NonMaximumSuppressionReference.FILL).toArray();
                double floor = VectorComparison.largest(measure) * 0x1p-23 * (StageCatalog.INSTANCE.composite(draft.slug()) ? FLOOR_COMPOSITE : FLOOR_STAGE);
                json.put("truth", "f64").put("baselineError", roundedUp(error)).put("ratio", RATIO).put("floor", roundedUp(floor));
            }
            default -> throw new IllegalStateException("unknown comparison " + kind);
        }
        for (double v : want) {
            if (Double.isNaN(v)) {
                json.put("allowNaN", true);
                break;
            }
        }
        return json;
    }

    private static void put(ObjectNode json, String field, String value) {
        if (value != null) {
            json.put(field, value);
        }
    }

    /// The scores by which the lists were made: an input, the layer's own, or those of the layer whose lists it shares.
    private static String scores(CaseDraft draft, String prefix, Map<String, VectorTensor> expected) {
        if (draft.inputs().containsKey("tokenScores") || expected.containsKey(prefix + "tokenScores")) {
            return prefix + "tokenScores";
        }
        int layer = StageCatalog.layer(prefix);
        String shared = "layers." + layer % 2 + ".tokenScores";
        return layer >= 0 && expected.containsKey(shared) ? shared : null;
    }

    private static void requireEqual(CaseDraft draft, String name, VectorTensor truth, VectorTensor plain) {
        if (plain == null || !truth.shape().equals(plain.shape()) || !Arrays.equals(truth.toDouble().data(), plain.toDouble().data())) {
            throw new IllegalStateException(draft.id() + ": float32 and FP64 decide " + name + " differently; the case is too close to call");
        }
    }

    private static double error(CaseDraft draft, String name, VectorTensor truth, VectorTensor plain) {
        if (plain == null || !truth.shape().equals(plain.shape())) {
            throw new IllegalStateException(draft.id() + ": the float32 baseline gives " + name + " as " + plain + ", the truth is " + truth);
        }
        double[] want = truth.toDouble().data();
        double[] have = plain.toDouble().data();
        double worst = 0;
        for (int i = 0; i < want.length; i++) {
            if (Double.isFinite(want[i]) && Double.isFinite(have[i])) {
                worst = Math.max(worst, Math.abs(want[i] - have[i]));
            } else if (Double.compare(want[i], have[i]) != 0) {
                throw new IllegalStateException(draft.id() + ": the float32 baseline gives " + have[i] + " in " + name + " where " + want[i] + " is right");
            }
        }
        return draft.slug().equals("rotary-embedding") ? Math.max(worst, Float32Rotary.error(draft, want)) : worst;
    }

    /// Three digits, never less: the last bits of a library function must not show in a published file.
    static double roundedUp(double value) {
        return value == 0 ? 0 : new BigDecimal(value).round(new MathContext(3, RoundingMode.UP)).doubleValue();
    }

    static void writeTensors(Path file, Map<String, VectorTensor> tensors) throws IOException {
        SafetensorsWriter writer = new SafetensorsWriter();
        tensors.forEach((name, tensor) -> {
            long[] dims = new long[tensor.shape().rank()];
            for (int a = 0; a < dims.length; a++) {
                dims[a] = tensor.shape().extent(a);
            }
            writer.add(name, tensor.dtype(), dims, tensor.bytes());
        });
        writer.write(file);
    }

    static void writeJson(Path file, JsonNode json) throws IOException {
        DefaultPrettyPrinter printer = new DefaultPrettyPrinter().withObjectIndenter(new DefaultIndenter(" ", "\n"));
        Files.write(file, (MAPPER.writer(printer).writeValueAsString(json) + "\n").getBytes(StandardCharsets.UTF_8));
    }
}
