package org.dhsa.eval.field;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.dhsa.backend.Backend;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.forward.Probe;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.LayerKind;
import org.dhsa.policy.LayerState;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Stage;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Queries, keys and values of every layer of a prompt under dense attention: the states that all policies of a comparison choose from.
///
/// @param ids    token ids of the prompt
/// @param layers in order
public record DenseStates(int[] ids, Gemma2Config config, Backend backend, List<Layer> layers) {

    /// One layer, after the rotary embedding.
    ///
    /// @param query `[heads, queryLen, headDim]`
    /// @param key   `[kvHeads, keyLen, headDim]`
    /// @param value like `key`
    public record Layer(int number, LayerKind kind, DoubleTensor query, DoubleTensor key, DoubleTensor value) {}

    private static final class Collector implements Probe {
        private final DoubleTensor[][] seen;

        Collector(int layers) {
            seen = new DoubleTensor[layers][3];
        }

        @Override
        public void tensor(Stage stage, int layer, String name, Tensor value) {
            int which = List.of("q_rope", "k_rope", "v").indexOf(name);
            if (which >= 0) {
                seen[layer][which] = value.toDouble();
            }
        }
    }

    /// One dense pass over the prompt.
    public static DenseStates of(Gemma2Forward forward, Backend backend, int[] ids) {
        Gemma2Config config = forward.config();
        Collector collector = new Collector(config.numHiddenLayers());
        forward.open(new AttentionMode.Dense(), collector).prefill(ids);
        List<Layer> layers = new ArrayList<>();
        for (int l = 0; l < config.numHiddenLayers(); l++) {
            DoubleTensor[] seen = collector.seen[l];
            layers.add(new Layer(l, config.layerKind(l), seen[0], seen[1], seen[2]));
        }
        return new DenseStates(ids.clone(), config, backend, layers);
    }

    public int length() {
        return ids.length;
    }

    /// How the model attends in a layer, rows from `start` on.
    AttentionRule rule(Layer layer, int start) {
        return new AttentionRule(config.attentionScale(), config.attnLogitSoftcapping(), Visibility.of(layer.kind()), start, 0);
    }

    /// The whole prompt, every row sparse.
    LayerState prompt(Layer layer) {
        return state(layer, 0, length(), length(), false);
    }

    /// The prompt without its last token, every row dense: what stands before [#lastToken].
    LayerState before(Layer layer) {
        return state(layer, 0, length() - 1, 0, false);
    }

    /// The prompt's last token, as a token that is decoded after the others.
    LayerState lastToken(Layer layer) {
        return state(layer, length() - 1, length(), length(), true);
    }

    /// Query rows `from` to `end`, and every key before `end`.
    private LayerState state(Layer layer, int from, int end, int denseFrom, boolean decoding) {
        return new LayerState(layer.number(), layers.size(), layer.kind(), layer.query().slice("queryLen", from, end), layer.key().slice("keyLen", 0, end), rule(layer, from),
                denseFrom, decoding, backend, config.ropeTheta(), Optional.of(layer.value().slice("keyLen", 0, end)));
    }
}
