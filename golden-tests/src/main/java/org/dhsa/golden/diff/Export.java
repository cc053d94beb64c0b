package org.dhsa.golden.diff;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.dhsa.backend.Backend;
import org.dhsa.cli.Json;
import org.dhsa.golden.vector.VectorTensor;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.generate.Probes;
import org.dhsa.model.Gemma2Weights;
import org.dhsa.model.LayerKind;
import org.dhsa.model.WeightTensor;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.dhsa.weights.SafetensorsFile;
import org.dhsa.weights.SafetensorsWriter;
import org.dhsa.weights.WeightsFormatException;

/// Writes what a forward pass computes, one file a tensor, while it runs: never more than one tensor is held.
///
/// A second pass, of a plain float32 program, tells how far honest float32 arithmetic strays at each of these tensors: the
/// `baselineError`. It reads the written tensors back one by one.
public final class Export {

    public static final String SCHEMA = "dhsa-golden-export/1";
    public static final String INDEX = "export.json";
    static final String WEIGHTS = "weights.safetensors";

    /// Multiple of the baseline's error that a port may have, and the floor in units of float32 rounding of the largest value.
    /// Eight: another order of summation changes a worst error by a small factor, a mistake by orders of magnitude.
    static final double RATIO = 8;
    static final double FLOOR_ROUNDINGS = 4;

    private static final Map<String, String> SHOWN = shown();

    private final Path folder;
    private final ForwardTrace trace;
    private final Set<String> wanted = new LinkedHashSet<>();
    private final Map<String, ObjectNode> entries = new LinkedHashMap<>();

    /// @param folder  an empty one, to be filled
    /// @param chosen  calls whose inputs and outputs are written
    public Export(Path folder, ForwardTrace.Setting setting, Predicate<TraceNode> chosen) {
        this.folder = folder;
        this.trace = new ForwardTrace(setting);
        for (TraceNode node : trace.nodes()) {
            if (chosen.test(node)) {
                node.inputs().values().stream().filter(name -> !ForwardTrace.isWeight(name)).forEach(wanted::add);
                wanted.addAll(node.tensors());
            }
        }
    }

    /// How many tensors will be written.
    public int tensors() {
        return wanted.size();
    }

    /// Weights that the chosen calls read.
    public Set<String> weights() {
        Set<String> weights = new LinkedHashSet<>();
        trace.nodes().stream().filter(node -> wanted.containsAll(node.tensors()))
                .forEach(node -> node.inputs().values().stream().filter(ForwardTrace::isWeight).forEach(weights::add));
        return weights;
    }

    /// The pass itself.
    public void run(int[] ids, AttentionMode mode, Gemma2Weights weights, Backend backend, Probe watcher) throws IOException {
        if (wanted.contains(ForwardTrace.IDS)) {
            write(ForwardTrace.IDS, DoubleTensor.of(Shape.of("queryLen", ids.length), Arrays.stream(ids).asDoubleStream().toArray()));
        }
        if (wanted.contains(ForwardTrace.GIVEN_BOUNDARIES) && mode instanceof AttentionMode.Dhsa dhsa && dhsa.boundaries().isPresent()) {
            write(ForwardTrace.GIVEN_BOUNDARIES, ForwardTrace.boundaryTensor(dhsa.boundaries().get()));
        }
        pass(ids, mode, weights, backend, Probes.all(new Seen(this::writeUnchecked), watcher));
        for (String name : wanted) {
            if (!entries.containsKey(name)) {
                throw new IllegalStateException("the forward pass did not show " + name);
            }
        }
    }

    /// The same pass by a plain float32 program, compared tensor by tensor. Once its boundaries or its lists of keys are others,
    /// nothing after them is a measure of rounding; those tensors get no baseline.
    ///
    /// @return the tensor at which it took another way, empty if it did not
    public String baseline(int[] ids, AttentionMode mode, Gemma2Weights weights, Backend float32, Probe watcher) {
        String[] parted = {""};
        pass(ids, mode, weights, float32, Probes.all(new Seen((name, value) -> {
            ObjectNode entry = entries.get(name);
            if (entry == null || !parted[0].isEmpty()) {
                return;
            }
            DoubleTensor truth = read(entry, name);
            if (entry.get("dtype").asText().equals("I64")) {
                parted[0] = Arrays.equals(truth.data(), value.data()) ? "" : name;
                return;
            }
            double worst = 0;
            for (int i = 0; i < truth.data().length; i++) {
                worst = Math.max(worst, Math.abs(truth.data()[i] - value.data()[i]));
            }
            ((ObjectNode) entry.get("comparison")).put("baselineError", worst);
        }), watcher));
        return parted[0];
    }

