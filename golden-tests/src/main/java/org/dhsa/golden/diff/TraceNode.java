package org.dhsa.golden.diff;

import java.util.List;
import java.util.Map;
import org.dhsa.stage.Stage;

/// One call of a stage: which tensors it reads and which it makes.
///
/// @param layer   decoder layer, -1 for none
/// @param inputs  name in the stage's input record, and the tensor or weight that stands there
/// @param outputs name in the stage's output, and the tensor; in the order in which they are compared
public record TraceNode(Stage stage, int layer, Map<String, String> inputs, Map<String, String> outputs) {

    /// The tensor that tells this call from others of its stage.
    String role() {
        String name = outputs.values().iterator().next();
        return name.substring(name.lastIndexOf('.') + 1);
    }

    List<String> tensors() {
        return List.copyOf(outputs.values());
    }

    /// `layer 0, rms-norm`.
    String where() {
        return (layer < 0 ? "" : "layer " + layer + ", ") + stage.slug();
    }
}
