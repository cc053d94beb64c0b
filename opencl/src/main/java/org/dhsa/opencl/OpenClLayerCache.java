package org.dhsa.opencl;

import org.dhsa.backend.LayerCache;
import org.dhsa.model.LayerKind;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Keys and values of one layer on the device, `[kvHeads][capacity][headDim]` in FP32, with room to grow.
///
/// A local layer forgets lazily: what no query sees any more moves out of the way when as much again has piled up. Rows are
/// never overwritten while a view may look at them: moving makes new buffers.
final class OpenClLayerCache implements LayerCache {

    private final OpenClContext context;
    private final int kvHeads;
    private final int headDim;
    private final LayerKind kind;
    private int capacity;
    private int start;
    private int length;
    private int firstPosition;
    private OpenClBuffer keys;
    private OpenClBuffer values;

    OpenClLayerCache(OpenClContext context, int kvHeads, int headDim, LayerKind kind) {
        this.context = context;
        this.kvHeads = kvHeads;
        this.headDim = headDim;
        this.kind = kind;
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
        context.copyRows(k.buffer(), k.offset(), k.stride(), keys, to, stride, kvHeads, (long) rows * headDim);
        context.copyRows(v.buffer(), v.offset(), v.stride(), values, to, stride, kvHeads, (long) rows * headDim);
        length += rows;
    }

    private void move(int newCapacity) {
        keys = moved(keys, newCapacity);
        values = moved(values, newCapacity);
        capacity = newCapacity;
        start = 0;
    }

    private OpenClBuffer moved(OpenClBuffer from, int newCapacity) {
        OpenClBuffer to = context.allocateFloats((long) kvHeads * newCapacity * headDim);
        if (length > 0) {
            context.copyRows(from, (long) start * headDim, (long) capacity * headDim, to, 0, (long) newCapacity * headDim, kvHeads, (long) length * headDim);
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
        return buffer == null ? DeviceTensor.allocate(context, shape)
                : new DeviceTensor(context, shape, buffer, (long) start * headDim, (long) capacity * headDim);
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
