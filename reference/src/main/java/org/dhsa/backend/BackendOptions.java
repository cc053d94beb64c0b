package org.dhsa.backend;

import java.util.OptionalInt;
import java.util.OptionalLong;

/// What a user may ask of a backend. A backend that has no use for an option leaves it alone.
///
/// @param threads how many threads share the work, empty for as many as there are processors
/// @param kv      how keys and values are kept
/// @param maxDeviceMemory most bytes to hold on a device, empty for what it has
public record BackendOptions(OptionalInt threads, KvType kv, OptionalLong maxDeviceMemory) {

    /// Storage of the keys and values of a cache.
    public enum KvType { F32, BF16 }

    public static final BackendOptions DEFAULT = new BackendOptions(OptionalInt.empty(), KvType.F32);

    public BackendOptions {
        threads.ifPresent(n -> {
            if (n <= 0) {
                throw new IllegalArgumentException("threads must be positive, was " + n);
            }
        });
        maxDeviceMemory.ifPresent(n -> {
            if (n <= 0) {
                throw new IllegalArgumentException("maxDeviceMemory must be positive, was " + n);
            }
        });
    }

    public BackendOptions(OptionalInt threads, KvType kv) {
        this(threads, kv, OptionalLong.empty());
    }
}
