package org.dhsa.opencl;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/// Values of the kernels' tunables for one device.
///
/// A `.cl` resource has safe defaults of its own; what stands here is given to the compiler on top of them. Results do not
/// depend on any of it: a tunable changes who computes a value, never in which order it is summed.
///
/// @param byProgram program slug to tunable to value
record Tuning(Map<String, Map<String, Integer>> byProgram) {

    Tuning {
        byProgram = Map.copyOf(byProgram);
    }

    /// Tunables of one program, empty if it has none.
    Map<String, Integer> of(String slug) {
        return byProgram.getOrDefault(slug, Map.of());
    }

    /// The same with some values of one program replaced.
    Tuning with(String slug, Map<String, Integer> values) {
        Map<String, Map<String, Integer>> all = new HashMap<>(byProgram);
        Map<String, Integer> merged = new TreeMap<>(of(slug));
        merged.putAll(values);
        all.put(slug, merged);
        return new Tuning(all);
    }

    /// What is used on this device: the defaults of its kind, overlaid by what the tuner found here.
    static Tuning of(OpenClDevice device) {
        return TuningDefaults.of(device.kind());
    }
}
