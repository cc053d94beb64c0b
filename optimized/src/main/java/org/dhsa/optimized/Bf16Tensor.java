package org.dhsa.optimized;

import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Keys or values rounded to bfloat16, laid out like a [FloatTensor]: half the memory of a cache.
record Bf16Tensor(Shape shape, short[] data, int offset, int stride) implements Tensor {

    /// Nearest bfloat16, ties to even; NaN stays NaN.
    static short round(float value) {
        int bits = Float.floatToRawIntBits(value);
        return Float.isNaN(value) ? (short) 0x7fc0 : (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
    }

    static float widen(short half) {
        return Float.intBitsToFloat(half << 16);
    }

    FloatTensor toFloat() {
        FloatTensor wide = FloatTensor.zeros(shape);
        int block = wide.block();
        for (int i = 0; i < shape.extent(0); i++) {
            for (int j = 0; j < block; j++) {
                wide.data()[i * block + j] = widen(data[offset + i * stride + j]);
            }
        }
        return wide;
    }

    @Override
    public DoubleTensor toDouble() {
        return toFloat().toDouble();
    }
}
