package org.dhsa.golden.vector;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.dhsa.weights.SafetensorsFile;
import org.dhsa.weights.WeightsFormatException;

/// One published case, read and checked: every tensor is there, has the type, shape and hash that case.json states, and no
/// other is.
///
/// @param inputs   by name; built by their generator where they are not stored
/// @param expected in walking order
public record VectorCase(Path folder, String id, String slug, String level, String profile, JsonNode json, Map<String, Tensor> inputs, Map<String, Expected> expected) {

    public static final String FILE_NAME = "case.json";
    public static final String SCHEMA = "dhsa-golden-case/1";
    private static final ObjectMapper MAPPER = new ObjectMapper();

    /// An expected tensor and how it is compared.
    ///
    /// @param required false for evidence that a port need not give
    public record Expected(String name, String stage, int layer, boolean required, VectorTensor tensor, JsonNode comparison) {}

    public JsonNode config() {
        return json.get("config");
    }

    /// Whether a folder's case.json is of this format rather than a recording's.
    public static boolean isOne(Path folder) {
        try {
            return MAPPER.readTree(folder.resolve(FILE_NAME).toFile()).has("schema");
        } catch (IOException e) {
            return false;
        }
    }

    /// The id in case.json, without looking at anything else.
    public static String readId(Path folder) throws GoldenFormatException, IOException {
        return text(folder, readJson(folder), "id");
    }

