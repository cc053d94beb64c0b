package org.dhsa.golden.diff;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Collectors;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.vector.CompositeSetting;
import org.dhsa.golden.vector.StageCatalog;
import org.dhsa.golden.vector.VectorCase;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// A published vector. A stage has one call, whose inputs are the case's; a generation is a row of tensors, of which only the
/// first inputs are known, so its stages cannot be judged one by one.
final class CaseFolder implements Expected, Recipe {

    private final VectorCase golden;
    private final boolean composite;
    private final List<TraceNode> nodes = new ArrayList<>();
    private final Map<String, TraceNode> producers = new LinkedHashMap<>();
    private final Map<String, KnownTensor> tensors = new LinkedHashMap<>();

    private CaseFolder(VectorCase golden) {
        this.golden = golden;
        this.composite = StageCatalog.INSTANCE.composite(golden.slug());
    }

    static Expected open(Path path) throws GoldenFormatException {
        if (!VectorCase.isOne(path)) {
            return RecordingFolder.open(path);
        }
        try {
            VectorCase golden = VectorCase.read(path);
            Optional<CompositeSetting> pass = CompositeSetting.of(golden);
            if (pass.isPresent()) {
                return CompositeFolder.open(golden, pass.get());
            }
            CaseFolder folder = new CaseFolder(golden);
            folder.build();
            return folder;
        } catch (IllegalArgumentException e) {
            throw new GoldenFormatException(path, e.getMessage(), "get the case again", e);
        } catch (IOException e) {
            throw new GoldenFormatException(path, "cannot be read: " + e.getMessage(), "", e);
        }
    }

    private void build() {
        Map<String, String> inputs = new LinkedHashMap<>();
        golden.inputs().forEach((name, tensor) -> {
            inputs.put(name, name);
            tensors.put(name, new KnownTensor(name, tensor.shape(), name.equals("segments") || name.equals("blocks") || name.equals("boundaries") || name.equals("ids")
                    || name.equals("selectedKeys") ? KnownTensor.Kind.EXACT : KnownTensor.Kind.CONTINUOUS, OptionalDouble.empty(), 1, 0, Double.NaN, Optional.empty(), false, true, Optional.empty()));
        });
        Map<String, String> outputs = new LinkedHashMap<>();
        for (VectorCase.Expected e : golden.expected().values()) {
            JsonNode comparison = e.comparison();
            KnownTensor known = ExportFolder.known(e.name(), e.tensor().shape(), comparison, true);
            tensors.put(e.name(), new KnownTensor(known.name(), known.shape(), known.kind(), known.baselineError(), known.ratio(), known.floor(), known.largest(), known.scores(),
                    known.allowNaN(), !e.required(), Optional.empty()));
            if (composite) {
                add(new TraceNode(ForwardTrace.stage(e.stage()), e.layer(), Map.of(), Map.of(e.name(), e.name())));
            } else {
                outputs.put(e.name(), e.name());
            }
        }
        if (!composite) {
            add(new TraceNode(ForwardTrace.stage(golden.slug()), -1, inputs, outputs));
        }
    }

    private void add(TraceNode node) {
        nodes.add(node);
        node.tensors().forEach(name -> producers.put(name, node));
    }

    @Override
    public List<TraceNode> nodes() {
        return nodes;
    }

    @Override
    public Optional<TraceNode> producer(String tensor) {
        return Optional.ofNullable(producers.get(tensor));
    }

    @Override
    public StageCall call(TraceNode node, TensorSource from) throws GoldenFormatException {
        if (composite) {
            throw new IllegalArgumentException("a vector of " + golden.slug() + " holds the inputs of the whole, not of each stage");
        }
        Map<String, Tensor> inputs = new LinkedHashMap<>();
        for (String name : golden.inputs().keySet()) {
            // weights keep their type; what the port dumped of its own inputs is preferred
            DoubleTensor own = from.tensor(name);
            inputs.put(name, own == from(name) ? golden.inputs().get(name) : own);
        }
        return new StageCall(golden.slug(), (ObjectNode) golden.config(), inputs);
    }

    /// The whole case, whatever it is about.
    @Override
    public Optional<Whole> whole() {
        return composite ? Optional.of(new Whole(new StageCall(golden.slug(), (ObjectNode) golden.config(), golden.inputs()),
                golden.expected().keySet().stream().collect(Collectors.toMap(n -> n, n -> n)))) : Optional.empty();
    }

    private final Map<String, DoubleTensor> read = new LinkedHashMap<>();

    private DoubleTensor from(String name) {
        return read.computeIfAbsent(name, n -> (golden.expected().containsKey(n) ? golden.expected().get(n).tensor() : golden.inputs().get(n)).toDouble());
    }

    @Override
    public DoubleTensor tensor(String name) throws GoldenFormatException {
        if (!tensors.containsKey(name)) {
            throw new GoldenFormatException(golden.folder(), "has no tensor " + name, "");
        }
        return from(name);
    }

    @Override
    public Tensor weight(String name) throws GoldenFormatException {
        return golden.inputs().get(name);
    }

    @Override
    public Path path() {
        return golden.folder();
    }

    @Override
    public String description() {
        return "vector " + golden.id() + ": " + golden.json().path("comment").asText();
    }

    @Override
    public Recipe recipe() {
        return this;
    }

    @Override
    public Map<String, KnownTensor> tensors() {
        return tensors;
    }

    @Override
    public Map<String, String> aliases() {
        return Map.of();
    }

    @Override
    public Map<String, Integer> extents() {
        Map<String, Integer> extents = new LinkedHashMap<>();
        for (KnownTensor known : tensors.values()) {
            Shape shape = known.shape();
            shape.names().forEach(axis -> extents.putIfAbsent(axis, shape.extent(axis)));
        }
        return extents;
    }

    @Override
    public int layers() {
        return golden.config().path("numHiddenLayers").asInt(0);
    }

    @Override
    public void close() {
        // everything was read at once
    }
}
