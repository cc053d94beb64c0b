package org.dhsa.eval.measure;

import java.util.EnumMap;
import java.util.Map;
import org.dhsa.backend.Backend;
import org.dhsa.backend.ForwardingBackend;
import org.dhsa.stage.Stage;
import org.dhsa.stage.StageOp;

/// Another backend with a clock around every stage. Two readings of the clock per stage and layer cost nothing beside
/// the stage itself. What is no stage (the cache, views of tensors) is not counted.
///
/// A device goes on while the host asks for the next stage, so there a stage's clock sees the asking only, and the waiting falls to whoever
/// reads a value. With `waiting` every stage begins and ends with an idle device: right for comparing stages, wrong for the whole.
public final class TimedBackend extends ForwardingBackend {

    private final boolean waiting;
    private final Map<Stage, Long> nanos = new EnumMap<>(Stage.class);

    public TimedBackend(Backend inner) {
        this(inner, false);
    }

    /// @param waiting see above
    public TimedBackend(Backend inner, boolean waiting) {
        super(inner);
        this.waiting = waiting;
    }

    /// Nanoseconds of every stage that ran since the last [#reset].
    public Map<Stage, Long> nanos() {
        return new EnumMap<>(nanos);
    }

    public void reset() {
        nanos.clear();
    }

    @Override
    protected <I, O> O run(Stage stage, StageOp<I, O> op, I input) {
        if (waiting) {
            finish();
        }
        long begun = System.nanoTime();
        O output = super.run(stage, op, input);
        if (waiting) {
            finish();
        }
        nanos.merge(stage, System.nanoTime() - begun, Long::sum);
        return output;
    }
}
