package org.dhsa.opencl;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation.Pooling;

/// Chunk boundaries, and what follows from them, on the device. The last few are kept: one set of boundaries serves all layers
/// of a prompt, and an upload waits for the device.
final class DeviceBoundaries {

    private static final int KEPT = 8;

    private final OpenClContext context;
    private final Map<Object, OpenClBuffer> kept = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Object, OpenClBuffer> eldest) {
            return size() > KEPT;
        }
    };

    DeviceBoundaries(OpenClContext context) {
        this.context = context;
    }

    private record Factors(Boundaries boundaries, int heads, Pooling pooling, int padTo) {}

    private record Padded(Boundaries boundaries, int padTo) {}

    /// `[chunks + 1]` ints.
    OpenClBuffer starts(Boundaries boundaries) {
        return kept(boundaries, b -> context.upload(b.toArray()));
    }

    /// `[chunks]` floats: what a chunk's sum over heads and tokens is multiplied by; for the maximum, what a token's sum over
    /// heads is multiplied by.
    OpenClBuffer factors(Boundaries boundaries, int heads, Pooling pooling, int padTo) {
        return kept(new Factors(boundaries, heads, pooling, padTo), f -> {
            float[] factors = new float[boundaries.chunks()];
            for (int c = 0; c < factors.length; c++) {
                int length = boundaries.length(c);
                double mean = 1.0 / heads / Math.max(1, Math.max(length, padTo));
                factors[c] = (float) switch (pooling) {
                    case MEAN -> mean;
                    case MEAN_SQRT_LENGTH -> mean * Math.sqrt(length);
                    case MAX -> 1.0 / heads;
                };
            }
            return context.upload(factors);
        });
    }

    /// `[chunks]` ints: 1 where a chunk is shorter than `padTo`.
    OpenClBuffer padded(Boundaries boundaries, int padTo) {
        return kept(new Padded(boundaries, padTo), p -> {
            int[] padded = new int[boundaries.chunks()];
            for (int c = 0; c < padded.length; c++) {
                padded[c] = boundaries.length(c) < padTo ? 1 : 0;
            }
            return context.upload(padded);
        });
    }

    private <K> OpenClBuffer kept(K key, Function<K, OpenClBuffer> make) {
        OpenClBuffer buffer = kept.get(key);
        if (buffer == null) {
            buffer = make.apply(key);
            kept.put(key, buffer);
        }
        return buffer;
    }
}
