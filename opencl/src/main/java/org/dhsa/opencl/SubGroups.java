package org.dhsa.opencl;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_device_id;
import org.jocl.cl_kernel;
import org.jocl.cl_program;

/// What a program may assume of the device's sub-groups: its tunable `SUB_GROUP`.
///
/// Work-items of a sub-group see each other's registers, so sums and maxima need no local memory and no barrier. `SUB_GROUP` items at a time
/// put their values together, in the same pairs as the plain kernels: the bits are the same. It need not be the size of the device's sub-groups; each of
/// them must be a multiple of it. How large they are is the compiler's choice, so each kernel is asked after it is built.
final class SubGroups {

    /// The tunable: 16, 8 or 4; 0 for the plain kernels.
    static final String TUNABLE = "SUB_GROUP";

    /// Property that switches sub-groups off: `-Ddhsa.opencl.subgroups=off`.
    static final String PROPERTY = "dhsa.opencl.subgroups";

    /// Programs with a sub-group variant, and whether it needs shuffles; selection counts in integers and needs sums alone.
    private static final Map<String, Boolean> SHUFFLES = Map.of("rms-norm", true, MatrixProduct.PROGRAM, true, DeviceAttention.DENSE, true, DeviceAttention.SPARSE, true,
            OpenClTopKSelection.PROGRAM, false);

    private static final int MAX_SUB_GROUP_SIZE_FOR_NDRANGE = 0x2033;

    private SubGroups() {}

    static boolean switchedOff() {
        String value = System.getProperty(PROPERTY, "on").strip();
        if (!List.of("on", "off").contains(value)) {
            throw new OpenClException("-D" + PROPERTY + "=" + value + " is neither on nor off");
        }
        return value.equals("off");
    }

    /// Values of [#TUNABLE] to try for a program, the wanted one first, 0 last.
    static List<Integer> candidates(OpenClDevice device, String slug, int wanted) {
        boolean can = !switchedOff() && SHUFFLES.containsKey(slug) && (SHUFFLES.get(slug) ? device.shuffles() : device.subGroups()) && FUNCTION.isPresent();
        return Stream.of(16, 8, 4, 0).filter(size -> size == 0 || can && size <= wanted).toList();
    }

    /// Are the sub-groups of every kernel of a program multiples of `size`? Kernels of any work-group size and those of fewer items use none.
    static boolean keep(cl_program program, OpenClDevice device, int size) {
        int[] count = new int[1];
        OpenClException.check(CL.clCreateKernelsInProgram(program, 0, null, count), "clCreateKernelsInProgram", device.name());
        cl_kernel[] kernels = new cl_kernel[count[0]];
        OpenClException.check(CL.clCreateKernelsInProgram(program, kernels.length, kernels, null), "clCreateKernelsInProgram", device.name());
        try {
            return Arrays.stream(kernels).allMatch(kernel -> {
                long[] local = new long[3];
                OpenClException.check(CL.clGetKernelWorkGroupInfo(kernel, device.id(), CL.CL_KERNEL_COMPILE_WORK_GROUP_SIZE, 3L * Sizeof.size_t, Pointer.to(local), null),
                        "clGetKernelWorkGroupInfo", device.name());
                long items = local[0] * local[1] * local[2];
                long actual = items % size == 0 && items > 0 ? sizeOf(kernel, device.id(), local) : size;
                return actual > 0 && actual % size == 0;
            });
        } finally {
            Arrays.stream(kernels).forEach(CL::clReleaseKernel);
        }
    }

    /// JOCL does not have this call of OpenCL 2.1.
    private static final Optional<MethodHandle> FUNCTION = function();

    private static Optional<MethodHandle> function() {
        for (String library : List.of("libOpenCL.so", "OpenCL.dll")) {
            try {
                return SymbolLookup.libraryLookup(library, Arena.global()).find("clGetKernelSubGroupInfo")
                        .map(address -> Linker.nativeLinker().downcallHandle(address, FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS,
                                ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS, ValueLayout.ADDRESS)));
            } catch (IllegalArgumentException absent) {
                // the next name
            }
        }
        return Optional.empty();
    }

    /// Largest sub-group of a kernel in work-groups of `local` items; 0 if the driver does not say.
    static long sizeOf(cl_kernel kernel, cl_device_id device, long[] local) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment size = arena.allocate(ValueLayout.JAVA_LONG);
            int status = (int) FUNCTION.orElseThrow().invokeExact(MemorySegment.ofAddress(kernel.getNativePointer()), MemorySegment.ofAddress(device.getNativePointer()),
                    MAX_SUB_GROUP_SIZE_FOR_NDRANGE, 8L * local.length, arena.allocateFrom(ValueLayout.JAVA_LONG, local), 8L, size, MemorySegment.NULL);
            return status == CL.CL_SUCCESS ? size.get(ValueLayout.JAVA_LONG, 0) : 0;
        } catch (Throwable e) {
            throw new IllegalStateException("clGetKernelSubGroupInfo cannot be called", e);
        }
    }
}
