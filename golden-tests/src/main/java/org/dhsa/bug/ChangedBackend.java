package org.dhsa.bug;

import org.dhsa.backend.Backend;
import org.dhsa.backend.ForwardingBackend;
import org.dhsa.backend.LayerCache;
import org.dhsa.model.LayerKind;
import org.dhsa.stage.Stage;
import org.dhsa.stage.StageOp;

/// A backend with some stages changed; everything else is the healthy one's.
final class ChangedBackend extends ForwardingBackend {

    private final String name;
    private final Changes changes;
    private final BugContext context;

    ChangedBackend(Backend healthy, String name, Changes changes, BugContext context) {
        super(healthy);
        this.name = name;
        this.changes = changes;
        this.context = context;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    protected <I, O> O run(Stage stage, StageOp<I, O> op, I input) {
        return changes.apply(stage, op, context).apply(input);
    }

    @Override
    public LayerCache newLayerCache(int kvHeads, int headDim, LayerKind kind) {
        return super.newLayerCache(kvHeads, headDim, changes.cacheKind(kind, context));
    }
}
