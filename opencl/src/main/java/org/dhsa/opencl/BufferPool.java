package org.dhsa.opencl;

import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import org.dhsa.backend.DeviceMemory;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_buffer_region;
import org.jocl.cl_mem;

/// Buffers of one context, used again instead of made again.
///
/// The forward pass hands tensors from stage to stage and never closes one, so the pool learns from the garbage collector
/// which of them are gone: each is watched by a phantom reference, and its memory is lent again. A collection is asked for
/// whenever a fair amount of memory was lent since the last one; without that a heap of tiny handles would never be worth
/// collecting. What the pool does *not* do is free by finaliser: [#close] frees everything, whoever still refers to it.
final class BufferPool implements DeviceMemory, AutoCloseable {

    /// Sizes are rounded up to a multiple of this, so that near sizes share buffers.
    private static final long GRAIN = 256;
    private static final long COLLECT_AFTER = 512L << 20;
    /// For a JVM whose collector may not be asked.
    private static final long LONGEST_WAIT_MS = 2000;

    /// Bytes of poison on each side of a guarded buffer; a multiple of every device's alignment.
    private static final int GUARD = 4096;
    private static final int POISON = 0xff5aa55a;

    private final OpenClContext context;
    private final boolean guarded;
    private final long limit;
    private final String limitName;
    private final ReferenceQueue<Object> gone = new ReferenceQueue<>();
    private final Set<Slot> all = new HashSet<>();
    private final TreeMap<Long, ArrayDeque<Slot>> free = new TreeMap<>();
    private long heldBytes;
    private long freeBytes;
    private long lentSinceCollection;
    private long peakLentBytes;

    /// @param limit   most bytes to hold, empty for what the device has
    /// @param guarded every buffer of its own, filled with a NaN, between two zones that [#checkGuards] looks at; for tests
    BufferPool(OpenClContext context, OptionalLong limit, boolean guarded) {
        this.context = context;
        this.guarded = guarded;
        this.limit = Math.min(limit.orElse(Long.MAX_VALUE), context.device().globalBytes());
        this.limitName = limit.isPresent() && limit.getAsLong() <= context.device().globalBytes() ? "by --max-device-memory" : "the device's memory";
    }

    /// Memory and the reference that watches its borrower.
    final class Slot {
        private final cl_mem memory;
        private final long bytes;
        /// Holds `memory` between its guards; null without guards.
        private final cl_mem around;
        private Watch watch;

        private Slot(cl_mem memory, long bytes, cl_mem around) {
            this.memory = memory;
            this.bytes = bytes;
            this.around = around;
        }

