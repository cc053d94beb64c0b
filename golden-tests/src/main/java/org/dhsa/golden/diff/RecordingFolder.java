package org.dhsa.golden.diff;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dhsa.golden.GoldenCase;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.GoldenTensor;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.dhsa.weights.WeightsFormatException;

/// A recording of dense Gemma 2 (family `gemma2`): what Google's own code computed. One sequence; ACTUAL may use the recorded names,
/// with the recorded axes, or those of an export.
final class RecordingFolder implements Expected {

    private static final Pattern OF_LAYER = Pattern.compile("layers\\.(\\d+)\\.(\\w+)");
    /// Recorded name, name in a trace, recorded axes after the batch.
    private static final String[][] NAMES = {
        {"embeddings_scaled", "embedding.embeddings", "queryLen", "modelDim"}, {"input_layernorm", "rms-norm.inputLayernorm", "queryLen", "modelDim"},
        {"q_rope", "rotary-embedding.query", "queryLen", "heads", "headDim"}, {"k_rope", "rotary-embedding.key", "keyLen", "kvHeads", "headDim"},
        {"v", "qkv-projection.value", "keyLen", "kvHeads", "headDim"}, {"attn_context", "dense-attention.context", "queryLen", "heads*headDim"},
        {"attn_output", "output-projection.attnOutput", "queryLen", "modelDim"}, {"post_attention_layernorm", "rms-norm.postAttentionLayernorm", "queryLen", "modelDim"},
        {"pre_feedforward_layernorm", "rms-norm.preFeedforwardLayernorm", "queryLen", "modelDim"}, {"mlp_output", "feed-forward.mlpOutput", "queryLen", "modelDim"},
        {"post_feedforward_layernorm", "rms-norm.postFeedforwardLayernorm", "queryLen", "modelDim"}, {"hidden_out", "residual-add.hidden", "queryLen", "modelDim"},
        {"final_norm", "rms-norm.finalNorm", "queryLen", "modelDim"}, {"logits", "lm-head.logits", "queryLen", "vocab"}};

    private final GoldenCase golden;
    private final Gemma2Model model;
    private final ForwardTrace trace;
    private final Map<String, WeightTensor> weights;
    private final Map<String, KnownTensor> tensors = new LinkedHashMap<>();
    private final Map<String, GoldenTensor> recorded = new LinkedHashMap<>();
    private final Map<String, List<String>> axes = new LinkedHashMap<>();

    private RecordingFolder(GoldenCase golden, Gemma2Model model, int length) {
        this.golden = golden;
        this.model = model;
        this.weights = Export.byName(model.weights());
        this.trace = new ForwardTrace(new ForwardTrace.Setting(model.config(), EmbeddingScale.EXACT, Optional.empty(), Optional.empty(), length, false));
    }

    static Expected open(Path path) throws GoldenFormatException {
        GoldenCase golden = GoldenCase.read(path);
        if (!golden.family().equals("gemma2") || !golden.has("logits") || golden.find("input_ids").isEmpty()) {
            throw new GoldenFormatException(path, "is a recording of the family " + golden.family() + ", whose stages diff does not know",
                    "recordings of one prompt through dense Gemma 2 can be compared (gemma2/base_f32); check an implementation of the others with \"dhsa golden check\", "
                            + "or use the vectors of that stage");
        }
        GoldenTensor ids = golden.find("input_ids").get();
        if (ids.extent(0) != 1) {
            throw new GoldenFormatException(path, "records a batch of " + ids.extent(0), "one sequence can be compared");
        }
        try {
            RecordingFolder folder = new RecordingFolder(golden, Gemma2Loader.load(path), ids.extent(1));
            folder.find();
            return folder;
        } catch (IOException | WeightsFormatException e) {
            throw new GoldenFormatException(path, e.getMessage(), "copy the recording whole", e);
        }
    }

