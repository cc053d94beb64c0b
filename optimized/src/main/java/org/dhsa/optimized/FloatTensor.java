package org.dhsa.optimized;

import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// FP32 tensor on the heap, row-major, with room between the blocks of its first axis.
///
/// Element `[i, …]` of the first axis starts at `offset + i * stride`; everything behind it is contiguous. A KV cache with
/// spare capacity is thus a tensor without a copy.
final class FloatTensor implements Tensor {

    private final Shape shape;
    private final float[] data;
    private final int offset;
    private final int stride;

    FloatTensor(Shape shape, float[] data, int offset, int stride) {
        this.shape = shape;
        this.data = data;
        this.offset = offset;
        this.stride = stride;
    }

    static FloatTensor of(Shape shape, float[] data) {
        if (shape.elements() != data.length) {
            throw new IllegalArgumentException("shape " + shape + " needs " + shape.elements() + " values, got " + data.length);
        }
        return new FloatTensor(shape, data, 0, shape.extent(0) == 0 ? 0 : data.length / shape.extent(0));
    }

    static FloatTensor zeros(Shape shape) {
        return of(shape, new float[Math.toIntExact(shape.elements())]);
    }

    /// The tensor itself, or a rounded copy of another kind.
    static FloatTensor of(Tensor tensor) {
        if (tensor instanceof FloatTensor own) {
            return own;
        }
        if (tensor instanceof Bf16Tensor half) {
            return half.toFloat();
        }
        double[] wide = tensor.toDouble().data();
        float[] narrow = new float[wide.length];
        for (int i = 0; i < wide.length; i++) {
            narrow[i] = (float) wide[i];
        }
        return of(tensor.shape(), narrow);
    }

    /// A tensor whose blocks adjoin: this one, or a copy.
    FloatTensor dense() {
        int block = block();
        if (offset == 0 && stride == block && data.length == shape.elements()) {
            return this;
        }
        FloatTensor copy = zeros(shape);
        for (int i = 0; i < shape.extent(0); i++) {
            System.arraycopy(data, offset + i * stride, copy.data, i * block, block);
        }
        return copy;
    }

    /// Rows of the first axis; no copy.
    FloatTensor rows(int from, int to) {
        Object[] axes = new Object[2 * shape.rank()];
        for (int a = 0; a < shape.rank(); a++) {
            axes[2 * a] = shape.name(a);
            axes[2 * a + 1] = a == 0 ? to - from : shape.extent(a);
        }
        return new FloatTensor(Shape.of(axes), data, offset + from * stride, stride);
    }

    /// Elements behind one index of the first axis.
    int block() {
        return shape.extent(0) == 0 ? 0 : Math.toIntExact(shape.elements() / shape.extent(0));
    }

    @Override
    public Shape shape() {
        return shape;
    }

    /// The backing array, not a copy.
    float[] data() {
        return data;
    }

    int offset() {
        return offset;
    }

    /// Elements from one index of the first axis to the next.
    int stride() {
        return stride;
    }

    @Override
    public DoubleTensor toDouble() {
        DoubleTensor wide = DoubleTensor.zeros(shape);
        int block = block();
        for (int i = 0; i < shape.extent(0); i++) {
            for (int j = 0; j < block; j++) {
                wide.data()[i * block + j] = data[offset + i * stride + j];
            }
        }
        return wide;
    }

    @Override
    public String toString() {
        return "FloatTensor" + shape;
    }
}
