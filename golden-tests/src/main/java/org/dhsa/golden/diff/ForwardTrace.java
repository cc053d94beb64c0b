package org.dhsa.golden.diff;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.DoubleStream;
import org.dhsa.cli.Json;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.LayerKind;
import org.dhsa.model.Quirk;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// A prompt's way through the model as a list of stage calls over named tensors, so that any one of them can be computed again
/// alone from its inputs.
///
///     layers.3.rms-norm.inputLayernorm  ->  layers.3.qkv-projection.{query, key, value}  ->  layers.3.rotary-embedding.query ...
///
/// The wiring is that of [org.dhsa.forward.Gemma2Forward]; a test holds the two against each other, tensor by tensor.
public final class ForwardTrace implements Recipe {

    static final String IDS = "ids";
    static final String GIVEN_BOUNDARIES = "boundaries";
    static final String TABLE = "model.embed_tokens.weight";

    /// What is computed.
    ///
    /// @param dhsa          empty for dense attention
    /// @param predictor     empty when the boundaries are given
    /// @param lastLogits    final norm and head see this many positions, the last ones; 0 for all
    public record Setting(Gemma2Config config, EmbeddingScale scale, Optional<DhsaConfig> dhsa, Optional<BoundaryPredictorWeights> predictor,
                   int length, int lastLogits) {}

    private final Setting setting;
    private final List<TraceNode> nodes = new ArrayList<>();
    private final Map<String, TraceNode> producers = new LinkedHashMap<>();

    /// Parameters of single calls that differ from the setting's, by the call's first tensor.
    private final Map<String, ObjectNode> own = new LinkedHashMap<>();
    /// Window of calls that belong to no layer; 0 for none.
    private final int window;

    /// The whole model.
    ForwardTrace(Setting setting) {
        this(setting, 0);
        build();
    }

    private ForwardTrace(Setting setting, int window) {
        this.setting = setting;
        this.window = window;
    }

    /// One decoder layer on the given `x`.
    static ForwardTrace layer(Setting setting, int layer) {
        ForwardTrace trace = new ForwardTrace(setting, 0);
        trace.layer(layer, "x");
        return trace;
    }

    /// Sparse attention of one layer on the given `query`, `key` and `value`, after the rotation.
    ///
    /// @param window 0 for a global layer
    /// @param attend false to end with the selected keys
    static ForwardTrace chain(Setting setting, int window, boolean attend) {
        ForwardTrace trace = new ForwardTrace(setting, window);
        trace.sparse(-1, "query", "key", "value");
        if (!attend) {
            trace.nodes.removeIf(node -> node.stage() == Stage.SPARSE_ATTENTION);
            trace.producers.values().removeIf(node -> node.stage() == Stage.SPARSE_ATTENTION);
        }
        return trace;
    }

    /// From keys to boundaries.
    static ForwardTrace boundaries(Setting setting) {
        ForwardTrace trace = new ForwardTrace(setting, 0);
        trace.predicted(-1, "key");
        return trace;
    }

    /// Parameters of one call that are not the setting's.
    ObjectNode own(TraceNode node) {
        return own.computeIfAbsent(node.tensors().getFirst(), tensor -> Json.object());
    }

    /// The same call once more with parameters of its own.
    ObjectNode again(TraceNode node, String tensor) {
        add(new TraceNode(node.stage(), node.layer(), node.inputs(), Map.of(node.outputs().keySet().iterator().next(), tensor)));
        return own(nodes.getLast());
    }

    /// Names one more result of the stage; a new call, of which nothing but the result is known, where there is no such stage.
    void result(Stage stage, int layer, String component, String tensor) {
        Optional<TraceNode> found = nodes.stream().filter(n -> n.stage() == stage && n.layer() == layer).findFirst();
        Map<String, String> outputs = new LinkedHashMap<>(found.map(TraceNode::outputs).orElse(Map.of()));
        outputs.put(component, tensor);
        TraceNode node = new TraceNode(stage, layer, found.map(TraceNode::inputs).orElse(Map.of()), outputs);
        found.ifPresentOrElse(old -> nodes.set(nodes.indexOf(old), node), () -> nodes.add(node));
        node.tensors().forEach(name -> producers.put(name, node));
    }

