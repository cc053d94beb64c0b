package org.dhsa.opencl;

import java.util.OptionalLong;
import org.dhsa.backend.Availability;
import org.junit.jupiter.api.Assertions;
import org.opentest4j.TestAbortedException;

/// The device of this machine for tests. Without one a test is skipped, and says why and what to do; where a device is
/// promised (`-Dgolden.require=opencl`) it fails instead.
final class Device {

    private Device() {}

    static OpenClDevice any() {
        OpenClLibrary.Found found = OpenClLibrary.look();
        if (found.missing().isPresent()) {
            Availability.Missing missing = found.missing().get();
            String reason = "no OpenCL here: " + missing.why() + " (" + missing.remedy() + ")";
            if (("," + System.getProperty("golden.require", "") + ",").contains(",opencl,")) {
                Assertions.fail(reason);
            }
            System.out.println("SKIPPED, " + reason);
            throw new TestAbortedException(reason);
        }
        return OpenClLibrary.choose(found.devices(), System.getProperty(OpenClLibrary.DEVICE_PROPERTY));
    }

    static OpenClContext context() {
        OpenClDevice device = any();
        return new OpenClContext(device, Tuning.of(device), OptionalLong.empty());
    }

    static OpenClBackend backend() {
        return new OpenClBackend(context());
    }
}
