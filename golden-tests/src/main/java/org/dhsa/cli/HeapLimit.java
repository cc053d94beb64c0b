package org.dhsa.cli;

import java.util.Locale;
import java.util.stream.IntStream;
import org.dhsa.backend.BackendOptions;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.LayerKind;

/// What to say when Java's heap is too small.
final class HeapLimit {

    /// With a place for what needed the memory.
    static final String EXCEEDED = "There is not enough memory: Java may use " + gigabytes(Runtime.getRuntime().maxMemory())
            + " here%s. Give it more, for example DHSA_JAVA_OPTS=-Xmx12g ./dhsa ... (the weights are mapped and need none of it).";

    private HeapLimit() {}

    /// For a prompt of this length.
    static String exceeded(Gemma2Config config, int capacity, BackendOptions.KvType kv) {
        return EXCEEDED.formatted(". The keys and values of " + capacity + " tokens alone take " + gigabytes(cacheBytes(config, capacity, kv))
                + ", the rows of a layer at work as much or more") + " A shorter prompt, "
                + (kv == BackendOptions.KvType.F32 ? "or --kv bf16 for half of the keys and values, needs less." : "needs less.");
    }

    /// Keys and values of all layers; a local layer keeps its window.
    static long cacheBytes(Gemma2Config config, int capacity, BackendOptions.KvType kv) {
        long rows = IntStream.range(0, config.numHiddenLayers()).mapToLong(l -> switch (config.layerKind(l)) {
            case LayerKind.Local(int window) -> Math.min(window, capacity);
            case LayerKind.Global() -> capacity;
        }).sum();
        return 2 * rows * config.numKeyValueHeads() * config.headDim() * (kv == BackendOptions.KvType.F32 ? 4 : 2);
    }

    private static String gigabytes(long bytes) {
        return String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
    }
}
