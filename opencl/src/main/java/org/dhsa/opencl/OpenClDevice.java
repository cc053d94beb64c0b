package org.dhsa.opencl;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.cl_device_id;
import org.jocl.cl_platform_id;

/// One device as its driver describes it.
///
/// @param index            `platform:device`, counted from 0, as `-Ddhsa.opencl.device` takes it
/// @param platformVersion  version text of the platform
/// @param version          OpenCL version text of the device
/// @param driver           version of the driver
/// @param globalBytes      memory of the device
/// @param maxBufferBytes   largest single buffer
/// @param localBytes       local memory of a work-group
/// @param maxSubGroups     most sub-groups of a work-group, 0 without sub-groups or before OpenCL 2.1
public record OpenClDevice(String index, String platform, String platformVersion, String name, String version, String driver, Kind kind,
                           int computeUnits, long globalBytes, long maxBufferBytes, long localBytes, int maxWorkGroup, int maxSubGroups, Set<String> extensions,
                           cl_platform_id platformId, cl_device_id id) {

    /// What the tunables are chosen by.
    public enum Kind {
        CPU, GPU, OTHER;

        private static Kind of(String wanted, Kind reported) {
            if (wanted == null || wanted.isBlank()) {
                return reported;
            }
            return switch (wanted.strip()) {
                case "cpu" -> CPU;
                case "gpu" -> GPU;
                default -> throw new OpenClException("-D" + KIND_PROPERTY + "=" + wanted + " is neither cpu nor gpu");
            };
        }
    }

    /// Property that gives a device the kernels and tunables of another kind: `-Ddhsa.opencl.kind=gpu`.
    public static final String KIND_PROPERTY = "dhsa.opencl.kind";

    /// All devices of all platforms, GPUs first. The loader must be there: ask [OpenClLibrary] before. A driver that fails does not hide the
    /// devices of the others.
    ///
    /// @throws OpenClException if a platform cannot be asked and no other has a device
    static List<OpenClDevice> all() {
        return SignalHandlers.kept(OpenClDevice::ofAllPlatforms);
    }

    private static List<OpenClDevice> ofAllPlatforms() {
        int[] count = new int[1];
        int status = CL.clGetPlatformIDs(0, null, count);
        if (status == PLATFORM_NOT_FOUND || count[0] == 0) {
            return List.of();
        }
        OpenClException.check(status, "clGetPlatformIDs", "this machine");
        cl_platform_id[] platforms = new cl_platform_id[count[0]];
        OpenClException.check(CL.clGetPlatformIDs(platforms.length, platforms, null), "clGetPlatformIDs", "this machine");
        List<OpenClDevice> devices = new ArrayList<>();
        OpenClException broken = null;
        for (int p = 0; p < platforms.length; p++) {
            try {
                String platform = text(platforms[p], CL.CL_PLATFORM_NAME);
                cl_device_id[] ids = ids(platforms[p], platform);
                for (int d = 0; d < ids.length; d++) {
                    devices.add(describe(p + ":" + d, platform, platforms[p], ids[d]));
                }
            } catch (OpenClException e) {
                broken = e;
            }
        }
        if (devices.isEmpty() && broken != null) {
            throw broken;
        }
        devices.sort(Comparator.comparing(d -> d.kind() != Kind.GPU));
        return devices;
    }

    private static cl_device_id[] ids(cl_platform_id id, String platform) {
        int[] count = new int[1];
        int status = CL.clGetDeviceIDs(id, ALL_TYPES, 0, null, count);
        if (status == CL.CL_DEVICE_NOT_FOUND) {
            return new cl_device_id[0];
        }
        OpenClException.check(status, "clGetDeviceIDs", platform);
        cl_device_id[] ids = new cl_device_id[count[0]];
        OpenClException.check(CL.clGetDeviceIDs(id, ALL_TYPES, ids.length, ids, null), "clGetDeviceIDs", platform);
        return ids;
    }

    /// `CL_DEVICE_TYPE_ALL` as `cl.h` has it: 32 bits. JOCL's constant is that of all 64 bits, which Mesa's rusticl refuses.
    private static final long ALL_TYPES = 0xFFFFFFFFL;

    /// Status of `clGetPlatformIDs` when the loader knows no driver (extension cl_khr_icd).
    private static final int PLATFORM_NOT_FOUND = -1001;

    private static OpenClDevice describe(String index, String platform, cl_platform_id platformId, cl_device_id id) {
        long type = number(id, CL.CL_DEVICE_TYPE);
        Kind kind = Kind.of(System.getProperty(KIND_PROPERTY), (type & CL.CL_DEVICE_TYPE_GPU) != 0 ? Kind.GPU : (type & CL.CL_DEVICE_TYPE_CPU) != 0 ? Kind.CPU : Kind.OTHER);
        return new OpenClDevice(index, platform, text(platformId, CL.CL_PLATFORM_VERSION), text(id, CL.CL_DEVICE_NAME), text(id, CL.CL_DEVICE_VERSION),
                text(id, CL.CL_DRIVER_VERSION), kind, (int) number(id, CL.CL_DEVICE_MAX_COMPUTE_UNITS), number(id, CL.CL_DEVICE_GLOBAL_MEM_SIZE),
                number(id, CL.CL_DEVICE_MAX_MEM_ALLOC_SIZE), number(id, CL.CL_DEVICE_LOCAL_MEM_SIZE), (int) number(id, CL.CL_DEVICE_MAX_WORK_GROUP_SIZE), maxSubGroups(id),
                new TreeSet<>(Arrays.asList(text(id, CL.CL_DEVICE_EXTENSIONS).strip().split("\\s+"))), platformId, id);
    }

    public boolean has(String extension) {
        return extensions.contains(extension);
    }

    /// Sub-groups with their sums: an extension in OpenCL 2, a feature in OpenCL 3, where the extension means more (independent progress).
    public boolean subGroups() {
        return maxSubGroups > 0 || has("cl_khr_subgroups");
    }

    /// Sub-groups whose items can read each other's values.
    public boolean shuffles() {
        return subGroups() && has("cl_khr_subgroup_shuffle");
    }

    /// What `-cl-std` takes for kernels with sub-groups.
    String languageWithSubGroups() {
        return version.startsWith("OpenCL 2") ? "CL2.0" : "CL3.0";
    }

    private static final int MAX_NUM_SUB_GROUPS = 0x105C;

    private static int maxSubGroups(cl_device_id id) {
        int[] count = new int[1];
        return CL.clGetDeviceInfo(id, MAX_NUM_SUB_GROUPS, 4, Pointer.to(count), null) == CL.CL_SUCCESS ? count[0] : 0;
    }

    /// For people: `NVIDIA H200 (NVIDIA CUDA, driver 550.54), GPU, 132 compute units, 139.8 GiB`.
    public String description() {
        return String.format(Locale.ROOT, "%s (%s, driver %s), %s, %d compute units, %.1f GiB", name, platform, driver, kind, computeUnits,
                globalBytes / (double) (1L << 30));
    }

    /// What is reported beyond the plain path, for people.
    public String support() {
        return String.format(Locale.ROOT, "%s; largest buffer %.1f GiB; local memory %d KiB; work-groups up to %d; fp16 %s, bf16 conversions %s, fp64 %s, sub-groups %s", version,
                maxBufferBytes / (double) (1L << 30), localBytes >> 10, maxWorkGroup, yes("cl_khr_fp16"),
                yes("cl_intel_bfloat16_conversions"), yes("cl_khr_fp64"), shuffles() ? "yes" : subGroups() ? "yes, without shuffles" : "no");
    }

    private String yes(String extension) {
        return has(extension) ? "yes" : "no";
    }

    /// Sizes are 4 or 8 bytes, little-endian on every driver that runs a JVM beside it.
    private static long number(cl_device_id id, int what) {
        ByteBuffer value = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
        OpenClException.check(CL.clGetDeviceInfo(id, what, 8, Pointer.to(value.array()), null), "clGetDeviceInfo", "a device");
        return value.getLong(0);
    }

    private static String text(cl_device_id id, int what) {
        long[] size = new long[1];
        OpenClException.check(CL.clGetDeviceInfo(id, what, 0, null, size), "clGetDeviceInfo", "a device");
        byte[] bytes = new byte[Math.toIntExact(size[0])];
        OpenClException.check(CL.clGetDeviceInfo(id, what, bytes.length, Pointer.to(bytes), null), "clGetDeviceInfo", "a device");
        return trimmed(bytes);
    }

    private static String text(cl_platform_id id, int what) {
        long[] size = new long[1];
        OpenClException.check(CL.clGetPlatformInfo(id, what, 0, null, size), "clGetPlatformInfo", "a platform");
        byte[] bytes = new byte[Math.toIntExact(size[0])];
        OpenClException.check(CL.clGetPlatformInfo(id, what, bytes.length, Pointer.to(bytes), null), "clGetPlatformInfo", "a platform");
        return trimmed(bytes);
    }

    /// Without the zero at its end.
    private static String trimmed(byte[] bytes) {
        int end = bytes.length;
        while (end > 0 && bytes[end - 1] == 0) {
            end--;
        }
        return new String(bytes, 0, end, StandardCharsets.UTF_8).strip();
    }
}
