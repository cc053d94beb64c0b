package org.dhsa.golden.diff;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.dhsa.backend.Backend;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.vector.CompositeSetting;
import org.dhsa.golden.vector.VectorCase;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// A published vector of a layer, a model or a chain, walked stage by stage. What the case does not hold of the way is computed
/// by the reference from the case's inputs, so that a port may give it too; nobody has to.
final class CompositeFolder extends TracedFolder {

    private final VectorCase golden;
    private final Map<String, DoubleTensor> values = new LinkedHashMap<>();
    private final Map<String, String> names = new LinkedHashMap<>();

    private CompositeFolder(VectorCase golden, ForwardTrace trace) {
        super(golden.folder(), trace);
        this.golden = golden;
    }

    static CompositeFolder open(VectorCase golden, CompositeSetting setting) throws GoldenFormatException {
        String tokens = golden.inputs().containsKey("ids") ? "ids" : golden.inputs().containsKey("x") ? "x" : "query";
        ForwardTrace.Setting all = new ForwardTrace.Setting(setting.config(), setting.scale(), setting.dhsa(), setting.predictor(),
                golden.inputs().get(tokens).shape().extent("queryLen"), 0);
        int window = golden.config().path("slidingWindow").asInt(0);
        ForwardTrace trace = switch (golden.slug()) {
            case "decoder-layer" -> ForwardTrace.layer(all, golden.config().path("layer").asInt());
            case "selection-chain", "sparse-chain" -> ForwardTrace.chain(all, window, golden.slug().equals("sparse-chain"));
            default -> new ForwardTrace(all);
        };
        CompositeFolder folder = new CompositeFolder(golden, trace);
        folder.stored();
        folder.computed();
        trace.whole(new Recipe.Whole(new StageCall(golden.slug(), (ObjectNode) golden.config(), golden.inputs()), folder.names));
        return folder;
    }

    private void stored() {
        golden.inputs().forEach((name, tensor) -> {
            if (!ForwardTrace.isWeight(name) && recipe().nodes().stream().anyMatch(node -> node.inputs().containsValue(name))) {
                values.put(name, tensor.toDouble());
                tensors().put(name, known(name, name.equals(ForwardTrace.IDS) ? KnownTensor.Kind.EXACT : KnownTensor.Kind.CONTINUOUS, OptionalDouble.empty(), 0));
            }
        });
        int only = golden.slug().equals("decoder-layer") ? golden.config().path("layer").asInt() : -1;
        for (VectorCase.Expected e : golden.expected().values()) {
            Stage stage = ForwardTrace.stage(e.stage());
            int layer = e.layer() < 0 ? only : e.layer();
            String plain = e.name().substring(e.name().lastIndexOf('.') + 1);
            String name = ForwardTrace.name(layer, stage, plain);
            names.put(e.name(), name);
            if (recipe().producer(name).isEmpty()) {
                recipe().result(stage, layer, plain, name);
            }
            KnownTensor k = ExportFolder.known(name, e.tensor().shape(), e.comparison(), true);
            tensors().put(name, new KnownTensor(name, k.shape(), k.kind(), k.baselineError(), k.ratio(), k.floor(), k.largest(),
                    k.scores().map(s -> ForwardTrace.name(layer, Stage.UPSAMPLING, s)), k.allowNaN(), !e.required(), Optional.empty()));
            values.put(name, e.tensor().toDouble());
        }
    }

    private KnownTensor known(String name, KnownTensor.Kind kind, OptionalDouble baselineError, double floor) {
        return new KnownTensor(name, values.get(name).shape(), kind, baselineError, Export.RATIO, floor, Double.NaN,
                kind == KnownTensor.Kind.SELECTION ? Optional.of(name.replace("top-k-selection.selectedKeys", "upsampling.tokenScores")) : Optional.empty(), false, true, Optional.empty());
    }

    /// The whole way, by the reference and by plain float32 loops, whose error is the baseline of what the case does not hold.
    private void computed() throws GoldenFormatException {
        Map<String, DoubleTensor> single = new LinkedHashMap<>();
        try (Backend reference = new ReferenceBackend(); Backend plain = OptimizedBackend.scalar(1)) {
            for (TraceNode node : recipe().nodes()) {
                if (node.inputs().isEmpty()) {
                    continue;
                }
                Map<String, DoubleTensor> truth = recipe().call(node, this).on(reference);
                Map<String, DoubleTensor> rounded = recipe().call(node, from(single)).on(plain);
                node.outputs().forEach((component, name) -> {
                    single.put(name, rounded.get(component));
                    if (values.putIfAbsent(name, truth.get(component)) == null) {
                        tensors().put(name, computed(name, truth.get(component), rounded.get(component)));
                    }
                });
            }
        }
    }

    private KnownTensor computed(String name, DoubleTensor truth, DoubleTensor rounded) {
        if (Export.isWhole(name)) {
            return known(name, name.endsWith("selectedKeys") ? KnownTensor.Kind.SELECTION : KnownTensor.Kind.EXACT, OptionalDouble.empty(), 0);
        }
        double largest = DiffEngine.largest(truth);
        return known(name, KnownTensor.Kind.CONTINUOUS, DiffEngine.worstError(truth, rounded), Export.FLOOR_ROUNDINGS * Budget.FLOAT32 * largest);
    }

    private TensorSource from(Map<String, DoubleTensor> computed) {
        return new TensorSource() {
            @Override
            public DoubleTensor tensor(String name) throws GoldenFormatException {
                DoubleTensor own = computed.get(name);
                return own == null ? CompositeFolder.this.tensor(name) : own;
            }

            @Override
            public Tensor weight(String name) {
                return CompositeFolder.this.weight(name);
            }
        };
    }

    @Override
    public DoubleTensor tensor(String name) throws GoldenFormatException {
        DoubleTensor value = values.get(name);
        if (value == null) {
            throw new GoldenFormatException(golden.folder(), "has no tensor " + name, "");
        }
        return value;
    }

    @Override
    public Tensor weight(String name) {
        return golden.inputs().get(name);
    }

    @Override
    public String description() {
        return "vector " + golden.id() + ": " + golden.json().path("comment").asText();
    }

    /// The vector's own names lead to the stages that make them.
    @Override
    public Map<String, String> aliases() {
        Map<String, String> aliases = new LinkedHashMap<>(super.aliases());
        aliases.putAll(names);
        return aliases;
    }

    @Override
    public void close() {
        // everything was read at once
    }
}
