package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.dhsa.backend.Backend;

/// What a sweep measures: independent cells, each of which gives one line of results. Who computes them is a [SweepEngine]'s matter.
///
/// Cells may be computed in any order, on several threads at once, and in another process that made the same sweep again from the same
/// options: a line depends on the cell alone, fields that hold times excepted.
public interface Sweep extends AutoCloseable {

    /// Models, backend, share of the work.
    EvalSetup setup();

    /// What must be equal for two runs to be one: the head of the result file.
    ObjectNode config();

    /// The keys of all cells, in an order that never changes, whatever the shard.
    List<String> cells();

    /// Computes one cell.
    ///
    /// @param cell    its number in [#cells()]
    /// @param backend used by no other thread meanwhile
    /// @return its line, with its key as `unit`
    ObjectNode compute(int cell, Backend backend);

    /// Whether lines hold times, which cells that are computed side by side would disturb.
    default boolean timed() {
        return false;
    }

    @Override
    default void close() {
        setup().close();
    }
}
