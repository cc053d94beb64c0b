package org.dhsa.backend;

/// Memory that a backend holds on a device, beside the Java heap: weights, caches and what is in between.
///
/// A tensor counts until the garbage collector has noticed that nobody refers to it any more, so a peak is at least what
/// was needed and may hold some that was not.
public interface DeviceMemory {

    /// Most bytes in use at once since [#resetPeak], or since the backend was opened.
    long peakBytes();

    /// Begins again with what is in use now, tensors that nobody refers to any more taken away.
    void resetPeak();
}
