package org.dhsa.opencl;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_context_properties;
import org.jocl.cl_device_id;

/// One device made ready: its context, one in-order queue, its programs, buffers and weights. Not for several threads at once.
final class OpenClContext implements AutoCloseable {

    private final OpenClDevice device;
    private final Tuning tuning;
    private final cl_context handle;
    private final cl_command_queue queue;
    private final Map<String, OpenClProgram> programs = new HashMap<>();
    private final Map<String, String> replaced = new HashMap<>();
    private final BufferPool pool;
    private final DeviceWeights weights;
    private long readBacks;

    /// @param maxDeviceMemory most bytes to hold on the device, empty for what it has
    OpenClContext(OpenClDevice device, Tuning tuning, OptionalLong maxDeviceMemory) {
        this(device, tuning, maxDeviceMemory, false);
    }

    /// @param guarded see [BufferPool]; for tests
    OpenClContext(OpenClDevice device, Tuning tuning, OptionalLong maxDeviceMemory, boolean guarded) {
        this.device = device;
        this.tuning = tuning;
        cl_context_properties properties = new cl_context_properties();
        properties.addProperty(CL.CL_CONTEXT_PLATFORM, device.platformId());
        int[] status = new int[1];
        this.handle = CL.clCreateContext(properties, 1, new cl_device_id[] {device.id()}, null, null, status);
        OpenClException.check(status[0], "clCreateContext", device.name());
        // The OpenCL 1.2 call: every driver has it, and an in-order queue is all that is asked for.
        this.queue = oldQueue(status);
        if (status[0] != CL.CL_SUCCESS) {
            CL.clReleaseContext(handle);
            OpenClException.check(status[0], "clCreateCommandQueue", device.name());
        }
        this.pool = new BufferPool(this, maxDeviceMemory, guarded);
        this.weights = new DeviceWeights(this);
    }

    @SuppressWarnings("deprecation")
    private cl_command_queue oldQueue(int[] status) {
        return CL.clCreateCommandQueue(handle, device.id(), 0, status);
    }

    OpenClDevice device() {
        return device;
    }

    /// Tunables of this device.
    Tuning tuning() {
        return tuning;
    }

    cl_context handle() {
        return handle;
    }

    cl_command_queue queue() {
        return queue;
    }

    BufferPool pool() {
        return pool;
    }

    DeviceWeights weights() {
        return weights;
    }

    /// The program of a stage with the tunables of this device, compiled on first use.
    ///
    /// @param slug name of the `.cl` resource without its ending
    OpenClProgram program(String slug) {
        return program(slug, tuning.of(slug));
    }

    /// @param tunables values given to the compiler as `-D NAME=VALUE`, but for `GROUP`, which only the host needs: one program serves all
    ///                 sizes of work-groups
    OpenClProgram program(String slug, Map<String, Integer> tunables) {
        TreeMap<String, Integer> defines = new TreeMap<>(tunables);
        defines.remove("GROUP");
        return programs.computeIfAbsent(slug + " " + defines, key -> replaced.containsKey(slug) ? OpenClProgram.build(this, slug, replaced.get(slug), defines)
                : OpenClProgram.build(this, slug, defines));
    }

    /// Takes another text for a program that was not compiled yet; for tests that must see a wrong kernel.
    void replace(String slug, String source) {
        replaced.put(slug, source);
    }

    /// Largest `SUB_GROUP` of the programs compiled from a text so far.
    int subGroup(String slug) {
        return programs.entrySet().stream().filter(e -> e.getKey().startsWith(slug + " ")).mapToInt(e -> e.getValue().subGroup()).max().orElse(0);
    }

    /// Items of a work-group for a program that takes any: its tunable `GROUP`.
    int group(String slug) {
        return tuning.of(slug).getOrDefault("GROUP", device.kind() == OpenClDevice.Kind.GPU ? 64 : 16);
    }

    /// Memory for `count` 4-byte values; contents are whatever was there.
    OpenClBuffer allocateFloats(long count) {
        return pool.allocate(Math.multiplyExact(4L, count));
    }

    OpenClBuffer upload(float[] values) {
        OpenClBuffer buffer = allocateFloats(values.length);
        if (values.length > 0) {
            write(buffer, 0, 4L * values.length, Pointer.to(values));
        }
        return buffer;
    }

    OpenClBuffer upload(int[] values) {
        OpenClBuffer buffer = allocateFloats(values.length);
        if (values.length > 0) {
            write(buffer, 0, 4L * values.length, Pointer.to(values));
        }
        return buffer;
    }

    /// Blocks until the values are taken.
    void write(OpenClBuffer to, long offsetBytes, long bytes, Pointer from) {
        OpenClException.check(CL.clEnqueueWriteBuffer(queue, to.memory(), true, offsetBytes, bytes, from, 0, null, null),
                "clEnqueueWriteBuffer of " + bytes + " bytes", device.name());
    }

    /// Native memory, a mapped file for instance, in slices that a byte buffer can hold.
    void write(OpenClBuffer to, long offsetBytes, MemorySegment from) {
        long slice = 1L << 28;
        for (long at = 0; at < from.byteSize(); at += slice) {
            long bytes = Math.min(slice, from.byteSize() - at);
            ByteBuffer view = from.asSlice(at, bytes).asByteBuffer().order(ByteOrder.nativeOrder());
            if (!view.isDirect()) {
                view = ByteBuffer.allocateDirect((int) bytes).put(view).flip();
            }
            write(to, offsetBytes + at, bytes, Pointer.to(view));
        }
    }

    /// `count` floats from element `offset`. Waits for everything enqueued before; counted in [#readBacks].
    float[] readFloats(OpenClBuffer from, long offset, int count) {
        float[] values = new float[count];
        if (count > 0) {
            read(from, 4 * offset, 4L * count, Pointer.to(values));
        }
        return values;
    }

    int[] readInts(OpenClBuffer from, long offset, int count) {
        int[] values = new int[count];
        if (count > 0) {
            read(from, 4 * offset, 4L * count, Pointer.to(values));
        }
        return values;
    }

    private void read(OpenClBuffer from, long offsetBytes, long bytes, Pointer to) {
        readBacks++;
        OpenClException.check(CL.clEnqueueReadBuffer(queue, from.memory(), true, offsetBytes, bytes, to, 0, null, null),
                "clEnqueueReadBuffer of " + bytes + " bytes", device.name());
    }

    /// Rows of `count` floats from one buffer to another, one launch for all. Kernel: `copy-rows.cl`.
    void copyRows(OpenClBuffer from, long fromOffset, long fromStride, OpenClBuffer to, long toOffset, long toStride, int rows, long count) {
        program("copy-rows").kernel("copy_rows").args(from, fromOffset, fromStride, to, toOffset, toStride, count, rows).run(count, group("copy-rows"), rows, 1);
    }

    /// Waits until everything enqueued is done.
    void finish() {
        OpenClException.check(CL.clFinish(queue), "clFinish", device.name());
    }

    /// How often the host waited for values of the device since this context was opened.
    long readBacks() {
        return readBacks;
    }

    @Override
    public void close() {
        CL.clFinish(queue);
        weights.close();
        pool.close();
        programs.values().forEach(OpenClProgram::close);
        programs.clear();
        CL.clReleaseCommandQueue(queue);
        CL.clReleaseContext(handle);
    }
}
