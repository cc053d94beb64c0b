package org.dhsa.opencl;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.dhsa.backend.Availability;

/// Is there an OpenCL here, and if not, what is missing and what mends it?
///
/// Four things must be there: a loader library, under the name that JOCL asks for, a platform (driver) that the loader
/// knows, and a device of that platform.
public final class OpenClLibrary {

    /// Property that chooses a device by its index: `-Ddhsa.opencl.device=1:0`.
    public static final String DEVICE_PROPERTY = "dhsa.opencl.device";

    private static final String POCL = "on Debian or Ubuntu: apt install pocl-opencl-icd ocl-icd-opencl-dev (runs on the CPU), "
            + "or the driver of your GPU's vendor; see docs/opencl.md";

    private OpenClLibrary() {}

    /// What was found: devices, or why there is none.
    ///
    /// @param missing empty when `devices` is not
    public record Found(List<OpenClDevice> devices, Optional<Availability.Missing> missing) {
        private static Found missing(String why, String remedy) {
            return new Found(List.of(), Optional.of(new Availability.Missing(why, remedy)));
        }
    }

    /// Looks at this machine. Throws nothing: what goes wrong is an answer.
    public static Found look() {
        Optional<Found> loader = withoutLoader(System.getProperty("os.name"), OpenClLibrary::canLoad);
        if (loader.isPresent()) {
            return loader.get();
        }
        List<OpenClDevice> devices;
        try {
            unpackJocl();
            devices = OpenClDevice.all();
        } catch (OpenClException e) {
            return Found.missing(e.getMessage(), "check the driver with clinfo; " + POCL);
        } catch (LinkageError | UnsupportedOperationException e) {
            return Found.missing("the native part of JOCL cannot be loaded: " + e.getMessage(),
                    "JOCL has native parts for Linux, macOS and Windows on x86-64, Linux and macOS on ARM64; the temporary folder must allow executable files "
                            + "(-Djava.io.tmpdir=DIR names another)");
        }
        if (devices.isEmpty()) {
            return Found.missing("the OpenCL loader is there, but it knows no platform with a device (no driver is registered in /etc/OpenCL/vendors, "
                    + "or the driver sees no device)", POCL);
        }
        return new Found(devices, Optional.empty());
    }

    /// JOCL writes its native part into the temporary folder when its first class loads, unless it is there. Programs that start at the same
    /// time on a new machine take turns, so that none loads a part of the file.
    private static void unpackJocl() {
        Path lock = Path.of(System.getProperty("java.io.tmpdir"), "dhsa-java-jocl.lock");
        try (FileChannel channel = FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE); FileLock turn = channel.lock()) {
            loadJocl();
        } catch (IOException | OverlappingFileLockException notOurs) {
            // the lock of another user or another thread: as good as without one
            loadJocl();
        }
    }

    private static void loadJocl() {
        try {
            Class.forName("org.jocl.CL");
        } catch (ClassNotFoundException e) {
            throw new NoClassDefFoundError(e.getMessage());
        }
    }

    /// The device to use: the one that the property names, else a GPU, else the first.
    static OpenClDevice choose(List<OpenClDevice> devices, String wanted) {
        if (wanted == null || wanted.isBlank()) {
            return devices.getFirst();
        }
        return devices.stream().filter(d -> d.index().equals(wanted.strip())).findFirst().orElseThrow(() -> new OpenClException(
                "-D" + DEVICE_PROPERTY + "=" + wanted + " names no device; there are: " + devices.stream().map(d -> d.index() + " " + d.name()).toList()));
    }

    interface Loading {
        boolean canLoad(String library);
    }

    /// Empty when the loader can be loaded under the name that JOCL uses.
    static Optional<Found> withoutLoader(String system, Loading loading) {
        String os = system.toLowerCase(Locale.ROOT);
        if (os.contains("mac")) {
            return loading.canLoad("/System/Library/Frameworks/OpenCL.framework/OpenCL") ? Optional.empty()
                    : Optional.of(Found.missing("there is no OpenCL framework", "macOS brings OpenCL; this one does not, so use another backend"));
        }
        if (os.contains("windows")) {
            return loading.canLoad("OpenCL.dll") ? Optional.empty()
                    : Optional.of(Found.missing("there is no OpenCL.dll", "install the driver of your GPU's vendor, or Intel's OpenCL runtime for CPUs"));
        }
        if (loading.canLoad("libOpenCL.so")) {
            return Optional.empty();
        }
        return Optional.of(loading.canLoad("libOpenCL.so.1")
                ? Found.missing("the OpenCL loader is there as libOpenCL.so.1, but JOCL asks for the name libOpenCL.so, which is not",
                        "on Debian or Ubuntu: apt install ocl-icd-opencl-dev; elsewhere: a link libOpenCL.so to libOpenCL.so.1 beside it")
                : Found.missing("there is no OpenCL loader (libOpenCL.so)", POCL));
    }

    private static boolean canLoad(String library) {
        try (Arena arena = Arena.ofConfined()) {
            SymbolLookup.libraryLookup(library, arena);
            return true;
        } catch (IllegalArgumentException absent) {
            return false;
        }
    }
}
