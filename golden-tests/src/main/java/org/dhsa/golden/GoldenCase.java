package org.dhsa.golden;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.TreeSet;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;
import org.dhsa.weights.SafetensorsFile;
import org.dhsa.weights.WeightsFormatException;

/// One folder of a recording: `case.json` and the safetensors files that it declares, read whole and checked against it.
///
/// What is declared must be there, what is there must be declared, dtype and shape must agree, and a NaN is accepted only
/// in a tensor whose meaning says so.
public final class GoldenCase {

    public static final String FILE_NAME = "case.json";

    private static final ObjectMapper JSON = JsonMapper.builder()
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            // Python writes NaN and Infinity as they stand
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final Path folder;
    private final JsonNode json;
    private final String id;
    private final Map<String, GoldenTensor> tensors;

    private GoldenCase(Path folder, JsonNode json, String id, Map<String, GoldenTensor> tensors) {
        this.folder = folder;
        this.json = json;
        this.id = id;
        this.tensors = tensors;
    }

    /// @throws GoldenFormatException naming folder, file, tensor and remedy
    public static GoldenCase read(Path folder) throws GoldenFormatException {
        Path file = folder.resolve(FILE_NAME);
        JsonNode json = readJson(file);
        String id = id(file, json);
        for (String section : new String[] {"hyperparameters", "tolerance", "results", "tensors"}) {
            if (!json.path(section).isObject()) {
                throw new GoldenFormatException(file, "\"" + section + "\" must be an object, "
                        + (json.has(section) ? "was " + json.get(section).getNodeType() : "is missing"),
                        "an empty one, {}, is fine");
            }
        }
        Map<String, GoldenTensor> tensors = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> declared : json.get("tensors").properties()) {
            readTensors(folder, declared.getKey(), declared.getValue(), tensors);
        }
        return new GoldenCase(folder, json, id, Collections.unmodifiableMap(tensors));
    }

    /// The id alone, without reading any tensor.
    static String readId(Path folder) throws GoldenFormatException {
        Path file = folder.resolve(FILE_NAME);
        return id(file, readJson(file));
    }

    private static String id(Path file, JsonNode json) throws GoldenFormatException {
        String id = text(file, json, "case");
        if (!id.matches("[^/]+(/[^/]+)+")) {
            throw new GoldenFormatException(file, "\"case\" must be FAMILY/NAME, was \"" + id + "\"", "");
        }
        return id;
    }

    private static JsonNode readJson(Path file) throws GoldenFormatException {
        try {
            JsonNode json = JSON.readTree(Files.readAllBytes(file));
            if (!json.isObject()) {
                throw new GoldenFormatException(file, "must hold a JSON object, holds " + json.getNodeType(), "");
            }
            return json;
        } catch (JsonProcessingException e) {
            throw new GoldenFormatException(file, "is not readable JSON: " + e.getOriginalMessage() + " at line "
                    + (e.getLocation() == null ? "?" : e.getLocation().getLineNr()), "copy or record the case again", e);
        } catch (IOException e) {
            throw new GoldenFormatException(file, "cannot be read: " + e, "every case folder needs a " + FILE_NAME, e);
        }
    }

    private static void readTensors(Path folder, String fileName, JsonNode declared, Map<String, GoldenTensor> into)
            throws GoldenFormatException {
        Path path = folder.resolve(fileName).normalize();
        if (!path.startsWith(folder.normalize())) {
            throw new GoldenFormatException(folder.resolve(FILE_NAME), "declares the file " + fileName + " outside its folder", "");
        }
        if (!Files.isRegularFile(path)) {
            throw new GoldenFormatException(path, "is missing, though " + FILE_NAME + " declares it", "copy the case folder whole");
        }
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            TreeSet<String> undeclared = new TreeSet<>(file.names());
            for (Map.Entry<String, JsonNode> entry : declared.properties()) {
                String name = entry.getKey();
                if (!undeclared.remove(name)) {
                    throw new GoldenFormatException(path, "tensor " + name + " is declared in " + FILE_NAME + " but absent", "record the case again");
                }
                GoldenTensor tensor = readTensor(path, file.tensor(name), entry.getValue());
                if (into.putIfAbsent(name, tensor) != null) {
                    throw new GoldenFormatException(path, "tensor " + name + " is declared in two files", "names must differ inside a case");
                }
            }
            if (!undeclared.isEmpty()) {
                throw new GoldenFormatException(path, "tensor " + undeclared.first() + " is not declared in " + FILE_NAME,
                        "declare it with dtype, shape and meaning, or remove it");
            }
        } catch (WeightsFormatException e) {
            throw new GoldenFormatException(path, e.getMessage(), "copy or record the case again", e);
        } catch (IOException e) {
            throw new GoldenFormatException(path, "cannot be read: " + e, "", e);
        }
    }

    private static GoldenTensor readTensor(Path path, WeightTensor stored, JsonNode declared) throws GoldenFormatException {
        String name = stored.name();
        String dtype = text(path, declared, "dtype", name);
        if (!stored.dtype().name().equals(dtype)) {
            throw new GoldenFormatException(path, "tensor " + name + " is declared as " + dtype + " but stored as " + stored.dtype(),
                    "record the case again");
        }
        long[] shape = new long[declared.path("shape").size()];
        for (int a = 0; a < shape.length; a++) {
            shape[a] = declared.get("shape").get(a).asLong(-1);
        }
        if (!declared.path("shape").isArray() || !Arrays.equals(shape, stored.dims())) {
            throw new GoldenFormatException(path, "tensor " + name + " is declared with shape " + declared.path("shape")
                    + " but stored with " + Arrays.toString(stored.dims()), "record the case again");
        }
        if (stored.elements() > Integer.MAX_VALUE - 8) {
            throw new GoldenFormatException(path, "tensor " + name + " has " + stored.elements() + " elements", "a golden tensor must be smaller than 2^31");
        }
        String meaning = declared.path("meaning").asText("");
        double[] values;
        try {
            values = stored.elements() == 0 ? new double[0] : stored.widen();
        } catch (IllegalArgumentException e) {
            throw new GoldenFormatException(path, e.getMessage(), "", e);
        }
        if (!meaning.contains("NaN")) {
            for (int i = 0; i < values.length; i++) {
                if (Double.isNaN(values[i])) {
                    throw new GoldenFormatException(path, "tensor " + name + " holds a NaN at flat index " + i + ", which its meaning does not mention",
                            "record the case again; where NaN is meant, say so in \"meaning\"");
                }
            }
        }
        if (stored.dtype() == DType.BOOL) {
            for (long i = 0; i < values.length; i++) {
                byte bit = stored.bytes().get(ValueLayout.JAVA_BYTE, i);
                if (bit != 0 && bit != 1) {
                    throw new GoldenFormatException(path, "tensor " + name + " is BOOL but holds the byte " + bit + " at flat index " + i, "record the case again");
                }
            }
        }
        int[] extents = Arrays.stream(stored.dims()).mapToInt(Math::toIntExact).toArray();
        return new GoldenTensor(path, name, stored.dtype(), extents, values, meaning);
    }

    private static String text(Path file, JsonNode node, String field, String... tensor) throws GoldenFormatException {
        if (!node.path(field).isTextual()) {
            throw new GoldenFormatException(file, (tensor.length > 0 ? "tensor " + tensor[0] + ": " : "") + "\"" + field + "\" must be a text, "
                    + (node.has(field) ? "was " + node.get(field).getNodeType() : "is missing"), "");
        }
        return node.get(field).asText();
    }

    public Path folder() {
        return folder;
    }

    /// `dhsa_mask/random_0`.
    public String id() {
        return id;
    }

    /// `dhsa_mask`.
    public String family() {
        return id.substring(0, id.indexOf('/'));
    }

    /// What was run to record this, in the words of the recording.
    public String function() {
        return json.path("function").asText("");
    }

    public JsonNode hyperparameters() {
        return json.get("hyperparameters");
    }

    public JsonNode tolerance() {
        return json.get("tolerance");
    }

    /// Scalars, lists and small tables that were recorded in `case.json` itself.
    public JsonNode results() {
        return json.get("results");
    }

    /// By name, in the order of declaration.
    public Map<String, GoldenTensor> tensors() {
        return tensors;
    }

    public boolean has(String tensor) {
        return tensors.containsKey(tensor);
    }

    public Optional<GoldenTensor> find(String tensor) {
        return Optional.ofNullable(tensors.get(tensor));
    }

    public GoldenTensor tensor(String name) throws GoldenFormatException {
        GoldenTensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new GoldenFormatException(folder.resolve(FILE_NAME), "tensor " + name + " is not declared, but a case of the family "
                    + family() + " needs it", "record the case again");
        }
        return tensor;
    }

    /// The same case with other values in one tensor, for tests of the harness itself.
    GoldenCase replacing(String tensor, double[] values) throws GoldenFormatException {
        GoldenTensor old = tensor(tensor);
        Map<String, GoldenTensor> changed = new LinkedHashMap<>(tensors);
        changed.put(tensor, new GoldenTensor(old.file(), tensor, old.dtype(), old.shape(), values, old.meaning()));
        return new GoldenCase(folder, json, id, Collections.unmodifiableMap(changed));
    }

    /// Weights that other cases use, with nothing to compare: no results, and no tensor but parameters.
    public boolean isMaterial() {
        return results().isEmpty() && !tensors.isEmpty() && tensors.values().stream().allMatch(t -> t.meaning().contains("parameter"));
    }

    int intOf(String field) throws GoldenFormatException {
        JsonNode node = hyperparameters().path(field);
        if (!node.isIntegralNumber() || !node.canConvertToInt()) {
            throw wrongField(field, "an integer");
        }
        return node.asInt();
    }

    /// Empty for null and for a field that is not there.
    OptionalInt optionalInt(String field) throws GoldenFormatException {
        return isNull(field) ? OptionalInt.empty() : OptionalInt.of(intOf(field));
    }

    double doubleOf(String field) throws GoldenFormatException {
        if (!hyperparameters().path(field).isNumber()) {
            throw wrongField(field, "a number");
        }
        return hyperparameters().get(field).asDouble();
    }

    OptionalDouble optionalDouble(String field) throws GoldenFormatException {
        return isNull(field) ? OptionalDouble.empty() : OptionalDouble.of(doubleOf(field));
    }

    boolean booleanOf(String field) throws GoldenFormatException {
        if (!hyperparameters().path(field).isBoolean()) {
            throw wrongField(field, "true or false");
        }
        return hyperparameters().get(field).asBoolean();
    }

    String textOf(String field) throws GoldenFormatException {
        if (!hyperparameters().path(field).isTextual()) {
            throw wrongField(field, "a text");
        }
        return hyperparameters().get(field).asText();
    }

    private boolean isNull(String field) {
        return hyperparameters().path(field).isMissingNode() || hyperparameters().get(field).isNull();
    }

    GoldenFormatException wrongField(String field, String expected) {
        JsonNode node = hyperparameters().path(field);
        return new GoldenFormatException(folder.resolve(FILE_NAME), "hyperparameter " + field + " must be " + expected + ", "
                + (node.isMissingNode() ? "is missing" : "was " + node), "a case of the family " + family() + " needs it");
    }

    @Override
    public String toString() {
        return id;
    }
}