    private void find() throws GoldenFormatException {
        GoldenTensor ids = golden.find("input_ids").orElseThrow();
        tensors.put(ForwardTrace.IDS, known(ForwardTrace.IDS, Shape.of("queryLen", ids.extent(1)), KnownTensor.Kind.EXACT));
        recorded.put(ForwardTrace.IDS, ids);
        axes.put(ForwardTrace.IDS, List.of("batch", "queryLen"));
        for (GoldenTensor tensor : golden.tensors().values()) {
            Matcher m = OF_LAYER.matcher(tensor.name());
            String plain = m.matches() ? m.group(2) : tensor.name();
            for (String[] row : NAMES) {
                if (row[0].equals(plain)) {
                    String name = (m.matches() ? "layers." + m.group(1) + "." : "") + row[1];
                    List<String> declared = new ArrayList<>(List.of("batch"));
                    declared.addAll(Arrays.asList(row).subList(2, row.length));
                    tensors.put(name, known(name, shape(declared, tensor), KnownTensor.Kind.CONTINUOUS));
                    recorded.put(name, tensor);
                    axes.put(name, declared);
                }
            }
        }
    }

    private KnownTensor known(String name, Shape shape, KnownTensor.Kind kind) {
        double floatAbs = golden.tolerance().path("float_port").path("logits_abs").asDouble(golden.tolerance().path("float_port").path("abs").asDouble(2e-5));
        double doubleAbs = golden.tolerance().path("double_port").path("abs").asDouble(1e-9);
        return new KnownTensor(name, shape, kind, OptionalDouble.empty(), 1, 0, Double.NaN, Optional.empty(), false, false,
                Optional.of(new KnownTensor.Tolerance(floatAbs, golden.tolerance().path("float_port").path("rel").asDouble(1e-4), doubleAbs, doubleAbs)));
    }

    /// In the order of a trace: heads before tokens.
    private Shape shape(List<String> declared, GoldenTensor tensor) {
        Gemma2Config c = model.config();
        Map<String, Integer> extents = Map.of("queryLen", tensor.extent(1), "keyLen", tensor.extent(1), "heads", c.numAttentionHeads(), "kvHeads", c.numKeyValueHeads(),
                "headDim", c.headDim(), "modelDim", c.hiddenSize(), "vocab", c.vocabSize());
        List<String> names = new ArrayList<>(declared.subList(1, declared.size()).stream().flatMap(a -> Arrays.stream(a.split("\\*"))).toList());
        if (names.contains("headDim")) {
            names = List.of(names.get(1), names.get(0), names.get(2));
        }
        Object[] shape = new Object[2 * names.size()];
        for (int a = 0; a < names.size(); a++) {
            shape[2 * a] = names.get(a);
            shape[2 * a + 1] = extents.get(names.get(a));
        }
        return Shape.of(shape);
    }

    @Override
    public NameMap names() {
        Map<String, NameMap.Target> targets = new LinkedHashMap<>();
        recorded.forEach((name, tensor) -> targets.put(tensor.name(), new NameMap.Target(name, axes.get(name), List.of(), false)));
        return NameMap.exactly(targets);
    }

    @Override
    public DoubleTensor tensor(String name) throws GoldenFormatException {
        GoldenTensor tensor = recorded.get(name);
        if (tensor == null) {
            throw new GoldenFormatException(golden.folder(), "does not record " + name, "");
        }
        Shape shape = tensors.get(name).shape();
        long[] dims = Arrays.stream(tensor.shape()).asLongStream().toArray();
        try {
            return Layout.declared(shape, dims, axes.get(name), List.of(), false, extents()).apply(shape, tensor.values());
        } catch (Layout.Misfit e) {
            throw new GoldenFormatException(tensor.file(), "tensor " + tensor.name() + " " + e.getMessage(), "record it again", e);
        }
    }

    @Override
    public Tensor weight(String name) {
        return PredictorTensors.tensor(weights.get(name));
    }

    @Override
    public Path path() {
        return golden.folder();
    }

    @Override
    public String description() {
        return "recording " + golden.id() + ": " + golden.function();
    }

    @Override
    public Recipe recipe() {
        return trace;
    }

    @Override
    public Map<String, KnownTensor> tensors() {
        return tensors;
    }

    @Override
    public Map<String, String> aliases() {
        return ExportFolder.aliases(trace);
    }

    @Override
    public Map<String, Integer> extents() {
        Gemma2Config c = model.config();
        return Map.of("heads", c.numAttentionHeads(), "kvHeads", c.numKeyValueHeads(), "headDim", c.headDim(), "modelDim", c.hiddenSize());
    }

    @Override
    public int layers() {
        return model.config().numHiddenLayers();
    }

    @Override
    public void close() {
        model.close();
    }
}
