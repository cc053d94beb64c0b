package org.dhsa.forward;

import org.dhsa.model.LayerKind;
import org.dhsa.policy.LayerSelection;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.Tensor;

/// Looks at a forward pass while it runs. Nothing it does changes a result; tensors must not be written.
public interface Probe {

    /// Layer of what belongs to no layer: embedding, final norm, logits.
    int NO_LAYER = -1;

    Probe NONE = new Probe() {};

    /// The result of a stage, under its golden name: `q_rope`, `attn_context`, `mlp_output`. Where a layer works in tiles of rows, once
    /// per tile.
    default void tensor(Stage stage, int layer, String name, Tensor value) {}

    default void boundaries(int layer, Boundaries boundaries) {}

    default void selection(int layer, LayerKind kind, KeySelection selection) {}

    /// What a policy chose for a layer; where all heads share one list, [#selection(int, LayerKind, KeySelection)] is told too.
    default void selection(int layer, LayerKind kind, LayerSelection selection) {}

    /// What attention of a layer read.
    ///
    /// @param pairsRead    query-key pairs read, every query head counted
    /// @param pairsVisible query-key pairs that dense attention would have read
    default void attention(int layer, LayerKind kind, long pairsRead, long pairsVisible) {}

    /// A token after the prompt begins: what is seen from here on belongs to it. A prompt may come in several passes.
    default void newToken() {}

    /// A layer of the current pass is done.
    default void layerDone(int layer, int layers) {}
}
