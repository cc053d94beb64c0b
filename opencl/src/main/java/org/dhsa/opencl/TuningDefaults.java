package org.dhsa.opencl;

import java.util.Map;

/// Tunables by kind of device, where nothing was measured.
///
/// A CPU driver runs a work-item as a loop of vector instructions: groups of one item, wide vectors, no local memory and no
/// barriers. A GPU wants groups of many items with one element each.
final class TuningDefaults {

    private TuningDefaults() {}

    static Tuning of(OpenClDevice.Kind kind) {
        return new Tuning(kind == OpenClDevice.Kind.GPU ? GPU : CPU);
    }

    private static final Map<String, Map<String, Integer>> CPU = Map.ofEntries();

    private static final Map<String, Map<String, Integer>> GPU = Map.ofEntries();
}
