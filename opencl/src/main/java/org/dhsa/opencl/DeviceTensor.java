package org.dhsa.opencl;

import java.util.List;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// FP32 tensor on the device, row-major, with room between the blocks of its first axis.
///
/// Element `[i, …]` of the first axis starts at `offset + i * stride`, counted in floats; everything behind it is contiguous.
/// A KV cache with spare capacity is thus a tensor without a copy. The host sees the values only by [#toDouble], which waits.
final class DeviceTensor implements Tensor {

    private final OpenClContext context;
    private final Shape shape;
    private final OpenClBuffer buffer;
    private final long offset;
    private final long stride;

    DeviceTensor(OpenClContext context, Shape shape, OpenClBuffer buffer, long offset, long stride) {
        this.context = context;
        this.shape = shape;
        this.buffer = buffer;
        this.offset = offset;
        this.stride = stride;
    }

    /// A new tensor whose contents are whatever was in its memory.
    static DeviceTensor allocate(OpenClContext context, Shape shape) {
        return of(context, shape, context.allocateFloats(shape.elements()));
    }

    /// Blocks adjoin, from the start of the buffer.
    static DeviceTensor of(OpenClContext context, Shape shape, OpenClBuffer buffer) {
        return new DeviceTensor(context, shape, buffer, 0, block(shape));
    }

    /// The tensor itself if it lives here, widened if it is bfloat16, or else its values rounded and uploaded.
    static DeviceTensor of(OpenClContext context, Tensor tensor) {
        if (tensor instanceof DeviceTensor own && own.context == context) {
            return own;
        }
        if (tensor instanceof DeviceBf16Tensor half && half.context() == context) {
            return half.wide();
        }
        double[] wide = tensor.toDouble().data();
        float[] narrow = new float[wide.length];
        for (int i = 0; i < wide.length; i++) {
            narrow[i] = (float) wide[i];
        }
        return of(context, tensor.shape(), context.upload(narrow));
    }

    /// A tensor whose blocks adjoin: this one, or a copy made on the device.
    DeviceTensor dense() {
        if (stride == block() || shape.extent(0) <= 1) {
            return this;
        }
        DeviceTensor copy = allocate(context, shape);
        context.copyRows(buffer, offset, stride, copy.buffer, 0, block(), shape.extent(0), block());
        return copy;
    }

    /// Rows of the first axis; no copy.
    DeviceTensor rows(int from, int to) {
        return new DeviceTensor(context, shape.with(shape.name(0), to - from), buffer, offset + from * stride, stride);
    }

    /// Rows of the second axis of three, `[kvHeads, keyLen, headDim]` for instance; no copy.
    DeviceTensor keyRows(int from, int to) {
        return new DeviceTensor(context, shape.with(shape.name(1), to - from), buffer, offset + (long) from * shape.extent(2), stride);
    }

    /// Tensors that follow each other along the first or the second axis, copied together on the device.
    static DeviceTensor join(OpenClContext context, List<Tensor> parts, String axis) {
        DeviceTensor whole = allocate(context, parts.getFirst().shape().with(axis, parts.stream().mapToInt(p -> p.shape().extent(axis)).sum()));
        boolean first = whole.shape.name(0).equals(axis);
        if (!first && !whole.shape.name(1).equals(axis)) {
            throw new IllegalArgumentException("tensors are joined along one of their first two axes, not along " + axis + " of " + whole.shape);
        }
        long at = 0;
        for (Tensor part : parts) {
            DeviceTensor from = of(context, part);
            context.copyRows(from.buffer, from.offset, from.stride, whole.buffer, at, whole.stride, from.shape.extent(0), from.block());
            at += first ? from.shape.elements() : from.block();
        }
        return whole;
    }

    private static long block(Shape shape) {
        return shape.extent(0) == 0 ? 0 : shape.elements() / shape.extent(0);
    }

    /// Elements behind one index of the first axis.
    long block() {
        return block(shape);
    }

    @Override
    public Shape shape() {
        return shape;
    }

    OpenClBuffer buffer() {
        return buffer;
    }

    /// First element, in floats.
    long offset() {
        return offset;
    }

    /// Elements from one index of the first axis to the next.
    long stride() {
        return stride;
    }

    /// Waits for the device and copies the values. Scattered blocks are brought together on the device first.
    @Override
    public DoubleTensor toDouble() {
        DeviceTensor dense = dense();
        float[] narrow = context.readFloats(dense.buffer, dense.offset, Math.toIntExact(shape.elements()));
        double[] wide = new double[narrow.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = narrow[i];
        }
        return DoubleTensor.of(shape, wide);
    }

    @Override
    public String toString() {
        return "DeviceTensor" + shape;
    }
}
