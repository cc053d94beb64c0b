package org.dhsa.eval;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/// Who computes the cells of a [Sweep].
///
/// Every engine appends a cell's line to the log as soon as it has it, so that a stopped run goes on where it was, with any engine.
public interface SweepEngine extends AutoCloseable {

    /// Told after every cell.
    interface Watcher {
        void done(int cells, int of);
    }

    /// Computes what the log does not hold yet of the sweep's shard.
    ///
    /// @return how many cells were computed now
    int run(Sweep sweep, ResultLog log, Watcher watcher);

    @Override
    void close();

    /// Numbers of the cells of the sweep's shard that the log does not hold.
    static List<Integer> open(Sweep sweep, ResultLog log) {
        Set<String> done = new HashSet<>();
        log.results().forEach(r -> done.add(r.path("unit").asText()));
        List<String> cells = sweep.cells();
        return IntStream.range(0, cells.size()).filter(i -> sweep.setup().shard().has(i) && !done.contains(cells.get(i))).boxed().toList();
    }
}
