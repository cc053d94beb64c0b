package org.dhsa.opencl;

import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_kernel;

/// A kernel and the way to start it: `kernel.args(x, y, rows).run(global, local)`.
final class OpenClKernel implements AutoCloseable {

    private final OpenClContext context;
    private final String name;
    private final cl_kernel handle;

    OpenClKernel(OpenClContext context, String name, cl_kernel handle) {
        this.context = context;
        this.name = name;
        this.handle = handle;
    }

    /// Sets all arguments: [OpenClBuffer], `Integer`, `Float`, `Long`, or [Local] memory.
    OpenClKernel args(Object... args) {
        for (int i = 0; i < args.length; i++) {
            int status = switch (args[i]) {
                case OpenClBuffer buffer -> CL.clSetKernelArg(handle, i, Sizeof.cl_mem, Pointer.to(buffer.memory()));
                case Integer n -> CL.clSetKernelArg(handle, i, Sizeof.cl_int, Pointer.to(new int[] {n}));
                case Float f -> CL.clSetKernelArg(handle, i, Sizeof.cl_float, Pointer.to(new float[] {f}));
                case Long n -> CL.clSetKernelArg(handle, i, Sizeof.cl_long, Pointer.to(new long[] {n}));
                case Local local -> CL.clSetKernelArg(handle, i, local.bytes(), null);
                default -> throw new IllegalArgumentException(name + ": argument " + i + " is a " + args[i].getClass().getSimpleName());
            };
            OpenClException.check(status, "clSetKernelArg " + i + " of " + name, context.device().name());
        }
        return this;
    }

    /// Local memory of a work-group, sized at the start.
    record Local(long bytes) {}

    /// Enqueues over one axis. `global` counts work-items that are needed; it is rounded up to whole groups, so kernels check
    /// their index against the real count.
    void run(long global, int local) {
        run(new long[] {roundUp(global, local)}, new long[] {local});
    }

    /// Enqueues over two axes, each rounded up to whole groups; axis 0 is the fast one.
    void run(long global0, int local0, long global1, int local1) {
        run(new long[] {roundUp(global0, local0), roundUp(global1, local1)}, new long[] {local0, local1});
    }

    void run(long[] global, long[] local) {
        for (long extent : global) {
            if (extent == 0) {
                return;
            }
        }
        OpenClException.check(CL.clEnqueueNDRangeKernel(context.queue(), handle, global.length, null, global, local, 0, null, null),
                "clEnqueueNDRangeKernel of " + name + ", " + java.util.Arrays.toString(global) + " work-items in groups of " + java.util.Arrays.toString(local),
                context.device().name());
    }

    static long roundUp(long n, int multiple) {
        return (n + multiple - 1) / multiple * multiple;
    }

    @Override
    public void close() {
        CL.clReleaseKernel(handle);
    }
}