    private void add(TraceNode node) {
        nodes.add(node);
        node.tensors().forEach(tensor -> producers.put(tensor, node));
    }

    Setting setting() {
        return setting;
    }

    private Optional<Whole> whole = Optional.empty();
    private boolean wholeFinalNorm;

    /// The head alone sees the last positions only.
    ForwardTrace withWholeFinalNorm() {
        wholeFinalNorm = true;
        return this;
    }

    void whole(Whole all) {
        whole = Optional.of(all);
    }

    @Override
    public Optional<Whole> whole() {
        return whole;
    }

    @Override
    public List<TraceNode> nodes() {
        return nodes;
    }

    @Override
    public Optional<TraceNode> producer(String tensor) {
        return Optional.ofNullable(producers.get(tensor));
    }

    /// `layers.0.rms-norm.inputLayernorm`.
    static String name(int layer, Stage stage, String tensor) {
        return (layer < 0 ? "" : "layers." + layer + ".") + stage.slug() + "." + tensor;
    }

    /// @throws IllegalArgumentException if there is no stage of this slug
    static Stage stage(String slug) {
        return Arrays.stream(Stage.values()).filter(s -> s.slug().equals(slug)).findFirst().orElseThrow(() -> new IllegalArgumentException("there is no stage " + slug));
    }

    static boolean isWeight(String name) {
        return name.startsWith("model.");
    }

    private void build() {
        String hidden = node(Stage.EMBEDDING, -1, List.of("ids", IDS, "table", TABLE), "hidden", "embeddings");
        for (int l = 0; l < setting.config().numHiddenLayers(); l++) {
            hidden = layer(l, hidden);
        }
        String normed = node(Stage.RMS_NORM, -1, List.of("x", hidden, "weight", "model.norm.weight"), "normed", "finalNorm");
        node(Stage.LM_HEAD, -1, List.of("x", normed, "table", TABLE), "logits", "logits");
    }

    private String layer(int l, String x) {
        String w = "model.layers." + l + ".";
        String normed = node(Stage.RMS_NORM, l, List.of("x", x, "weight", w + "input_layernorm.weight"), "normed", "inputLayernorm");
        node(Stage.QKV_PROJECTION, l, List.of("x", normed, "qProj", w + "self_attn.q_proj.weight", "kProj", w + "self_attn.k_proj.weight",
                "vProj", w + "self_attn.v_proj.weight"), "query", "query", "key", "key", "value", "value");
        String value = name(l, Stage.QKV_PROJECTION, "value");
        String query = node(Stage.ROTARY_EMBEDDING, l, List.of("x", name(l, Stage.QKV_PROJECTION, "query")), "rotated", "query");
        String key = node(Stage.ROTARY_EMBEDDING, l, List.of("x", name(l, Stage.QKV_PROJECTION, "key")), "rotated", "key");
        String context = setting.dhsa().isPresent() ? sparse(l, query, key, value)
                : node(Stage.DENSE_ATTENTION, l, List.of("query", query, "key", key, "value", value), "context", "context");
        String attended = node(Stage.OUTPUT_PROJECTION, l, List.of("context", context, "oProj", w + "self_attn.o_proj.weight"), "hidden", "attnOutput");
        String post = node(Stage.RMS_NORM, l, List.of("x", attended, "weight", w + "post_attention_layernorm.weight"), "normed", "postAttentionLayernorm");
        String middle = node(Stage.RESIDUAL_ADD, l, List.of("x", x, "branch", post), "hidden", "hiddenMiddle");
        String pre = node(Stage.RMS_NORM, l, List.of("x", middle, "weight", w + "pre_feedforward_layernorm.weight"), "normed", "preFeedforwardLayernorm");
        String fed = node(Stage.FEED_FORWARD, l, List.of("x", pre, "gateProj", w + "mlp.gate_proj.weight", "upProj", w + "mlp.up_proj.weight",
                "downProj", w + "mlp.down_proj.weight"), "hidden", "mlpOutput");
        String postFed = node(Stage.RMS_NORM, l, List.of("x", fed, "weight", w + "post_feedforward_layernorm.weight"), "normed", "postFeedforwardLayernorm");
        return node(Stage.RESIDUAL_ADD, l, List.of("x", middle, "branch", postFed), "hidden", "hidden");
    }

