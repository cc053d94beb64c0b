package org.dhsa.opencl;

import java.util.List;
import java.util.Map;
import java.util.Set;

/// Tunables by kind of device, where nothing was measured.
///
/// A CPU driver runs a work-item as a loop of vector instructions: groups of one item, wide vectors, no local memory and no
/// barriers. A GPU wants groups of many items with one element each.
final class TuningDefaults {

    private TuningDefaults() {}

    static Tuning of(OpenClDevice.Kind kind) {
        return new Tuning(kind == OpenClDevice.Kind.GPU ? GPU : CPU);
    }

    /// Local memory that a tile of 16 rows of work-items takes: 38.3 KB at 256 channels.
    private static final long LOCAL_BYTES = 40 << 10;

    /// Those of its kind, with tiles of attention that fit its local memory: many GPUs have 32 KB. The size of a tile orders no sum.
    static Tuning of(OpenClDevice device) {
        Tuning tuning = of(device.kind());
        if (device.kind() != OpenClDevice.Kind.GPU || device.localBytes() >= LOCAL_BYTES) {
            return tuning;
        }
        Map<String, Integer> small = Map.of("TILE_ROWS", 8);
        return tuning.with(DeviceAttention.DENSE, small).with(DeviceAttention.SPARSE, small);
    }

    private static final Map<String, Map<String, Integer>> CPU = Map.of(
            "matrix-product", Map.of("LOCAL", 0, "ROW_TILE", 512, "GROUP", 1, "ROWS", 12, "VEC", 16, "SEGMENTS", 16),
            "rms-norm", Map.of("WG", 1),
            "dense-attention", Map.of("TILING", 0, "GROUP", 1, "KEY_BLOCK", 96, "KEYS", 12, "TOGETHER", 2),
            "sparse-attention", Map.of("TILING", 0, "GROUP", 1, "KEY_BLOCK", 96, "KEYS", 12, "TOGETHER", 2),
            "boundary-prediction", Map.of("GAPS", 256, "ROW_GROUP", 1, "MIX", 16),
            "chunk-representation", Map.of("CHANNELS", 64, "GROUP", 1),
            "chunk-similarity", Map.of("TILE_Q", 4, "TILE_K", 4, "GROUP", 1),
            "top-k-selection", Map.of("WG", 1));

    private static final Map<String, Map<String, Integer>> GPU = Map.of(
            "matrix-product", Map.of("LOCAL", 1, "ROW_TILE", 1 << 30, "GROUP_ROWS", 16, "ITEM_ROWS", 8, "PANELS", 4, "TILE_K", 16, "VEC", 1, "SEGMENTS", 1, "SUB_GROUP", 16),
            "rms-norm", Map.of("WG", 64, "SUB_GROUP", 16),
            "dense-attention", Map.of("TILING", 1, "ROWS_PER_ITEM", 4, "TILE_ROWS", 16, "KEY_BLOCK", 64, "SINGLE_ITEMS", 128, "SUB_GROUP", 16),
            "sparse-attention", Map.of("TILING", 1, "ROWS_PER_ITEM", 4, "TILE_ROWS", 16, "KEY_BLOCK", 64, "SINGLE_ITEMS", 128, "SUB_GROUP", 16),
            "boundary-prediction", Map.of("GAPS", 1024, "ROW_GROUP", 64, "MIX", 1),
            "chunk-similarity", Map.of("TILE_Q", 2, "TILE_K", 2, "GROUP", 64),
            "top-k-selection", Map.of("WG", 128, "SUB_GROUP", 16),
            "feed-forward", Map.of("TOKEN_TILE", 2048));

    /// Wanted; what the device's sub-groups are no multiples of is not used.
    private static final List<Integer> SUB_GROUPS = List.of(0, 4, 8, 16);

    private static final Map<String, List<Integer>> ATTENTION = Map.of("GROUP", List.of(1, 2, 4, 8), "KEYS", List.of(4, 8, 12), "TOGETHER", List.of(1, 2, 4, 8), "ROWS_PER_ITEM", List.of(4, 8), "TILE_ROWS", List.of(4, 8, 12, 16),
            "SINGLE_ITEMS", List.of(16, 32, 64, 128, 256), "SUB_GROUP", SUB_GROUPS);

    /// Values of the tunables that the tuner may set and that the shipped kernels can take; what a file says beyond them is not
    /// believed.
    private static final Map<String, Map<String, List<Integer>>> ALLOWED = Map.of(
            "matrix-product", Map.ofEntries(Map.entry("LOCAL", List.of(0, 1)), Map.entry("ROW_TILE", List.of(128, 256, 512, 1024, 2048, 1 << 30)),
                    Map.entry("GROUP", List.of(1, 2, 4, 8)), Map.entry("ROWS", List.of(2, 4, 8, 12, 14)), Map.entry("GROUP_ROWS", List.of(4, 8, 16)),
                    Map.entry("ITEM_ROWS", List.of(2, 4, 8)), Map.entry("PANELS", List.of(1, 2, 4)), Map.entry("TILE_K", List.of(8, 16, 32)),
                    Map.entry("VEC", List.of(1, 2, 4, 8, 16)), Map.entry("SEGMENTS", List.of(1, 2, 4, 8, 16)), Map.entry("SUB_GROUP", SUB_GROUPS)),
            "rms-norm", Map.of("WG", List.of(1, 2, 4, 8, 16, 32, 64), "SUB_GROUP", SUB_GROUPS),
            // not TILING, KEY_BLOCK and SPLIT, which order sums
            DeviceAttention.DENSE, ATTENTION,
            DeviceAttention.SPARSE, ATTENTION,
            "boundary-prediction", Map.of("GAPS", List.of(64, 128, 256, 512, 1024, 2048), "ROW_GROUP", List.of(1, 4, 16, 32, 64, 128), "MIX", List.of(1, 16),
                    "GROUP", List.of(1, 16, 64, 128)),
            "chunk-representation", Map.of("CHANNELS", List.of(1, 16, 32, 64, 128), "GROUP", List.of(1, 4, 16, 64, 128)),
            "chunk-similarity", Map.of("TILE_Q", List.of(1, 2, 4), "TILE_K", List.of(1, 2, 4), "GROUP", List.of(1, 4, 16, 64, 128)),
            "top-k-selection", Map.of("WG", List.of(1, 2, 4, 8, 16, 32, 64, 128, 256), "SUB_GROUP", SUB_GROUPS),
            "feed-forward", Map.of("TOKEN_TILE", List.of(128, 256, 512, 1024, 2048, 4096)));

    /// Programs that a tuning file may speak of.
    static Set<String> tunablePrograms() {
        return ALLOWED.keySet();
    }

    static boolean allows(String program, String tunable, int value) {
        return ALLOWED.getOrDefault(program, Map.of()).getOrDefault(tunable, List.of()).contains(value);
    }
}
