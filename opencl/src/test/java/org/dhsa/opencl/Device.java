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
            String reason = "no opencl here: " + missing.why() + " (" + missing.remedy() + ")";
            if (("," + System.getProperty("golden.require", "") + ",").contains(",opencl,")) {
                Assertions.fail(reason);
            }
            System.out.println("SKIPPED, " + reason);
            throw new TestAbortedException(reason);
        }
        return OpenClLibrary.choose(found.devices(), System.getProperty(OpenClLibrary.DEVICE_PROPERTY));
    }

    /// Every buffer between guard zones; [#close] looks at them.
    static OpenClContext context() {
        OpenClDevice device = any();
        return context(Tuning.of(device));
    }

    static OpenClContext context(Tuning tuning) {
        return new OpenClContext(any(), tuning, OptionalLong.empty(), true);
    }

    /// Looks at all guard zones, then closes.
    static void close(OpenClContext context) {
        try {
            context.pool().checkGuards();
        } finally {
            context.close();
        }
    }
}
