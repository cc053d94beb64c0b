package org.dhsa.opencl;

import java.util.ArrayList;
import java.util.List;
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
    public List<String> details() {
        List<OpenClDevice> devices = OpenClLibrary.look().devices();
        List<String> lines = new ArrayList<>();
        for (OpenClDevice device : devices) {
            lines.add(device.index() + "  " + device.description());
            lines.add("     " + device.support());
            lines.add("     tuning: " + tuning(device));
        }
        if (devices.size() > 1) {
            lines.add("the first is used; another: DHSA_JAVA_OPTS=-D" + OpenClLibrary.DEVICE_PROPERTY + "=" + devices.getLast().index() + " ./dhsa ...");
        }
        return lines;
    }

    private static String tuning(OpenClDevice device) {
        TuningFile file = TuningFile.of(device);
        String[] refused = new String[1];
        return file.read(why -> refused[0] = why).map(t -> "measured here, " + file.path())
                .orElse(refused[0] != null ? refused[0] : "defaults for a " + device.kind() + "; ./dhsa backends --tune measures this device");
    }

    @Override
    public Backend open(BackendOptions options) {
        OpenClLibrary.Found found = OpenClLibrary.look();
        found.missing().ifPresent(missing -> {
            throw new OpenClException(missing.why() + ". What to do: " + missing.remedy());
        });
        OpenClDevice device = OpenClLibrary.choose(found.devices(), System.getProperty(OpenClLibrary.DEVICE_PROPERTY));
        return new OpenClBackend(new OpenClContext(device, Tuning.of(device, why -> System.err.println("warning: " + why)), options.maxDeviceMemory()), options.kv());
    }
}
