package org.dhsa.golden.vector;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntFunction;
import org.dhsa.forward.Probe;
import org.dhsa.model.LayerKind;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Writes down what a forward pass shows, under the names of the vectors.
final class VectorProbe implements Probe {

    static final IntFunction<String> LAYERS = layer -> layer == NO_LAYER ? "" : "layers." + layer + ".";

    private static final Map<String, String> NAMES = Map.ofEntries(
            Map.entry("embeddings_scaled", "embeddings"), Map.entry("input_layernorm", "inputLayernorm"), Map.entry("q_rope", "query"),
            Map.entry("k_rope", "key"), Map.entry("v", "value"), Map.entry("raw_logits", "boundaryLogits"), Map.entry("ratios", "filled"),
            Map.entry("k_repr", "keyChunks"), Map.entry("q_repr", "queryChunks"), Map.entry("chunk_scores", "chunkScores"),
            Map.entry("token_scores", "tokenScores"), Map.entry("attn_context", "context"), Map.entry("attn_output", "attnOutput"),
            Map.entry("post_attention_layernorm", "postAttentionLayernorm"), Map.entry("pre_feedforward_layernorm", "preFeedforwardLayernorm"),
            Map.entry("mlp_output", "mlpOutput"), Map.entry("post_feedforward_layernorm", "postFeedforwardLayernorm"),
            Map.entry("hidden_out", "hidden"), Map.entry("final_norm", "finalNorm"), Map.entry("logits", "logits"));

    /// Shown for exports, which dump every stage; a vector goes without them.
    private static final Set<String> UNPUBLISHED = Set.of("q", "k", "hidden_middle");

    private final Map<String, Tensor> out;
    private final IntFunction<String> prefix;
    private KeySelection selection;

    VectorProbe(Map<String, Tensor> out, IntFunction<String> prefix) {
        this.out = out;
        this.prefix = prefix;
    }

    @Override
    public void tensor(Stage stage, int layer, String name, Tensor value) {
        if (UNPUBLISHED.contains(name)) {
            return;
        }
        DoubleTensor copy = value.toDouble();
        // a chunk of queries is a query block's segment
        out.put(prefix.apply(layer) + NAMES.get(name), name.equals("q_repr")
                ? copy.reshape(Shape.of("queryBlocks", copy.shape().extent(0), "headDim", copy.shape().extent(1))) : copy);
    }

    @Override
    public void boundaries(int layer, Boundaries boundaries) {
        out.put(prefix.apply(layer) + "boundaries", StageInputs.ints(Shape.of("boundaries", boundaries.chunks() + 1), boundaries.toArray()));
    }

    @Override
    public void selection(int layer, LayerKind kind, KeySelection found) {
        selection = found;
        if (!found.blocks().isEmpty()) {
            Selections.keys(out, prefix.apply(layer), found);
        }
    }

    KeySelection selection() {
        return selection;
    }

    /// What the decode steps after a prompt decide.
    static final class Steps implements Probe {
        private final List<Boundaries> boundaries = new ArrayList<>();
        private final List<List<int[]>> keys = new ArrayList<>();
        private boolean decoding;

        Steps(int layers) {
            for (int l = 0; l < layers; l++) {
                keys.add(new ArrayList<>());
            }
        }

        @Override
        public void newToken() {
            decoding = true;
        }

        @Override
        public void boundaries(int layer, Boundaries found) {
            if (decoding && layer == 0) {
                boundaries.add(found);
            }
        }

        @Override
        public void selection(int layer, LayerKind kind, KeySelection found) {
            if (decoding) {
                keys.get(layer).add(found.blocks().getFirst().keys());
            }
        }

        List<Boundaries> boundaries() {
            return boundaries;
        }

        List<int[]> keys(int layer) {
            return keys.get(layer);
        }
    }
}
