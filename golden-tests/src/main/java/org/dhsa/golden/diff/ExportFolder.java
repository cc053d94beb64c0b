package org.dhsa.golden.diff;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import org.dhsa.cli.Json;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.vector.VectorTensor;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.WeightTensor;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.dhsa.weights.BoundaryPredictorLoader;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.dhsa.weights.SafetensorsFile;
import org.dhsa.weights.WeightsFormatException;

/// A folder that [Export] wrote. Tensors and weights are read when they are needed, and their hashes are checked then.
final class ExportFolder extends TracedFolder {

    private final Path path;
    private final JsonNode json;
    private final ForwardTrace trace;
    /// Weights whose hash was found right.
    private final Set<String> verified = new HashSet<>();
    private final List<AutoCloseable> open = new ArrayList<>();
    private Map<String, WeightTensor> weights = Map.of();

    private ExportFolder(Path path, JsonNode json, ForwardTrace trace) {
        super(path, trace);
        this.path = path;
        this.json = json;
        this.trace = trace;
    }

    /// @param modelOrNull where to take weights from that the export does not hold
    static ExportFolder open(Path path, Path modelOrNull) throws GoldenFormatException {
        Path index = path.resolve(Export.INDEX);
        JsonNode json = readJson(index);
        String schema = json.path("schema").asText("");
        if (!schema.equals(Export.SCHEMA)) {
            throw new GoldenFormatException(index, "has the schema version \"" + schema + "\", this program knows \"" + Export.SCHEMA + "\"",
                    "export again with the same version of the program");
        }
        ExportFolder folder = new ExportFolder(path, json, new ForwardTrace(setting(path, index, json)));
        try {
            folder.readTensors(index);
            folder.openWeights(modelOrNull);
            return folder;
        } catch (Throwable e) {
            folder.close();
            throw e;
        }
    }

