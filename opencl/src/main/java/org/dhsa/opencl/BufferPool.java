package org.dhsa.opencl;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_mem;

/// Buffers of one context, used again instead of made again.
///
/// The forward pass hands tensors from stage to stage and never closes one, so the pool learns from the garbage collector
/// which of them are gone: each is watched by a phantom reference, and its memory is lent again. A collection is asked for
/// whenever a fair amount of memory was lent since the last one; without that a heap of tiny handles would never be worth
/// collecting. What the pool does *not* do is free by finaliser: [#close] frees everything, whoever still refers to it.
final class BufferPool implements AutoCloseable {

    /// Sizes are rounded up to a multiple of this, so that near sizes share buffers.
    private static final long GRAIN = 256;
    private static final long COLLECT_AFTER = 512L << 20;

    private final OpenClContext context;
    private final long limit;
    private final String limitName;
    private final ReferenceQueue<OpenClBuffer> gone = new ReferenceQueue<>();
    private final Set<Slot> all = new HashSet<>();
    private final TreeMap<Long, ArrayDeque<Slot>> free = new TreeMap<>();
    private long heldBytes;
    private long freeBytes;
    private long lentSinceCollection;

    /// @param limit most bytes to hold, empty for what the device has
    BufferPool(OpenClContext context, OptionalLong limit) {
        this.context = context;
        this.limit = Math.min(limit.orElse(Long.MAX_VALUE), context.device().globalBytes());
        this.limitName = limit.isPresent() && limit.getAsLong() <= context.device().globalBytes() ? "by --max-device-memory" : "the device's memory";
    }

    /// Memory and the reference that watches its borrower.
    final class Slot {
        private final cl_mem memory;
        private final long bytes;
        private Watch watch;

        private Slot(cl_mem memory, long bytes) {
            this.memory = memory;
            this.bytes = bytes;
        }

        cl_mem memory() {
            if (watch == null) {
                throw new IllegalStateException("this buffer was given back");
            }
            return memory;
        }

        void giveBack() {
            if (watch == null) {
                return;
            }
            watch.clear();
            watch = null;
            free.computeIfAbsent(bytes, b -> new ArrayDeque<>()).push(this);
            freeBytes += bytes;
        }
    }

    private static final class Watch extends PhantomReference<OpenClBuffer> {
        private final Slot slot;

        Watch(OpenClBuffer buffer, ReferenceQueue<OpenClBuffer> queue, Slot slot) {
            super(buffer, queue);
            this.slot = slot;
        }
    }

    /// Contents are whatever was there.
    ///
    /// @throws OpenClException if the device has no more room
    OpenClBuffer allocate(long bytes) {
        long rounded = Math.max(GRAIN, (bytes + GRAIN - 1) / GRAIN * GRAIN);
        takeBackUnused();
        lentSinceCollection += rounded;
        if (lentSinceCollection > COLLECT_AFTER) {
            collect();
        }
        Slot slot = reuse(rounded);
        if (slot == null) {
            slot = make(rounded);
        }
        OpenClBuffer buffer = new OpenClBuffer(slot, bytes);
        slot.watch = new Watch(buffer, gone, slot);
        return buffer;
    }

    /// A free buffer that is not more than a quarter too large.
    private Slot reuse(long bytes) {
        Map.Entry<Long, ArrayDeque<Slot>> fit = free.ceilingEntry(bytes);
        if (fit == null || fit.getKey() > bytes + bytes / 4) {
            return null;
        }
        Slot slot = fit.getValue().pop();
        if (fit.getValue().isEmpty()) {
            free.remove(fit.getKey());
        }
        freeBytes -= slot.bytes;
        return slot;
    }

    private Slot make(long bytes) {
        if (heldBytes + bytes > limit) {
            collect();
            Slot slot = reuse(bytes);
            if (slot != null) {
                return slot;
            }
            releaseFree();
        }
        if (bytes > context.device().maxBufferBytes()) {
            throw OpenClException.outOfMemory(bytes, heldBytes, context.device().maxBufferBytes(), "the device's largest single buffer", context.device().name());
        }
        if (heldBytes + bytes > limit) {
            throw OpenClException.outOfMemory(bytes, heldBytes, Math.max(0, limit - heldBytes), limitName, context.device().name());
        }
        int[] status = new int[1];
        cl_mem memory = CL.clCreateBuffer(context.handle(), CL.CL_MEM_READ_WRITE, bytes, null, status);
        if (outOfMemory(status[0]) && heldBytes > 0) {
            collect();
            releaseFree();
            memory = CL.clCreateBuffer(context.handle(), CL.CL_MEM_READ_WRITE, bytes, null, status);
        }
        if (outOfMemory(status[0])) {
            throw OpenClException.outOfMemory(bytes, heldBytes, Math.max(0, limit - heldBytes), OpenClException.name(status[0]), context.device().name());
        }
        OpenClException.check(status[0], "clCreateBuffer of " + bytes + " bytes", context.device().name());
        Slot slot = new Slot(memory, bytes);
        all.add(slot);
        heldBytes += bytes;
        return slot;
    }

    private static boolean outOfMemory(int status) {
        return status == CL.CL_MEM_OBJECT_ALLOCATION_FAILURE || status == CL.CL_OUT_OF_RESOURCES || status == CL.CL_OUT_OF_HOST_MEMORY;
    }

    private void takeBackUnused() {
        for (var watch = gone.poll(); watch != null; watch = gone.poll()) {
            ((Watch) watch).slot.giveBack();
        }
    }

    /// Waits a moment for the collector's news, since they come from another thread.
    private void collect() {
        lentSinceCollection = 0;
        System.gc();
        try {
            for (var watch = gone.remove(50); watch != null; watch = gone.remove(5)) {
                ((Watch) watch).slot.giveBack();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void releaseFree() {
        free.values().forEach(slots -> slots.forEach(slot -> {
            CL.clReleaseMemObject(slot.memory);
            all.remove(slot);
            heldBytes -= slot.bytes;
        }));
        free.clear();
        freeBytes = 0;
    }

    /// Bytes held on the device, lent or free.
    long heldBytes() {
        return heldBytes;
    }

    /// Most bytes that may be held.
    long limit() {
        return limit;
    }

    /// Bytes that could be lent without going over the limit.
    long availableBytes() {
        return limit - heldBytes + freeBytes;
    }

    @Override
    public void close() {
        all.forEach(slot -> {
            if (slot.watch != null) {
                slot.watch.clear();
                slot.watch = null;
            }
            CL.clReleaseMemObject(slot.memory);
        });
        all.clear();
        free.clear();
        heldBytes = 0;
        freeBytes = 0;
    }

    /// Fills with one 4-byte pattern, for tests.
    void fill(OpenClBuffer buffer, int pattern) {
        OpenClException.check(CL.clEnqueueFillBuffer(context.queue(), buffer.memory(), Pointer.to(new int[] {pattern}), Sizeof.cl_int, 0,
                (buffer.bytes() + 3) / 4 * 4, 0, null, null), "clEnqueueFillBuffer", context.device().name());
    }
}