    private String sparse(int l, String query, String key, String value) {
        DhsaConfig dhsa = setting.dhsa().orElseThrow();
        String boundaries = GIVEN_BOUNDARIES;
        if (setting.predictor().isPresent()) {
            int owner = dhsa.shareBoundaries() && l > 0 ? 0 : l;
            boundaries = name(owner, Stage.NON_MAXIMUM_SUPPRESSION, "boundaries");
            if (owner == l) {
                predicted(l, key);
            }
        }
        String keyChunks = node(Stage.CHUNK_REPRESENTATION, l, List.of("states", key, "segments", boundaries), "chunks", "keyChunks");
        int chooser = dhsa.shareMasks() && l >= 0 ? l % 2 : l;
        String selected = name(chooser, Stage.TOP_K_SELECTION, "selectedKeys");
        if (chooser == l && denseFrom() > 0) {
            String queryChunks = node(Stage.CHUNK_REPRESENTATION, l, List.of("states", query, "boundaries", boundaries), "chunks", "queryChunks");
            String scores = node(Stage.CHUNK_SIMILARITY, l, List.of("queryChunks", queryChunks, "keyChunks", keyChunks), "chunkScores", "chunkScores");
            String tokenScores = node(Stage.UPSAMPLING, l, List.of("chunkScores", scores, "boundaries", boundaries), "tokenScores", "tokenScores");
            node(Stage.TOP_K_SELECTION, l, List.of("tokenScores", tokenScores, "boundaries", boundaries), "selectedKeys", "selectedKeys");
        }
        List<String> inputs = new ArrayList<>(List.of("query", query, "key", key, "value", value, "boundaries", boundaries));
        if (denseFrom() > 0) {
            inputs.addAll(List.of("selectedKeys", selected));
        }
        return node(Stage.SPARSE_ATTENTION, l, inputs, "context", "context");
    }

    private void predicted(int l, String key) {
        String logits = node(Stage.BOUNDARY_PREDICTION, l, List.of("key", key), "logits", "boundaryLogits");
        node(Stage.NON_MAXIMUM_SUPPRESSION, l, List.of("logits", logits), "filled", "filled", "boundaries", "boundaries");
    }

    private String node(Stage stage, int layer, List<String> inputs, String... outputs) {
        Map<String, String> in = pairs(inputs);
        Map<String, String> out = new LinkedHashMap<>();
        for (int o = 0; o < outputs.length; o += 2) {
            out.put(outputs[o], name(layer, stage, outputs[o + 1]));
        }
        add(new TraceNode(stage, layer, in, out));
        return out.values().iterator().next();
    }

    private static Map<String, String> pairs(List<String> list) {
        Map<String, String> map = new LinkedHashMap<>();
        for (int i = 0; i < list.size(); i += 2) {
            map.put(list.get(i), list.get(i + 1));
        }
        return map;
    }