    private void pass(int[] ids, AttentionMode mode, Gemma2Weights weights, Backend backend, Probe probe) {
        Gemma2Forward.Session session = new Gemma2Forward(trace.setting().config(), weights, backend, trace.setting().scale()).open(mode, probe);
        if (trace.setting().lastLogits() > 0) {
            session.prefill(ids);
        } else {
            session.prefillAllLogits(ids);
        }
    }

    /// Stores the weights that the chosen calls read, in their own type.
    public void storeWeights(Map<String, WeightTensor> weights) throws IOException {
        SafetensorsWriter writer = new SafetensorsWriter();
        for (String name : weights()) {
            WeightTensor w = weights.get(name);
            writer.add(name, w.dtype(), w.dims(), w.bytes());
        }
        writer.write(folder.resolve(WEIGHTS));
    }

    /// `export.json`, the last file that is written.
    ///
    /// @param head  what the tensors do not tell: model, backend, prompt
    public void finish(ObjectNode head, Map<String, WeightTensor> weights) throws IOException {
        ObjectNode root = Json.object();
        root.put("schema", SCHEMA);
        root.setAll(head);
        ObjectNode used = root.putObject("weights");
        for (String name : weights()) {
            WeightTensor w = weights.get(name);
            ObjectNode node = used.putObject(name).put("dtype", w.dtype().name());
            node.set("shape", Json.MAPPER.valueToTree(w.dims()));
            node.put("sha256", VectorTensor.sha256(w.bytes()));
        }
        var order = root.putArray("order");
        for (TraceNode node : trace.nodes()) {
            if (wanted.containsAll(node.tensors())) {
                ObjectNode call = order.addObject().put("stage", node.stage().slug()).put("layer", node.layer());
                node.inputs().forEach(call.putObject("inputs")::put);
                node.outputs().forEach(call.putObject("outputs")::put);
            }
        }
        ObjectNode tensors = root.putObject("tensors");
        entries.forEach(tensors::set);
        Files.writeString(folder.resolve(INDEX), Json.pretty(root) + "\n");
    }

    private void writeUnchecked(String name, DoubleTensor value) {
        try {
            if (wanted.contains(name) && !entries.containsKey(name)) {
                write(name, value);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void write(String name, DoubleTensor value) throws IOException {
        boolean whole = isWhole(name);
        Shape shape = value.shape();
        long[] dims = new long[shape.rank()];
        for (int a = 0; a < dims.length; a++) {
            dims[a] = shape.extent(a);
        }
        ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(8, value.data().length)).order(ByteOrder.LITTLE_ENDIAN);
        double largest = 0;
        for (double v : value.data()) {
            if (whole) {
                bytes.putLong((long) v);
            } else {
                bytes.putDouble(v);
                largest = Double.isFinite(v) ? Math.max(largest, Math.abs(v)) : largest;
            }
        }
        DType dtype = whole ? DType.I64 : DType.F64;
        String file = name + ".safetensors";
        new SafetensorsWriter().add(name, dtype, dims, MemorySegment.ofArray(bytes.array())).write(folder.resolve(file));
        ObjectNode entry = Json.object().put("file", file).put("dtype", dtype.name());
        entry.set("axes", Json.MAPPER.valueToTree(shape.names()));
        entry.set("shape", Json.MAPPER.valueToTree(dims));
        entry.put("sha256", VectorTensor.sha256(MemorySegment.ofArray(bytes.array())));
        ObjectNode comparison = entry.putObject("comparison");
        if (name.endsWith("selectedKeys")) {
            comparison.put("kind", "selection").put("scores", name.replace("top-k-selection.selectedKeys", "upsampling.tokenScores"));
        } else if (whole) {
            comparison.put("kind", "exact");
        } else {
            comparison.put("kind", "continuous").put("truth", "f64").putNull("baselineError").put("ratio", RATIO)
                    .put("floor", FLOOR_ROUNDINGS * Budget.FLOAT32 * largest).put("largest", largest);
        }
        entries.put(name, entry);
    }

    static boolean isWhole(String name) {
        return name.equals(ForwardTrace.IDS) || name.endsWith("boundaries") || name.endsWith("selectedKeys");
    }

    private DoubleTensor read(ObjectNode entry, String name) {
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve(entry.get("file").asText()))) {
            String[] axes = Json.MAPPER.convertValue(entry.get("axes"), String[].class);
            return file.tensor(name).widen(axes);
        } catch (IOException | WeightsFormatException e) {
            throw new UncheckedIOException(new IOException(e.getMessage(), e));
        }
    }

