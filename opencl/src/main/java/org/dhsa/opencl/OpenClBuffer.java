package org.dhsa.opencl;

import org.jocl.cl_mem;

/// Memory on the device, lent by a [BufferPool].
///
/// It goes back to the pool when nobody refers to it any more, or with [#release]. Whoever keeps a view of it keeps this object.
final class OpenClBuffer {

    private final BufferPool.Slot slot;
    private final long bytes;

    OpenClBuffer(BufferPool.Slot slot, long bytes) {
        this.slot = slot;
        this.bytes = bytes;
    }

    /// Bytes that were asked for; the memory behind may be larger.
    long bytes() {
        return bytes;
    }

    cl_mem memory() {
        return slot.memory();
    }

    /// Gives the memory back now. Work that was enqueued before may still read it: the queue is in order, so whatever is
    /// written into it next comes after.
    void release() {
        slot.giveBack();
    }
}
