package org.dhsa.opencl;

import org.dhsa.backend.LayerCache;
import org.dhsa.model.LayerKind;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Keys and values of one layer on the device, `[kvHeads][capacity][headDim]` in FP32 or BF16, with room to grow. Twin: `RollingLayerCache`.
///
/// A local layer forgets lazily: what no query sees any more moves out of the way when as much again has piled up. Rows are
/// never overwritten while a view may look at them: moving makes new buffers.
final class OpenClLayerCache implements LayerCache {

    private final OpenClContext context;
    private final int kvHeads;
    private final int headDim;
    private final LayerKind kind;
    private final boolean bf16;
    private int capacity;
    private int start;
    private int length;
    private int firstPosition;
    private OpenClBuffer keys;
    private OpenClBuffer values;

    OpenClLayerCache(OpenClContext context, int kvHeads, int headDim, LayerKind kind, boolean bf16) {
        this.context = context;
        this.kvHeads = kvHeads;
        this.headDim = headDim;
        this.kind = kind;
        this.bf16 = bf16;
    }

    @Override
    public void append(Tensor key, Tensor value) {
        DeviceTensor k = DeviceTensor.of(context, key);
        DeviceTensor v = DeviceTensor.of(context, value);
        int rows = k.shape().extent("keyLen");
        if (keys == null || start + length + rows > capacity) {
            int room = length + rows;
            move(room < 1024 ? Math.max(64, room * 2) : room + room / 4);
        }
        long to = (long) (start + length) * headDim;
        long stride = (long) capacity * headDim;
        store(k, keys, to, stride);
        store(v, values, to, stride);
        length += rows;
    }

    private void store(DeviceTensor from, OpenClBuffer to, long at, long stride) {
        if (bf16) {
            DeviceBf16Tensor.rows(context, "round_rows", from.buffer(), from.offset(), from.stride(), to, at, stride, kvHeads, from.block());
        } else {
            context.copyRows(from.buffer(), from.offset(), from.stride(), to, at, stride, kvHeads, from.block());
        }
    }

    private void move(int newCapacity) {
        keys = moved(keys, newCapacity);
        values = moved(values, newCapacity);
        capacity = newCapacity;
        start = 0;
    }

    private OpenClBuffer moved(OpenClBuffer from, int newCapacity) {
        long elements = (long) kvHeads * newCapacity * headDim;
        OpenClBuffer to = bf16 ? context.pool().allocate(2 * elements) : context.allocateFloats(elements);
        long at = (long) start * headDim;
        long stride = (long) capacity * headDim;
        long newStride = (long) newCapacity * headDim;
        long count = (long) length * headDim;
        if (length > 0 && bf16) {
            DeviceBf16Tensor.rows(context, "copy_halves", from, at, stride, to, 0, newStride, kvHeads, count);
        } else if (length > 0) {
            context.copyRows(from, at, stride, to, 0, newStride, kvHeads, count);
        }
        return to;
    }

    @Override
    public Tensor keys() {
        return view(keys);
    }

    @Override
    public Tensor values() {
        return view(values);
    }

    private Tensor view(OpenClBuffer buffer) {
        Shape shape = Shape.of("kvHeads", kvHeads, "keyLen", length, "headDim", headDim);
        if (buffer == null) {
            return DeviceTensor.allocate(context, shape);
        }
        long at = (long) start * headDim;
        long stride = (long) capacity * headDim;
        return bf16 ? new DeviceBf16Tensor(context, shape, buffer, at, stride) : new DeviceTensor(context, shape, buffer, at, stride);
    }

    @Override
    public int firstPosition() {
        return firstPosition;
    }

    @Override
    public int endPosition() {
        return firstPosition + length;
    }

    @Override
    public void trim() {
        if (kind instanceof LayerKind.Local(int window) && length > window) {
            int drop = length - window;
            start += drop;
            length -= drop;
            firstPosition += drop;
            if (start > window) {
                move(2 * window);
            }
        }
    }
}
