package org.dhsa.eval.field;

import java.util.ArrayList;
import java.util.List;
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
import org.dhsa.tensor.Shape;
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
        private final Tensor[][] seen;

        Collector(int layers) {
            seen = new Tensor[layers][3];
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
            Tensor[] seen = collector.seen[l];
            layers.add(new Layer(l, config.layerKind(l), seen[0].toDouble(), seen[1].toDouble(), seen[2].toDouble()));
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
        return new LayerState(layer.number(), layers.size(), layer.kind(), layer.query(), layer.key(), rule(layer, 0), length(), false, backend);
    }

    /// The prompt without its last token, every row dense: what stands before [#lastToken].
    LayerState before(Layer layer) {
        int rows = length() - 1;
        return new LayerState(layer.number(), layers.size(), layer.kind(), rows(layer.query(), 0, rows), rows(layer.key(), 0, rows), rule(layer, 0), 0, false, backend);
    }

    /// The prompt's last token, as a token that is decoded after the others.
    LayerState lastToken(Layer layer) {
        return new LayerState(layer.number(), layers.size(), layer.kind(), rows(layer.query(), length() - 1, length()), layer.key(), rule(layer, length() - 1), length(),
                true, backend);
    }

    /// Rows `from` to `to` of the second axis.
    private static DoubleTensor rows(DoubleTensor x, int from, int to) {
        int[] of = {x.shape().extent(0), x.shape().extent(1), x.shape().extent(2)};
        DoubleTensor part = DoubleTensor.zeros(Shape.of(x.shape().name(0), of[0], x.shape().name(1), to - from, x.shape().name(2), of[2]));
        int size = (to - from) * of[2];
        for (int h = 0; h < of[0]; h++) {
            System.arraycopy(x.data(), (h * of[1] + from) * of[2], part.data(), h * size, size);
        }
        return part;
    }
}
