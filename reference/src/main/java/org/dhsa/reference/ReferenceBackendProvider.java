package org.dhsa.reference;

import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendOptions;
import org.dhsa.backend.BackendProvider;

/// The reference runs everywhere, on one thread and in FP64 whatever is asked.
public final class ReferenceBackendProvider implements BackendProvider {

    @Override
    public String name() {
        return ReferenceBackend.NAME;
    }

    @Override
    public Availability probe() {
        return new Availability.Available("FP64, plain Java on EJML, one thread");
    }

    @Override
    public Backend open(BackendOptions options) {
        return new ReferenceBackend();
    }
}
