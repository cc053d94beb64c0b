package org.dhsa.opencl;

import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Keys or values rounded to bfloat16 on the device, laid out like a [DeviceTensor]: half the memory of a cache.
/// Kernels: `bf16-rows.cl`. Twin: `Bf16Tensor` of the optimized path.
///
/// Attention and the chunk representation read it as it is; what else asks for floats gets a widened copy.
///
/// @param offset first element, counted in elements of 16 bits
/// @param stride elements from one index of the first axis to the next
record DeviceBf16Tensor(OpenClContext context, Shape shape, OpenClBuffer buffer, long offset, long stride) implements Tensor {

    static final String PROGRAM = "bf16-rows";

    /// Rows of the second axis; no copy.
    DeviceBf16Tensor keyRows(int from, int to) {
        return new DeviceBf16Tensor(context, shape.with(shape.name(1), to - from), buffer, offset + (long) from * shape.extent(2), stride);
    }

    /// The same values as floats, a copy made on the device.
    DeviceTensor wide() {
        DeviceTensor wide = DeviceTensor.allocate(context, shape);
        rows(context, "widen_rows", buffer, offset, stride, wide.buffer(), 0, wide.stride(), shape.extent(0), wide.block());
        return wide;
    }

    /// One kernel of `bf16-rows.cl` over `rows` rows of `count` elements.
    static void rows(OpenClContext context, String kernel, OpenClBuffer from, long fromOffset, long fromStride, OpenClBuffer to, long toOffset, long toStride,
                     int rows, long count) {
        context.program(PROGRAM).kernel(kernel).args(from, fromOffset, fromStride, to, toOffset, toStride, count, rows).run(count, context.group(PROGRAM), rows, 1);
    }

    @Override
    public DoubleTensor toDouble() {
        return wide().toDouble();
    }

    @Override
    public String toString() {
        return "DeviceBf16Tensor" + shape;
    }
}
