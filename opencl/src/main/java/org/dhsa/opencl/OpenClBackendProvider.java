package org.dhsa.opencl;

import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendOptions;
import org.dhsa.backend.BackendProvider;

/// Runs where an OpenCL driver is.
public final class OpenClBackendProvider implements BackendProvider {

    @Override
    public String name() {
        return OpenClBackend.NAME;
    }

    @Override
    public Availability probe() {
        OpenClLibrary.Found found = OpenClLibrary.look();
        if (found.missing().isPresent()) {
            return found.missing().get();
        }
        try {
            return new Availability.Available(OpenClLibrary.choose(found.devices(), System.getProperty(OpenClLibrary.DEVICE_PROPERTY)).description());
        } catch (OpenClException e) {
            return new Availability.Missing(e.getMessage(), "leave the property out, or name one of these");
        }
    }

    @Override
    public Backend open(BackendOptions options) {
        OpenClLibrary.Found found = OpenClLibrary.look();
        found.missing().ifPresent(missing -> {
            throw new OpenClException(missing.why() + ". What to do: " + missing.remedy());
        });
        OpenClDevice device = OpenClLibrary.choose(found.devices(), System.getProperty(OpenClLibrary.DEVICE_PROPERTY));
        return new OpenClBackend(new OpenClContext(device, Tuning.of(device), options.maxDeviceMemory()));
    }
}
