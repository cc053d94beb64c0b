package org.dhsa.optimized;

import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendOptions;
import org.dhsa.backend.BackendProvider;

/// Runs on any JDK 25; fast where the Vector API is.
public final class OptimizedBackendProvider implements BackendProvider {

    @Override
    public String name() {
        return OptimizedBackend.NAME;
    }

    @Override
    public Availability probe() {
        return KernelChoice.availability();
    }

    @Override
    public Backend open(BackendOptions options) {
        return new OptimizedBackend(options);
    }
}
