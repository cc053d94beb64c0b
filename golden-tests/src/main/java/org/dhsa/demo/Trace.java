package org.dhsa.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import org.dhsa.forward.Probe;
import org.dhsa.model.LayerKind;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Keeps what the pictures need: chunks, chunk scores and lists of keys of every layer, for the prompt and each new token.
public final class Trace implements Probe {

    /// One layer in one pass.
    ///
    /// @param scores    `[queryBlocks, chunks]`; empty when the layer uses another layer's lists
    public record LayerTrace(LayerKind kind, Boundaries boundaries, Optional<DoubleTensor> scores, KeySelection selection) {}

    /// The prompt, or one new token: layers that attended sparsely, by number.
    public record Pass(TreeMap<Integer, LayerTrace> layers) {}

    private final List<Pass> passes = new ArrayList<>();
    private Pass current = new Pass(new TreeMap<>());
    private Boundaries boundaries;
    private DoubleTensor scores;

    @Override
    public void boundaries(int layer, Boundaries found) {
        boundaries = found;
    }

    @Override
    public void tensor(Stage stage, int layer, String name, Tensor value) {
        if (stage == Stage.CHUNK_SIMILARITY) {
            scores = value.toDouble();
        }
    }

    @Override
    public void selection(int layer, LayerKind kind, KeySelection selection) {
        current.layers.put(layer, new LayerTrace(kind, boundaries, Optional.ofNullable(scores), selection));
        scores = null;
    }

    @Override
    public void layerDone(int layer, int layers) {
        if (layer == layers - 1) {
            passes.add(current);
            current = new Pass(new TreeMap<>());
        }
    }

    /// What happened while the prompt was read.
    public Pass prompt() {
        return passes.getFirst();
    }

    /// One for every new token that was fed back, in order.
    public List<Pass> newTokens() {
        return passes.subList(1, passes.size());
    }

    /// Boundaries of the prompt in layer 0.
    public Boundaries chunks() {
        return prompt().layers().firstEntry().getValue().boundaries();
    }
}
