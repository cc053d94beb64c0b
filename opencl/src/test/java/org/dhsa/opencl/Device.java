package org.dhsa.opencl;

import java.util.ArrayList;
import java.util.List;
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
            if (promised("opencl")) {
                Assertions.fail(reason);
            }
            System.out.println("SKIPPED, " + reason);
            throw new TestAbortedException(reason);
        }
        return OpenClLibrary.choose(found.devices(), System.getProperty(OpenClLibrary.DEVICE_PROPERTY));
    }

    /// The device of [#any] if it has sub-groups with shuffles, else another of this machine that has. Without one a test is skipped, and says why
    /// and what to do; where they are promised (`-Dgolden.require=subgroups`) it fails instead.
    static OpenClDevice withSubGroups() {
        List<OpenClDevice> devices = new ArrayList<>(OpenClLibrary.look().devices());
        devices.addFirst(any());
        return devices.stream().filter(OpenClDevice::shuffles).findFirst().orElseThrow(() -> {
            String reason = "no OpenCL device here has sub-groups with shuffles: the plain kernels run, their sub-group variants are not tested ("
                    + devices.stream().map(d -> d.index() + " " + d.name()).distinct().toList() + "; Mesa's rusticl has some, see docs/opencl.md)";
            if (promised("subgroups")) {
                Assertions.fail(reason);
            }
            System.out.println("SKIPPED, " + reason);
            return new TestAbortedException(reason);
        });
    }

    private static boolean promised(String what) {
        return ("," + System.getProperty("golden.require", "") + ",").contains("," + what + ",");
    }

    /// Every buffer between guard zones; [#close] looks at them.
    static OpenClContext context() {
        OpenClDevice device = any();
        return context(Tuning.of(device));
    }

    static OpenClContext context(Tuning tuning) {
        return context(any(), tuning);
    }

    static OpenClContext context(OpenClDevice device, Tuning tuning) {
        return new OpenClContext(device, tuning, OptionalLong.empty(), true);
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
