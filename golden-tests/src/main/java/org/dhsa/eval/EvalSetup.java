package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.function.Supplier;
import org.dhsa.backend.Backend;

/// With what a sweep is measured, and which part of it.
///
/// @param backend  name of what computes
/// @param backends opens one, with one thread
/// @param workers  cells that are computed at once on this machine
public record EvalSetup(List<EvalModel> models, String backend, Supplier<Backend> backends, Shard shard, int workers) implements AutoCloseable {

    public EvalSetup {
        models = List.copyOf(models);
        if (workers <= 0) {
            throw new IllegalArgumentException("workers must be positive, was " + workers);
        }
    }

    /// The same, one cell at a time.
    public EvalSetup alone() {
        return new EvalSetup(models, backend, backends, shard, 1);
    }

    /// Adds to a configuration what does not depend on the task: the models byte for byte, the backend, the shard.
    public ObjectNode describe(ObjectNode config) {
        ArrayNode measured = config.putArray("models");
        models.forEach(m -> measured.add(m.json()));
        return config.put("backend", backend).put("shard", shard.toString());
    }

    @Override
    public void close() {
        models.forEach(EvalModel::close);
    }
}
