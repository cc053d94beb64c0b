package org.dhsa.optimized;

import org.dhsa.backend.LayerCache;
import org.dhsa.model.LayerKind;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Keys and values of one layer in FP32 or BF16, `[kvHeads][capacity][headDim]`, with room to grow.
///
/// A local layer forgets lazily: what no query sees any more moves out of the way when as much again has piled up.
final class RollingLayerCache implements LayerCache {

    private final int kvHeads;
    private final int headDim;
    private final LayerKind kind;
    private final boolean bf16;
    private int capacity;
    private int start;
    private int length;
    private int firstPosition;
    /// `float[]`, or `short[]` when BF16.
    private Object keys;
    private Object values;

    RollingLayerCache(int kvHeads, int headDim, LayerKind kind, boolean bf16) {
        this.kvHeads = kvHeads;
        this.headDim = headDim;
        this.kind = kind;
        this.bf16 = bf16;
        this.keys = array(0);
        this.values = array(0);
    }

    private Object array(int rows) {
        int elements = Math.multiplyExact(kvHeads, Math.multiplyExact(rows, headDim));
        return bf16 ? new short[elements] : new float[elements];
    }

    @Override
    public void append(Tensor key, Tensor value) {
        FloatTensor k = FloatTensor.of(key);
        FloatTensor v = FloatTensor.of(value);
        int rows = k.shape().extent("keyLen");
        if (start + length + rows > capacity) {
            int room = length + rows;
            move(room < 1024 ? Math.max(64, room * 2) : room + room / 4);
        }
        for (int h = 0; h < kvHeads; h++) {
            int to = (h * capacity + start + length) * headDim;
            store(k, h, rows * headDim, keys, to);
            store(v, h, rows * headDim, values, to);
        }
        length += rows;
    }

    private void store(FloatTensor from, int head, int count, Object to, int at) {
        int first = from.offset() + head * from.stride();
        if (to instanceof short[] halves) {
            for (int i = 0; i < count; i++) {
                halves[at + i] = Bf16Tensor.round(from.data()[first + i]);
            }
        } else {
            System.arraycopy(from.data(), first, to, at, count);
        }
    }

    private void move(int newCapacity) {
        keys = moved(keys, newCapacity);
        values = moved(values, newCapacity);
        capacity = newCapacity;
        start = 0;
    }

    private Object moved(Object from, int newCapacity) {
        Object to = array(newCapacity);
        for (int h = 0; h < kvHeads && length > 0; h++) {
            System.arraycopy(from, (h * capacity + start) * headDim, to, h * newCapacity * headDim, length * headDim);
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

    private Tensor view(Object data) {
        Shape shape = Shape.of("kvHeads", kvHeads, "keyLen", length, "headDim", headDim);
        return data instanceof short[] halves
                ? new Bf16Tensor(shape, halves, start * headDim, capacity * headDim)
                : new FloatTensor(shape, (float[]) data, start * headDim, capacity * headDim);
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
