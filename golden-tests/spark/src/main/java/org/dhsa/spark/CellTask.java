package org.dhsa.spark;

import java.io.IOException;
import java.io.Serializable;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.dhsa.backend.Backend;
import org.dhsa.cli.BadInput;
import org.dhsa.cli.Json;
import org.dhsa.cli.SweepRecipe;
import org.dhsa.eval.Sweep;
import org.dhsa.weights.WeightsFormatException;

/// What an executor does: makes the sweep once, by its recipe, and computes cells of it. Weights are mapped from the path that the recipe
/// names; they never travel.
///
/// @param config the driver's configuration. An executor whose own differs (other weights under the same path, say) computes nothing.
record CellTask(SweepRecipe recipe, String config) implements Serializable {

    private static final Map<SweepRecipe, Opened> OPEN = new ConcurrentHashMap<>();

    /// What came of a cell. Bad input is an answer, because trying it again elsewhere would not help.
    ///
    /// @param line    JSON, null if there is none
    /// @param refusal why there is none
    record Outcome(String line, String refusal) implements Serializable {}

    private record Opened(Sweep sweep, String config, Queue<Backend> idle) {

        static Opened of(SweepRecipe recipe) {
            try {
                Sweep sweep = recipe.open();
                return new Opened(sweep, Json.compact(sweep.config()), new ConcurrentLinkedQueue<>());
            } catch (IOException | WeightsFormatException e) {
                throw new BadInput(e.getMessage(), e);
            }
        }
    }

    Outcome compute(int cell) {
        try {
            Opened opened = OPEN.computeIfAbsent(recipe, Opened::of);
            if (!opened.config.equals(config)) {
                return new Outcome(null, "it has other data than this machine under the same paths: " + opened.config + " there, " + config + " here");
            }
            Backend idle = opened.idle.poll();
            Backend backend = idle == null ? opened.sweep.setup().backends().get() : idle;
            try {
                return new Outcome(Json.compact(opened.sweep.compute(cell, backend)), null);
            } finally {
                opened.idle.add(backend);
            }
        } catch (BadInput e) {
            return new Outcome(null, e.getMessage());
        }
    }

    /// Closes what this process opened; an executor's process ends instead.
    static void closeAll() {
        OPEN.values().removeIf(opened -> {
            opened.idle.forEach(Backend::close);
            opened.sweep.close();
            return true;
        });
    }
}
