package org.dhsa.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// A read-only weight in its stored type: little-endian bytes, usually a slice of a mapped file.
///
/// Nothing is widened until it is asked for, and then only the rows asked for: a 2B checkpoint is 5 GB in BF16 and
/// would be 21 GB in FP64. Offsets are `long`; the embedding of a real Gemma 2 has more than 2^29 elements.
///
/// A weight does *not* own its memory. Whoever opened the file closes it, after the last use.
public final class WeightTensor {

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final String name;
    private final DType dtype;
    private final long[] dims;
    private final MemorySegment bytes;

    /// @throws IllegalArgumentException if the segment has not exactly the bytes that dtype and dims need
    public WeightTensor(String name, DType dtype, long[] dims, MemorySegment bytes) {
        long need = dtype.bytes();
        for (long d : dims) {
            need = Math.multiplyExact(need, d);
        }
        if (bytes.byteSize() != need) {
            throw new IllegalArgumentException(name + ": " + dtype + Arrays.toString(dims) + " needs " + need
                    + " bytes, got " + bytes.byteSize());
        }
        this.name = name;
        this.dtype = dtype;
        this.dims = dims.clone();
        this.bytes = bytes.asReadOnly();
    }

    /// A weight made of FP64 values, for tests and toy examples.
    public static WeightTensor of(String name, double[] values, long... dims) {
        MemorySegment segment = MemorySegment.ofArray(new byte[values.length * 8]);
        for (int i = 0; i < values.length; i++) {
            segment.set(LONG, 8L * i, Double.doubleToRawLongBits(values[i]));
        }
        return new WeightTensor(name, DType.F64, dims, segment);
    }

    public String name() {
        return name;
    }

    public DType dtype() {
        return dtype;
    }

    public int rank() {
        return dims.length;
    }

    public long dim(int axis) {
        return dims[axis];
    }

    public long[] dims() {
        return dims.clone();
    }

    public long elements() {
        long product = 1;
        for (long d : dims) {
            product *= d;
        }
        return product;
    }

    /// The stored bytes, little-endian, read-only: what fast backends read directly.
    public MemorySegment bytes() {
        return bytes;
    }

    /// Element `index` widened exactly to FP64.
    public double get(long index) {
        return switch (dtype) {
            case F64 -> Double.longBitsToDouble(bytes.get(LONG, index * 8));
            case F32 -> Float.intBitsToFloat(bytes.get(INT, index * 4));
            case BF16 -> Float.intBitsToFloat(bytes.get(SHORT, index * 2) << 16);
            case F16 -> Float.float16ToFloat(bytes.get(SHORT, index * 2));
            case I64 -> bytes.get(LONG, index * 8);
            case I32 -> bytes.get(INT, index * 4);
            case U8 -> Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, index));
            case BOOL -> bytes.get(ValueLayout.JAVA_BYTE, index) != 0 ? 1 : 0;
            case I16, I8, U64, U32, U16, F8_E4M3, F8_E5M2 ->
                    throw new IllegalArgumentException(name + ": values of type " + dtype + " cannot be read, only listed");
        };
    }

    /// Rows `from` (inclusive) to `to` (exclusive) of the first axis, widened exactly, row-major.
    public double[] rows(long from, long to) {
        long rowLen = dims.length == 0 || dims[0] == 0 ? 1 : elements() / dims[0];
        double[] out = new double[Math.toIntExact((to - from) * rowLen)];
        long base = from * rowLen;
        for (int i = 0; i < out.length; i++) {
            out[i] = get(base + i);
        }
        return out;
    }

    /// The whole weight widened exactly, under these axis names.
    public DoubleTensor widen(String... axisNames) {
        if (axisNames.length != dims.length) {
            throw new IllegalArgumentException(name + " has " + dims.length + " axes, not " + Arrays.toString(axisNames));
        }
        Object[] axes = new Object[2 * dims.length];
        for (int a = 0; a < dims.length; a++) {
            axes[2 * a] = axisNames[a];
            axes[2 * a + 1] = Math.toIntExact(dims[a]);
        }
        return DoubleTensor.of(Shape.of(axes), widen());
    }

    /// The whole weight widened exactly, row-major.
    public double[] widen() {
        return rows(0, dims.length == 0 ? 1 : dims[0]);
    }

    /// Checks the dimensions and returns this weight.
    ///
    /// @throws IllegalArgumentException naming the weight, the expected and the actual dimensions
    public WeightTensor require(long... expected) {
        if (!Arrays.equals(dims, expected)) {
            throw new IllegalArgumentException(name + ": expected " + Arrays.toString(expected) + ", got " + Arrays.toString(dims));
        }
        return this;
    }

    /// `model.norm.weight BF16[2304]`.
    @Override
    public String toString() {
        return name + " " + dtype + Arrays.toString(dims);
    }
}