    @Override
    public StageCall call(TraceNode node, TensorSource from) throws GoldenFormatException {
        if (node.inputs().isEmpty()) {
            throw new IllegalArgumentException("what " + node.tensors().getFirst() + " is made from is not known");
        }
        ObjectNode config = Json.object();
        SettingJson.write(config, setting.config(), setting.scale());
        setting.dhsa().ifPresent(dhsa -> SettingJson.write(config, dhsa));
        config.put("localSlidingWindow", setting.config().slidingWindow()).put("promptLength", setting.length());
        Map<String, Tensor> inputs = new LinkedHashMap<>();
        for (Map.Entry<String, String> in : node.inputs().entrySet()) {
            inputs.put(in.getKey(), isWeight(in.getValue()) ? from.weight(in.getValue()) : from.tensor(in.getValue()));
        }
        switch (node.stage()) {
            case RMS_NORM -> inputs.computeIfPresent("x", (name, x) -> wholeFinalNorm ? x : rows(node, x.toDouble()));
            case LM_HEAD -> inputs.computeIfPresent("x", (name, x) -> rows(node, x.toDouble()));
            case ROTARY_EMBEDDING -> config.put("startPosition", 0);
            case DENSE_ATTENTION -> attention(config, node.layer());
            case BOUNDARY_PREDICTION -> {
                BoundaryPredictorWeights predictor = setting.predictor().orElseThrow();
                PredictorTensors.put(inputs, predictor);
                PredictorTensors.describe(config, predictor);
            }
            case NON_MAXIMUM_SUPPRESSION -> config.put("chunkBudget", dhsa().chunkBudget(setting.length()))
                    .put("boundaryWindowSize", setting.predictor().orElseThrow().window());
            case CHUNK_REPRESENTATION -> {
                boolean query = inputs.containsKey("boundaries");
                inputs.computeIfPresent("boundaries", (name, boundaries) -> null);
                if (query) {
                    inputs.put("segments", querySegments(boundaries(from, node.inputs().get("boundaries"))));
                }
                config.put("pooling", pooling(query)).put("padTo", query && dhsa().queryChunking() == DhsaConfig.QueryChunking.FIXED_BLOCKS
                        && dhsa().has(Quirk.PADDED_QUERY_BLOCK) ? dhsa().blockSize() : 0);
            }
            case CHUNK_SIMILARITY -> inputs.replaceAll((name, x) -> renamed(x.toDouble(), "chunks", "headDim"));
            case TOP_K_SELECTION -> {
                inputs.put("blocks", blocks(queryBlocks(boundaries(from, node.inputs().get("boundaries")))));
                inputs.remove("boundaries");
                window(config, node.layer());
            }
            case SPARSE_ATTENTION -> {
                inputs.put("blocks", blocks(queryBlocks(boundaries(from, node.inputs().get("boundaries")))));
                inputs.remove("boundaries");
                inputs.putIfAbsent("selectedKeys", DoubleTensor.zeros(Shape.of("queryBlocks", 0, "budget", 0)));
                attention(config, node.layer());
                config.put("extraWindowKey", dhsa().has(Quirk.WINDOW_PLUS_ONE)).put("denseFrom", denseFrom());
                if (dhsa().has(Quirk.SOFT_CAP_DROPPED)) {
                    config.putNull("attnLogitSoftcapping");
                }
            }
            case FEED_FORWARD -> config.put("hiddenActivation", "gelu_pytorch_tanh");
            case EMBEDDING, QKV_PROJECTION, UPSAMPLING, OUTPUT_PROJECTION, RESIDUAL_ADD -> { }
        }
        config.setAll(own.getOrDefault(node.tensors().getFirst(), Json.object()));
        return new StageCall(node.stage().slug(), config, inputs);
    }

    private void attention(ObjectNode config, int layer) {
        window(config, layer);
        config.put("queryStart", 0).put("keyStart", 0);
    }

    private void window(ObjectNode config, int layer) {
        if (layer < 0 ? window == 0 : setting.config().layerKind(layer) instanceof LayerKind.Global) {
            config.putNull("slidingWindow");
        }
    }