    public static VectorCase read(Path folder) throws GoldenFormatException, IOException {
        JsonNode json = readJson(folder);
        String schema = text(folder, json, "schema");
        if (!schema.equals(SCHEMA)) {
            throw new GoldenFormatException(folder.resolve(FILE_NAME), "has the unknown schema \"" + schema + "\"", "this program reads " + SCHEMA + "; use vectors and program of one version");
        }
        String id = text(folder, json, "id");
        String[] parts = id.split("/");
        if (parts.length != 3) {
            throw new GoldenFormatException(folder.resolve(FILE_NAME), "has the id \"" + id + "\"", "an id is family/stage/case");
        }
        String slug = StageCatalog.slug(parts[0], parts[1]);
        if (!StageCatalog.INSTANCE.has(slug)) {
            throw new GoldenFormatException(folder.resolve(FILE_NAME), "is about the unknown stage " + slug, "stages.json lists the stages: " + StageCatalog.INSTANCE.slugs());
        }
        if (!json.path("config").isObject() || !json.path("inputs").isObject() || !json.path("expected").isObject()) {
            throw new GoldenFormatException(folder.resolve(FILE_NAME), "lacks config, inputs or expected", "get the case again");
        }
        Map<String, Map<String, VectorTensor>> files = new HashMap<>();
        Map<String, Tensor> inputs = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : json.get("inputs").properties()) {
            VectorTensor tensor = tensor(folder, files, "inputs", entry.getKey(), entry.getValue());
            requireFinite(folder, entry.getKey(), tensor, entry.getValue().path("allowNaN").asBoolean());
            inputs.put(entry.getKey(), tensor);
        }
        List<Map.Entry<String, JsonNode>> ordered = new ArrayList<>(json.get("expected").properties());
        ordered.sort(Comparator.comparingInt(e -> e.getValue().path("order").asInt()));
        Map<String, Expected> expected = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : ordered) {
            String name = entry.getKey();
            JsonNode value = entry.getValue();
            if (StageCatalog.INSTANCE.output(slug, name).isEmpty()) {
                throw new GoldenFormatException(folder.resolve(FILE_NAME), "expects a tensor " + name + ", which the stage " + slug + " does not give", "stages.json lists the outputs of every stage");
            }
            VectorTensor tensor = tensor(folder, files, "expected", name, value);
            requireNanOnlyWhereAllowed(folder, name, tensor, value.path("comparison").path("allowNaN").asBoolean());
            expected.put(name, new Expected(name, value.path("stage").asText(slug), value.path("layer").asInt(-1), value.path("required").asBoolean(true), tensor, value.path("comparison")));
        }
        requireNothingElse(folder, files, json);
        return new VectorCase(folder, id, slug, text(folder, json, "level"), text(folder, json, "profile"), json, inputs, expected);
    }

    /// The tensors that an implementation with a known bug gives, by bug id; empty where none is stored.
    public Map<String, Map<String, VectorTensor>> diagnoses() throws GoldenFormatException, IOException {
        Map<String, Map<String, VectorTensor>> diagnoses = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> bug : json.path("diagnoses").properties()) {
            Map<String, VectorTensor> tensors = new LinkedHashMap<>();
            for (Map.Entry<String, JsonNode> entry : bug.getValue().properties()) {
                Path file = folder.resolve(entry.getValue().path("file").asText());
                VectorTensor stored = readTensors(file).get(entry.getKey());
                if (stored == null) {
                    throw new GoldenFormatException(file, "lacks the tensor " + entry.getKey() + " that case.json names under diagnoses." + bug.getKey(), "get the case again");
                }
                if (!stored.sha256().equals(entry.getValue().path("sha256").asText())) {
                    throw wrongHash(file, entry.getKey());
                }
                Expected expectation = expected.get(entry.getKey());
                tensors.put(entry.getKey(), expectation == null || expectation.tensor().shape().rank() != stored.shape().rank() ? stored : named(stored, expectation.tensor().shape().names()));
            }
            diagnoses.put(bug.getKey(), tensors);
        }
        return diagnoses;
    }

    private static JsonNode readJson(Path folder) throws GoldenFormatException, IOException {
        Path file = folder.resolve(FILE_NAME);
        if (!Files.isRegularFile(file)) {
            throw new GoldenFormatException(file, "is missing", "name a case folder");
        }
        try {
            JsonNode json = MAPPER.readTree(file.toFile());
            if (json == null || !json.isObject()) {
                throw new GoldenFormatException(file, "is no JSON object", "get the case again");
            }
            return json;
        } catch (JsonProcessingException e) {
            throw new GoldenFormatException(file, "is no JSON: " + e.getOriginalMessage(), "get the case again", e);
        }
    }

    private static String text(Path folder, JsonNode json, String field) throws GoldenFormatException {
        if (!json.path(field).isTextual()) {
            throw new GoldenFormatException(folder.resolve(FILE_NAME), "has no text \"" + field + "\"", "get the case again");
        }
        return json.get(field).textValue();
    }

    private static VectorTensor tensor(Path folder, Map<String, Map<String, VectorTensor>> files, String group, String name, JsonNode entry) throws GoldenFormatException, IOException {
        Path caseFile = folder.resolve(FILE_NAME);
        DType dtype;
        Shape shape;
        try {
            dtype = DType.valueOf(entry.path("dtype").asText());
            shape = shape(StageCatalog.texts(entry.path("axes")), entry.path("shape").valueStream().mapToInt(JsonNode::asInt).toArray());
        } catch (IllegalArgumentException e) {
            throw new GoldenFormatException(caseFile, group + "." + name + " has no usable dtype, axes and shape: " + e.getMessage(), "get the case again", e);
        }
        VectorTensor tensor;
        Path file = caseFile;
        if (entry.has("file")) {
            String fileName = entry.get("file").asText();
            file = folder.resolve(fileName);
            if (!files.containsKey(fileName)) {
                files.put(fileName, readTensors(file));
            }
            VectorTensor stored = files.get(fileName).get(name);
            if (stored == null) {
                throw new GoldenFormatException(file, "lacks the tensor " + name + " that case.json lists under " + group + "; it holds " + new TreeSet<>(files.get(fileName).keySet()), "get the case again");
            }
            if (stored.dtype() != dtype) {
                throw new GoldenFormatException(file, "tensor " + name + " is " + stored.dtype() + ", case.json says " + dtype, "get the case again");
            }
            if (!Arrays.equals(extents(stored.shape()), extents(shape))) {
                throw new GoldenFormatException(file, "tensor " + name + " has the shape " + Arrays.toString(extents(stored.shape())) + ", case.json says " + Arrays.toString(extents(shape)), "get the case again");
            }
            tensor = named(stored, shape.names());
        } else if (entry.has("generator")) {
            try {
                tensor = InputGenerator.build(entry.get("generator"), shape, dtype);
            } catch (IllegalArgumentException e) {
                throw new GoldenFormatException(caseFile, group + "." + name + " cannot be generated: " + e.getMessage(), "use a program of the vectors' version", e);
            }
        } else {
            throw new GoldenFormatException(caseFile, group + "." + name + " has neither a file nor a generator", "get the case again");
        }
        if (!tensor.sha256().equals(entry.path("sha256").asText())) {
            throw wrongHash(file, name);
        }
        return tensor;
    }

    private static GoldenFormatException wrongHash(Path file, String name) {
        return new GoldenFormatException(file, "tensor " + name + " does not have the sha256 that case.json states: the file or case.json was changed", "get the case again; expected values are never edited by hand");
    }

    private static Map<String, VectorTensor> readTensors(Path file) throws GoldenFormatException, IOException {
        if (!Files.isRegularFile(file)) {
            throw new GoldenFormatException(file, "is missing, though case.json names it", "get the case again");
        }
        try (SafetensorsFile safetensors = SafetensorsFile.open(file)) {
            Map<String, VectorTensor> tensors = new LinkedHashMap<>();
            for (String name : safetensors.names()) {
                WeightTensor weight = safetensors.tensor(name);
                Object[] axes = new Object[2 * weight.rank()];
                for (int a = 0; a < weight.rank(); a++) {
                    axes[2 * a] = "axis" + a;
                    axes[2 * a + 1] = Math.toIntExact(weight.dim(a));
                }
                tensors.put(name, VectorTensor.ofBytes(Shape.of(axes), weight.dtype(), weight.bytes().toArray(ValueLayout.JAVA_BYTE)));
            }
            return tensors;
        } catch (WeightsFormatException e) {
            throw new GoldenFormatException(file, "is no usable safetensors file: " + e.getMessage(), "get the case again", e);
        }
    }

    private static int[] extents(Shape shape) {
        int[] extents = new int[shape.rank()];
        for (int a = 0; a < extents.length; a++) {
            extents[a] = shape.extent(a);
        }
        return extents;
    }

    private static Shape shape(List<String> axes, int[] extents) {
        if (axes.size() != extents.length) {
            throw new IllegalArgumentException("axes " + axes + " for the shape " + Arrays.toString(extents));
        }
        Object[] namesAndExtents = new Object[2 * extents.length];
        for (int a = 0; a < extents.length; a++) {
            namesAndExtents[2 * a] = axes.get(a);
            namesAndExtents[2 * a + 1] = extents[a];
        }
        return Shape.of(namesAndExtents);
    }

    private static VectorTensor named(VectorTensor tensor, List<String> axes) {
        return VectorTensor.ofBytes(shape(axes, extents(tensor.shape())), tensor.dtype(), tensor.bytes());
    }

    private static void requireFinite(Path folder, String name, VectorTensor tensor, boolean nanAllowed) throws GoldenFormatException {
        for (double v : tensor.toDouble().data()) {
            if (!Double.isFinite(v) && !(nanAllowed && Double.isNaN(v))) {
                throw new GoldenFormatException(folder, "input " + name + " holds " + v, "inputs are finite numbers unless case.json allows NaN; get the case again");
            }
        }
    }

    private static void requireNanOnlyWhereAllowed(Path folder, String name, VectorTensor tensor, boolean allowed) throws GoldenFormatException {
        if (!allowed && Arrays.stream(tensor.toDouble().data()).anyMatch(Double::isNaN)) {
            throw new GoldenFormatException(folder, "expected tensor " + name + " holds NaN, and its comparison does not allow one", "get the case again");
        }
    }

    private static void requireNothingElse(Path folder, Map<String, Map<String, VectorTensor>> files, JsonNode json) throws GoldenFormatException {
        for (Map.Entry<String, Map<String, VectorTensor>> file : files.entrySet()) {
            Set<String> extra = new TreeSet<>(file.getValue().keySet());
            for (String group : new String[] {"inputs", "expected"}) {
                json.get(group).properties().stream().filter(e -> e.getValue().path("file").asText().equals(file.getKey())).forEach(e -> extra.remove(e.getKey()));
            }
            if (!extra.isEmpty()) {
                throw new GoldenFormatException(folder.resolve(file.getKey()), "holds the tensors " + extra + ", which case.json does not list", "get the case again");
            }
        }
    }
}
