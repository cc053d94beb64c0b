package org.dhsa.opencl;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;

/// Values of the kernels' tunables for one device.
///
/// A `.cl` resource has safe defaults of its own; what stands here is given to the compiler on top of them. What the tuner
/// may change changes who computes a value, never in which order it is summed, so results stay the same bits. Tunables that do
/// set an order (the key block of attention) belong to the kind of device and are left alone by the tuner.
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

    /// The defaults of the device's kind, overlaid by what the tuner found on this device with this driver.
    ///
    /// @param warn told why a tuning that is there cannot be used
    static Tuning of(OpenClDevice device, Consumer<String> warn) {
        Tuning defaults = TuningDefaults.of(device);
        return TuningFile.of(device).read(warn).map(defaults::overlaid).orElse(defaults);
    }

    private Tuning overlaid(Tuning found) {
        Tuning all = this;
        for (Map.Entry<String, Map<String, Integer>> e : found.byProgram.entrySet()) {
            all = all.with(e.getKey(), e.getValue());
        }
        return all;
    }

    /// The defaults of the device's kind.
    static Tuning of(OpenClDevice device) {
        return TuningDefaults.of(device);
    }
}
