package org.dhsa.policy;

import java.util.List;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;

/// Dense attention: every visible key.
///
///     keys(i) = { j : j ≤ i, and inside the window }
///
/// **Source** Gemma 2. **Unit** none. **Cost of selecting** none.
public record DensePolicy() implements SelectionPolicy {

    @Override
    public String name() {
        return "dense";
    }

    @Override
    public Selector open(int[] promptIds) {
        return DensePolicy::everything;
    }

    /// All rows dense.
    static LayerSelection everything(LayerState layer) {
        return LayerSelection.shared(new KeySelection(new QueryBlocks(List.of(), layer.start(), layer.end()), List.of()), layer.heads(), 0);
    }
}