    /// Turns what a pass shows into the tensors of a trace.
    static final class Seen implements Probe {

        interface Sink {
            void accept(String name, DoubleTensor value);
        }

        private final Sink sink;

        Seen(Sink sink) {
            this.sink = sink;
        }

        @Override
        public void tensor(Stage stage, int layer, String name, Tensor value) {
            String tensor = SHOWN.get(name);
            if (tensor != null) {
                sink.accept(ForwardTrace.name(layer, stage, tensor), value.toDouble());
            }
        }

        @Override
        public void boundaries(int layer, Boundaries boundaries) {
            sink.accept(ForwardTrace.name(layer, Stage.NON_MAXIMUM_SUPPRESSION, "boundaries"), ForwardTrace.boundaryTensor(boundaries));
        }

        @Override
        public void selection(int layer, LayerKind kind, KeySelection selection) {
            sink.accept(ForwardTrace.name(layer, Stage.TOP_K_SELECTION, "selectedKeys"), ForwardTrace.selectedKeys(selection));
        }
    }

    private static Map<String, String> shown() {
        Map<String, String> map = new LinkedHashMap<>();
        String[] pairs = {"embeddings_scaled", "embeddings", "input_layernorm", "inputLayernorm", "q", "query", "k", "key", "v", "value",
            "q_rope", "query", "k_rope", "key", "attn_context", "context", "attn_output", "attnOutput", "post_attention_layernorm", "postAttentionLayernorm",
            "hidden_middle", "hiddenMiddle", "pre_feedforward_layernorm", "preFeedforwardLayernorm", "mlp_output", "mlpOutput",
            "post_feedforward_layernorm", "postFeedforwardLayernorm", "hidden_out", "hidden", "raw_logits", "boundaryLogits", "ratios", "filled",
            "k_repr", "keyChunks", "q_repr", "queryChunks", "chunk_scores", "chunkScores", "token_scores", "tokenScores", "final_norm", "finalNorm",
            "logits", "logits"};
        for (int i = 0; i < pairs.length; i += 2) {
            map.put(pairs[i], pairs[i + 1]);
        }
        return Map.copyOf(map);
    }

    /// A model's weights under the names of the published checkpoint.
    public static Map<String, WeightTensor> byName(Gemma2Weights weights) {
        Map<String, WeightTensor> map = new LinkedHashMap<>();
        map.put(ForwardTrace.TABLE, weights.embedTokens());
        for (int l = 0; l < weights.layers().size(); l++) {
            Gemma2Weights.Layer layer = weights.layers().get(l);
            String w = "model.layers." + l + ".";
            map.put(w + "input_layernorm.weight", layer.inputLayernorm());
            map.put(w + "self_attn.q_proj.weight", layer.qProj());
            map.put(w + "self_attn.k_proj.weight", layer.kProj());
            map.put(w + "self_attn.v_proj.weight", layer.vProj());
            map.put(w + "self_attn.o_proj.weight", layer.oProj());
            map.put(w + "post_attention_layernorm.weight", layer.postAttentionLayernorm());
            map.put(w + "pre_feedforward_layernorm.weight", layer.preFeedforwardLayernorm());
            map.put(w + "mlp.gate_proj.weight", layer.gateProj());
            map.put(w + "mlp.up_proj.weight", layer.upProj());
            map.put(w + "mlp.down_proj.weight", layer.downProj());
            map.put(w + "post_feedforward_layernorm.weight", layer.postFeedforwardLayernorm());
        }
        map.put("model.norm.weight", weights.norm());
        return map;
    }
}
