package org.dhsa.optimized;

import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendProvider;

/// Runs on any JDK 25; fast where the Vector API is.
public final class OptimizedBackendProvider implements BackendProvider {

    /// `-Ddhsa.threads=N`; all processors if it is not set.
    static final String THREADS_PROPERTY = "dhsa.threads";

    @Override
    public String name() {
        return OptimizedBackend.NAME;
    }

    @Override
    public Availability probe() {
        return KernelChoice.availability();
    }

    @Override
    public Backend open() {
        return new OptimizedBackend(Integer.getInteger(THREADS_PROPERTY, Runtime.getRuntime().availableProcessors()));
    }
}