    static JsonNode readJson(Path file) throws GoldenFormatException {
        try {
            return Json.MAPPER.readTree(Files.readAllBytes(file));
        } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
            throw new GoldenFormatException(file, "is not readable JSON: " + e.getOriginalMessage(), "write or copy it again", e);
        } catch (IOException e) {
            throw new GoldenFormatException(file, "cannot be read: " + e.getMessage(), "", e);
        }
    }

    private static ForwardTrace.Setting setting(Path path, Path index, JsonNode json) throws GoldenFormatException {
        SettingJson model = new SettingJson(index, json.path("config"));
        Optional<DhsaConfig> dhsa = Optional.empty();
        Optional<BoundaryPredictorWeights> predictor = Optional.empty();
        if (json.path("mode").asText("").equals("dhsa")) {
            dhsa = Optional.of(new SettingJson(index, json.path("dhsa")).dhsa());
            if (json.has("predictor")) {
                predictor = Optional.of(predictor(path, new SettingJson(index, json.get("predictor")), json.get("predictor")));
            }
        }
        return new ForwardTrace.Setting(model.model(), model.scale(), dhsa, predictor, json.path("tokens").size(), json.path("lastLogitsOnly").asBoolean() ? 1 : 0);
    }

    private static BoundaryPredictorWeights predictor(Path path, SettingJson named, JsonNode json) throws GoldenFormatException {
        Path file = path.resolve(named.text("file"));
        try {
            OptionalInt heads = json.path("predictorHeads").isNull() ? OptionalInt.empty() : OptionalInt.of(named.integer("predictorHeads"));
            return BoundaryPredictorLoader.load(file, heads, OptionalInt.of(named.integer("boundaryWindowSize")));
        } catch (IOException | WeightsFormatException e) {
            throw new GoldenFormatException(file, e.getMessage().replace(file + ": ", ""), "copy the export folder whole", e);
        }
    }

    private void readTensors(Path index) throws GoldenFormatException {
        for (Map.Entry<String, JsonNode> entry : json.path("tensors").properties()) {
            String name = entry.getKey();
            JsonNode node = entry.getValue();
            if (!name.equals(ForwardTrace.IDS) && !name.equals(ForwardTrace.GIVEN_BOUNDARIES) && trace.producer(name).isEmpty()) {
                throw new GoldenFormatException(index, "tensor " + name + " belongs to no stage of this model", "export again with the same version of the program");
            }
            if (!Files.isRegularFile(path.resolve(node.path("file").asText("")))) {
                throw new GoldenFormatException(path.resolve(node.path("file").asText("")), "is missing, though " + Export.INDEX + " lists it", "copy the export folder whole");
            }
            tensors().put(name, known(name, shape(index, name, node), node.path("comparison"), false));
        }
        if (tensors().isEmpty()) {
            throw new GoldenFormatException(index, "lists no tensor", "export again");
        }
    }

    static Shape shape(Path index, String name, JsonNode node) throws GoldenFormatException {
        if (node.path("axes").size() != node.path("shape").size()) {
            throw new GoldenFormatException(index, "tensor " + name + " has " + node.path("axes").size() + " axes and " + node.path("shape").size() + " extents", "");
        }
        Object[] axes = new Object[2 * node.path("axes").size()];
        for (int a = 0; a < axes.length / 2; a++) {
            axes[2 * a] = node.path("axes").get(a).asText();
            axes[2 * a + 1] = node.path("shape").get(a).asInt();
        }
        return Shape.of(axes);
    }

    static KnownTensor known(String name, Shape shape, JsonNode comparison, boolean exactIfUnknown) {
        KnownTensor.Kind kind = switch (comparison.path("kind").asText(exactIfUnknown ? "exact" : "")) {
            case "selection" -> KnownTensor.Kind.SELECTION;
            case "exact" -> KnownTensor.Kind.EXACT;
            default -> KnownTensor.Kind.CONTINUOUS;
        };
        OptionalDouble baseline = comparison.path("baselineError").isNumber() ? OptionalDouble.of(comparison.get("baselineError").asDouble()) : OptionalDouble.empty();
        return new KnownTensor(name, shape, kind, baseline, comparison.path("ratio").asDouble(Export.RATIO), comparison.path("floor").asDouble(0),
                comparison.path("largest").asDouble(Double.NaN), Optional.ofNullable(comparison.path("scores").textValue()),
                comparison.path("allowNaN").asBoolean(false), false, Optional.empty());
    }

    private void openWeights(Path modelOrNull) throws GoldenFormatException {
        Path file = path.resolve(Export.WEIGHTS);
        try {
            if (modelOrNull != null) {
                Gemma2Model model = Gemma2Loader.load(modelOrNull);
                open.add(model);
                weights = Export.byName(model.weights());
            } else if (json.path("weightsStored").asBoolean()) {
                SafetensorsFile stored = SafetensorsFile.open(file);
                open.add(stored);
                weights = new LinkedHashMap<>();
                for (String name : stored.names()) {
                    weights.put(name, stored.tensor(name));
                }
            }
        } catch (IOException | WeightsFormatException e) {
            throw new GoldenFormatException(modelOrNull == null ? file : modelOrNull, e.getMessage(), "", e);
        }
    }

    @Override
    public DoubleTensor tensor(String name) throws GoldenFormatException {
        JsonNode node = json.path("tensors").path(name);
        KnownTensor known = tensors().get(name);
        if (known == null) {
            throw new GoldenFormatException(path.resolve(Export.INDEX), "tensor " + name + " was not exported", "export again with more --stages or --layers");
        }
        Path file = path.resolve(node.path("file").asText());
        return read(file, name, known, node);
    }

    /// One tensor of a file, held against what the index says.
    static DoubleTensor read(Path file, String name, KnownTensor known, JsonNode node) throws GoldenFormatException {
        try (SafetensorsFile opened = SafetensorsFile.open(file)) {
            if (!opened.has(name)) {
                throw new GoldenFormatException(file, "tensor " + name + " is listed but absent", "copy the folder again");
            }
            WeightTensor stored = opened.tensor(name);
            if (!stored.dtype().name().equals(node.path("dtype").asText())) {
                throw new GoldenFormatException(file, "tensor " + name + " is listed as " + node.path("dtype").asText() + " but stored as " + stored.dtype(), "copy the folder again");
            }
            long[] dims = new long[known.shape().rank()];
            for (int a = 0; a < dims.length; a++) {
                dims[a] = known.shape().extent(a);
            }
            if (!java.util.Arrays.equals(dims, stored.dims())) {
                throw new GoldenFormatException(file, "tensor " + name + " is listed with shape " + java.util.Arrays.toString(dims) + " but stored with "
                        + java.util.Arrays.toString(stored.dims()), "copy the folder again");
            }
            String hash = VectorTensor.sha256(stored.bytes());
            if (!hash.equals(node.path("sha256").asText())) {
                throw new GoldenFormatException(file, "tensor " + name + " has the SHA-256 " + hash + " where " + node.path("sha256").asText("none") + " is listed",
                        "the file was changed or damaged; copy the folder again");
            }
            double[] values = stored.elements() == 0 ? new double[0] : stored.widen();
            for (int i = 0; i < values.length && !known.allowNaN(); i++) {
                if (Double.isNaN(values[i])) {
                    throw new GoldenFormatException(file, "tensor " + name + " holds a NaN at " + known.shape().describeIndex(i) + " where none is expected", "export it again");
                }
            }
            return DoubleTensor.of(known.shape(), values);
        } catch (WeightsFormatException e) {
            throw new GoldenFormatException(file, e.getMessage().replace(file + ": ", ""), "copy the folder again", e);
        } catch (IOException e) {
            throw new GoldenFormatException(file, "cannot be read: " + e.getMessage(), "", e);
        }
    }

    @Override
    public Tensor weight(String name) throws GoldenFormatException {
        WeightTensor weight = weights.get(name);
        if (weight == null) {
            throw new GoldenFormatException(path, "the weight " + name + " is not in the export", "name the model with --model");
        }
        String listed = json.path("weights").path(name).path("sha256").asText("");
        if (!listed.isEmpty() && verified.add(name) && !listed.equals(VectorTensor.sha256(weight.bytes()))) {
            verified.remove(name);
            throw new GoldenFormatException(path, "the weight " + name + " is not the one that was exported with (its SHA-256 differs)", "name the model that was exported");
        }
        return PredictorTensors.tensor(weight);
    }

    @Override
    public String description() {
        Gemma2Config c = trace.setting().config();
        return "export of a model with " + c.numHiddenLayers() + " layers, " + trace.setting().length() + " tokens, " + json.path("mode").asText() + " attention";
    }

    @Override
    public List<String> blindSpots() {
        KnownTensor boundaries = tensors().get(ForwardTrace.name(0, Stage.NON_MAXIMUM_SUPPRESSION, "boundaries"));
        return BlindSpots.of(trace.setting(), boundaries == null ? OptionalInt.empty() : OptionalInt.of(boundaries.shape().extent(0) - 1));
    }

    @Override
    public void close() {
        for (AutoCloseable each : open) {
            try {
                each.close();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
