package org.dhsa.golden;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dhsa.forward.Probe;
import org.dhsa.model.LayerKind;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.Stage;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Keeps everything that a forward pass shows, call by call.
final class ForwardRecorder implements Probe {

    /// A tensor as it was shown.
    record Seen(Stage stage, DoubleTensor value) {}

    private final Map<String, List<Seen>> tensors = new HashMap<>();
    private final Map<Integer, KeySelection> selections = new HashMap<>();
    private Boundaries boundaries;

    @Override
    public void tensor(Stage stage, int layer, String name, Tensor value) {
        tensors.computeIfAbsent(layer + "." + name, k -> new ArrayList<>()).add(new Seen(stage, value.toDouble()));
    }

    @Override
    public void boundaries(int layer, Boundaries found) {
        if (boundaries == null) {
            boundaries = found;
        }
    }

    @Override
    public void selection(int layer, LayerKind kind, KeySelection selection) {
        selections.putIfAbsent(layer, selection);
    }

    /// The last value shown under this name.
    Optional<Seen> last(int layer, String name) {
        return Optional.ofNullable(tensors.get(layer + "." + name)).map(List::getLast);
    }

    KeySelection selection(int layer) {
        return selections.get(layer);
    }

    /// Boundaries of the first layer.
    Optional<Boundaries> boundaries() {
        return Optional.ofNullable(boundaries);
    }

    /// All values shown under this name, `[kvHeads, keyLen, headDim]` each, joined along keyLen.
    DoubleTensor joined(int layer, String name) {
        List<Seen> parts = tensors.getOrDefault(layer + "." + name, List.of());
        if (parts.isEmpty()) {
            throw new CaseCheck.Broken("the forward pass showed no " + name + " of layer " + layer);
        }
        int kvHeads = parts.getFirst().value().shape().extent(0);
        int headDim = parts.getFirst().value().shape().extent(2);
        int rows = parts.stream().mapToInt(p -> p.value().shape().extent(1)).sum();
        DoubleTensor joined = DoubleTensor.zeros(Shape.of("kvHeads", kvHeads, "keyLen", rows, "headDim", headDim));
        int done = 0;
        for (Seen part : parts) {
            int length = part.value().shape().extent(1);
            for (int h = 0; h < kvHeads; h++) {
                System.arraycopy(part.value().data(), h * length * headDim, joined.data(), (h * rows + done) * headDim, length * headDim);
            }
            done += length;
        }
        return joined;
    }
}
