package org.dhsa.optimized;

import org.dhsa.backend.LayerCache;
import org.dhsa.model.LayerKind;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// FP32 keys and values of one layer, `[kvHeads][capacity][headDim]`, with room to grow.
///
/// A local layer forgets lazily: what no query sees any more moves out of the way when as much again has piled up.
final class FloatLayerCache implements LayerCache {

    private final int kvHeads;
    private final int headDim;
    private final LayerKind kind;
    private int capacity;
    private int start;
    private int length;
    private int firstPosition;
    private float[] keys = new float[0];
    private float[] values = new float[0];

    FloatLayerCache(int kvHeads, int headDim, LayerKind kind) {
        this.kvHeads = kvHeads;
        this.headDim = headDim;
        this.kind = kind;
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
            System.arraycopy(k.data(), k.offset() + h * k.stride(), keys, to, rows * headDim);
            System.arraycopy(v.data(), v.offset() + h * v.stride(), values, to, rows * headDim);
        }
        length += rows;
    }

    private void move(int newCapacity) {
        keys = moved(keys, newCapacity);
        values = moved(values, newCapacity);
        capacity = newCapacity;
        start = 0;
    }

    private float[] moved(float[] from, int newCapacity) {
        float[] to = new float[Math.multiplyExact(kvHeads, Math.multiplyExact(newCapacity, headDim))];
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

    private FloatTensor view(float[] data) {
        return new FloatTensor(Shape.of("kvHeads", kvHeads, "keyLen", length, "headDim", headDim), data, start * headDim, capacity * headDim);
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
