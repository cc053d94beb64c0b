package org.dhsa.eval.measure;

import java.util.ArrayList;
import java.util.List;
import org.dhsa.forward.Probe;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.LayerKind;
import org.dhsa.policy.LayerSelection;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.Stage;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.Tensor;

/// Measures every sparse layer of a prompt while the forward pass runs: under a policy, or under DHSA itself.
///
/// Each layer sees the states that the sparse layers before it left behind, as it does in use. Decoded tokens are not measured.
public final class MeasureProbe implements Probe {

    private final Gemma2Config config;
    private final int maxRows;
    private final List<HeadMeasure> measures = new ArrayList<>();
    private final List<AttentionWork> work = new ArrayList<>();
    private Tensor query;
    private Tensor key;
    private Tensor value;
    private int measuredLayer = NO_LAYER;
    private boolean promptDone;

    /// @param maxRows most rows per head and layer; Integer.MAX_VALUE for all
    public MeasureProbe(Gemma2Config config, int maxRows) {
        this.config = config;
        this.maxRows = maxRows;
    }

    @Override
    public void tensor(Stage stage, int layer, String name, Tensor seen) {
        if (promptDone) {
            return;
        }
        switch (name) {
            case "q_rope" -> query = seen;
            case "k_rope" -> key = seen;
            case "v" -> value = seen;
            default -> { }
        }
    }

    @Override
    public void selection(int layer, LayerKind kind, LayerSelection selection) {
        measure(layer, kind, selection);
    }

    /// A policy has been told before; DHSA tells only here.
    @Override
    public void selection(int layer, LayerKind kind, KeySelection selection) {
        if (!promptDone && measuredLayer != layer) {
            measure(layer, kind, LayerSelection.shared(selection, query.shape().extent("heads"), 0));
        }
    }

    private void measure(int layer, LayerKind kind, LayerSelection selection) {
        if (promptDone) {
            return;
        }
        measuredLayer = layer;
        AttentionRule rule = new AttentionRule(config.attentionScale(), config.attnLogitSoftcapping(), Visibility.of(kind), 0, 0);
        measures.addAll(SelectionMeasure.of(layer, kind, query, key, value, rule, selection, maxRows));
        work.add(AttentionWork.of(layer, kind, selection, rule, key.shape().extent("keyLen"), key.shape().extent("kvHeads"), config.headDim()));
    }

    @Override
    public void layerDone(int layer, int layers) {
        promptDone |= layer == layers - 1;
        if (promptDone) {
            query = null;
            key = null;
            value = null;
        }
    }

    /// By layer and head, in order. Layers that the setting leaves dense are absent.
    public List<HeadMeasure> measures() {
        return List.copyOf(measures);
    }

    /// By layer, in order.
    public List<AttentionWork> work() {
        return List.copyOf(work);
    }
}