    /// `[queryBlocks, columns]`: start, end, nominal end, segment.
    private static DoubleTensor blocks(QueryBlocks blocks) {
        double[] flat = blocks.blocks().stream().flatMapToDouble(b -> DoubleStream.of(b.start(), b.end(), b.nominalEnd(), b.segment())).toArray();
        return DoubleTensor.of(Shape.of("queryBlocks", blocks.blocks().size(), "columns", 4), flat);
    }

    /// `[boundaries]`, 0 first and the length last.
    static DoubleTensor boundaryTensor(Boundaries boundaries) {
        int[] starts = boundaries.toArray();
        return DoubleTensor.of(Shape.of("boundaries", starts.length), Arrays.stream(starts).asDoubleStream().toArray());
    }

    /// `[queryBlocks, budget]`, as wide as the longest list, -1 where a list has ended.
    static DoubleTensor selectedKeys(KeySelection selection) {
        List<KeySelection.BlockSelection> blocks = selection.blocks();
        int width = blocks.stream().mapToInt(b -> b.keys().length).max().orElse(0);
        DoubleTensor keys = DoubleTensor.zeros(Shape.of("queryBlocks", blocks.size(), "budget", width));
        Arrays.fill(keys.data(), -1);
        for (int b = 0; b < blocks.size(); b++) {
            for (int k = 0; k < blocks.get(b).keys().length; k++) {
                keys.set(blocks.get(b).keys()[k], b, k);
            }
        }
        return keys;
    }

    /// Final norm and head may see the last positions only.
    private DoubleTensor rows(TraceNode node, DoubleTensor x) {
        int rows = x.shape().extent("queryLen");
        return node.layer() < 0 && setting.lastLogits() > 0 ? x.rows(Math.max(0, rows - setting.lastLogits()), rows) : x;
    }

    private static DoubleTensor renamed(DoubleTensor x, String... axes) {
        return x.reshape(Shape.of(axes[0], x.shape().extent(0), axes[1], x.shape().extent(1)));
    }

    private static int[] ints(DoubleTensor x) {
        return Arrays.stream(x.data()).mapToInt(v -> (int) v).toArray();
    }

    private static Boundaries boundaries(TensorSource from, String name) throws GoldenFormatException {
        return Boundaries.of(ints(from.tensor(name)));
    }

    private DhsaConfig dhsa() {
        return setting.dhsa().orElseThrow();
    }

    /// First position of the instruction, which attends densely.
    private int denseFrom() {
        int length = setting.length();
        if (dhsa().instructionTokens().isEmpty()) {
            return length;
        }
        int tokens = dhsa().instructionTokens().getAsInt();
        return tokens == 0 ? dhsa().has(Quirk.ZERO_INSTRUCTION_IS_ALL) ? 0 : length : Math.max(0, length - tokens);
    }

    private QueryBlocks queryBlocks(Boundaries boundaries) {
        return switch (dhsa().queryChunking()) {
            case FIXED_BLOCKS -> QueryBlocks.fixed(denseFrom(), setting.length(), dhsa().blockSize());
            case DYNAMIC_CHUNKS -> QueryBlocks.dynamic(boundaries, denseFrom(), setting.length(), dhsa().blockSize());
        };
    }

    private DoubleTensor querySegments(Boundaries boundaries) {
        int denseFrom = denseFrom();
        if (dhsa().queryChunking() == DhsaConfig.QueryChunking.FIXED_BLOCKS) {
            return boundaryTensor(Boundaries.uniform(denseFrom, dhsa().blockSize()));
        }
        int[] clipped = Arrays.stream(boundaries.toArray()).filter(b -> b < denseFrom).toArray();
        int[] segments = Arrays.copyOf(clipped, clipped.length + 1);
        segments[clipped.length] = denseFrom;
        return boundaryTensor(Boundaries.of(segments));
    }

    private String pooling(boolean query) {
        return switch (dhsa().aggregation()) {
            case MEAN -> "avgpool";
            case MEAN_SQRT_LENGTH -> "avgpool_norm";
            case MAX_ON_QUERIES -> query ? "maxpool" : "avgpool";
        };
    }
}