        private void free() {
            CL.clReleaseMemObject(memory);
            if (around != null) {
                CL.clReleaseMemObject(around);
            }
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

    private static final class Watch extends PhantomReference<Object> {
        private final Slot slot;

        Watch(OpenClBuffer buffer, ReferenceQueue<Object> queue, Slot slot) {
            super(buffer, queue);
            this.slot = slot;
        }
    }

    /// Contents are whatever was there.
    ///
    /// @throws OpenClException if the device has no more room
    OpenClBuffer allocate(long bytes) {
        long rounded = guarded ? Math.max(4, bytes) : Math.max(GRAIN, (bytes + GRAIN - 1) / GRAIN * GRAIN);
        takeBackUnused();
        lentSinceCollection += rounded;
        if (lentSinceCollection > COLLECT_AFTER) {
            collect();
        }
        Slot slot = guarded ? null : reuse(rounded);
        if (slot == null) {
            slot = make(rounded);
        }
        OpenClBuffer buffer = new OpenClBuffer(slot, bytes);
        slot.watch = new Watch(buffer, gone, slot);
        peakLentBytes = Math.max(peakLentBytes, heldBytes - freeBytes);
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
        for (int collections = 0; heldBytes + bytes > limit && collections < 2; collections++) {
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
        long created = guarded ? (bytes + 3) / 4 * 4 + 2 * GUARD : bytes;
        cl_mem memory = CL.clCreateBuffer(context.handle(), CL.CL_MEM_READ_WRITE, created, null, status);
        if (outOfMemory(status[0]) && heldBytes > 0) {
            collect();
            releaseFree();
            memory = CL.clCreateBuffer(context.handle(), CL.CL_MEM_READ_WRITE, created, null, status);
        }
        if (outOfMemory(status[0])) {
            throw OpenClException.outOfMemory(bytes, heldBytes, Math.max(0, limit - heldBytes), OpenClException.name(status[0]), context.device().name());
        }
        OpenClException.check(status[0], "clCreateBuffer of " + bytes + " bytes", context.device().name());
        Slot slot = guarded ? between(memory, bytes) : new Slot(memory, bytes, null);
        all.add(slot);
        heldBytes += bytes;
        return slot;
    }

    private static boolean outOfMemory(int status) {
        return status == CL.CL_MEM_OBJECT_ALLOCATION_FAILURE || status == CL.CL_OUT_OF_RESOURCES || status == CL.CL_OUT_OF_HOST_MEMORY;
    }

    private void takeBackUnused() {
        for (var watch = gone.poll(); watch != null; watch = gone.poll()) {
            takeBack(watch);
        }
    }

    /// Waits for the collector's news, which come from another thread. An object that nobody keeps is lost on purpose: news of it end the
    /// waiting. News of one collection come in any order, but all before those of the next, so two calls miss nothing.
    private void collect() {
        lentSinceCollection = 0;
        PhantomReference<Object> lost = new PhantomReference<>(new Object(), gone);
        System.gc();
        long begun = System.nanoTime();
        try {
            for (long left = LONGEST_WAIT_MS; left > 0; left = LONGEST_WAIT_MS - (System.nanoTime() - begun) / 1_000_000) {
                Reference<?> news = gone.remove(left);
                if (news == lost) {
                    break;
                }
                takeBack(news);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        Reference.reachabilityFence(lost);
        takeBackUnused();
    }

    private static void takeBack(Reference<?> news) {
        if (news instanceof Watch watch) {
            watch.slot.giveBack();
        }
    }

    private void releaseFree() {
        free.values().forEach(slots -> slots.forEach(slot -> {
            slot.free();
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

    /// Free buffers, which wait for the next borrower, do not count.
    @Override
    public long peakBytes() {
        return peakLentBytes;
    }

    @Override
    public void resetPeak() {
        collect();
        peakLentBytes = heldBytes - freeBytes;
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
            slot.free();
        });
        all.clear();
        free.clear();
        heldBytes = 0;
        freeBytes = 0;
    }

    private Slot between(cl_mem around, long bytes) {
        String device = context.device().name();
        OpenClException.check(CL.clEnqueueFillBuffer(context.queue(), around, Pointer.to(new int[] {POISON}), Sizeof.cl_int, 0,
                (bytes + 3) / 4 * 4 + 2 * GUARD, 0, null, null), "clEnqueueFillBuffer", device);
        int[] status = new int[1];
        cl_mem inside = CL.clCreateSubBuffer(around, CL.CL_MEM_READ_WRITE, CL.CL_BUFFER_CREATE_TYPE_REGION, new cl_buffer_region(GUARD, bytes), status);
        OpenClException.check(status[0], "clCreateSubBuffer of " + bytes + " bytes", device);
        return new Slot(inside, bytes, around);
    }

    /// Looks at both zones of every guarded buffer that is still held.
    ///
    /// @throws OpenClException if something was written outside a buffer
    void checkGuards() {
        int[] zone = new int[GUARD / 4];
        for (Slot slot : all) {
            if (slot.around == null) {
                continue;
            }
            for (long at : new long[] {0, GUARD + (slot.bytes + 3) / 4 * 4}) {
                OpenClException.check(CL.clEnqueueReadBuffer(context.queue(), slot.around, true, at, GUARD, Pointer.to(zone), 0, null, null),
                        "clEnqueueReadBuffer", context.device().name());
                for (int i = 0; i < zone.length; i++) {
                    if (zone[i] != POISON) {
                        throw new OpenClException("written outside a buffer of " + slot.bytes + " bytes: at byte " + (at + 4L * i - GUARD));
                    }
                }
            }
        }
    }
}
