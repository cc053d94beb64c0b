package org.dhsa.generate;

import java.util.List;
import org.dhsa.forward.Probe;
import org.dhsa.model.LayerKind;
import org.dhsa.policy.LayerSelection;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.Tensor;

/// Several probes on one forward pass.
public final class Probes implements Probe {

    private final List<Probe> probes;

    private Probes(List<Probe> probes) {
        this.probes = probes;
    }

    /// Each is told everything, in this order.
    public static Probe all(Probe... probes) {
        return new Probes(List.of(probes));
    }

    @Override
    public void tensor(Stage stage, int layer, String name, Tensor value) {
        probes.forEach(p -> p.tensor(stage, layer, name, value));
    }

    @Override
    public void boundaries(int layer, Boundaries boundaries) {
        probes.forEach(p -> p.boundaries(layer, boundaries));
    }

    @Override
    public void selection(int layer, LayerKind kind, KeySelection selection) {
        probes.forEach(p -> p.selection(layer, kind, selection));
    }

    @Override
    public void selection(int layer, LayerKind kind, LayerSelection selection) {
        probes.forEach(p -> p.selection(layer, kind, selection));
    }

    @Override
    public void attention(int layer, LayerKind kind, long pairsRead, long pairsVisible) {
        probes.forEach(p -> p.attention(layer, kind, pairsRead, pairsVisible));
    }

    @Override
    public void newToken() {
        probes.forEach(Probe::newToken);
    }

    @Override
    public void layerDone(int layer, int layers) {
        probes.forEach(p -> p.layerDone(layer, layers));
    }
}
