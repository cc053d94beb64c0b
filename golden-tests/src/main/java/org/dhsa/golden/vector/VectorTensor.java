package org.dhsa.golden.vector;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// A tensor in the type and the bytes in which a vector stores it.
public final class VectorTensor implements Tensor {

    private final Shape shape;
    private final DType dtype;
    private final MemorySegment bytes;

    private VectorTensor(Shape shape, DType dtype, MemorySegment bytes) {
        this.shape = shape;
        this.dtype = dtype;
        this.bytes = bytes;
    }

    /// @param bytes little-endian, row-major; shared, not copied
    /// @throws IllegalArgumentException if their number does not fit
    public static VectorTensor ofBytes(Shape shape, DType dtype, byte[] bytes) {
        return of(shape, dtype, MemorySegment.ofArray(bytes));
    }

    /// The bytes may lie in a mapped file, and may be more than an array holds.
    ///
    /// @param bytes little-endian, row-major; shared, not copied
    /// @throws IllegalArgumentException if their number does not fit
    public static VectorTensor of(Shape shape, DType dtype, MemorySegment bytes) {
        if (shape.elements() * dtype.bytes() != bytes.byteSize()) {
            throw new IllegalArgumentException(dtype + " " + shape + " needs " + shape.elements() * dtype.bytes() + " bytes, got " + bytes.byteSize());
        }
        return new VectorTensor(shape, dtype, bytes);
    }

    /// Values rounded to the type: F64 as they are, F32 to nearest even, BF16 from that F32 to nearest even, I64 exactly.
    public static VectorTensor of(Shape shape, DType dtype, double... values) {
        ByteBuffer buffer = ByteBuffer.allocate(values.length * dtype.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (double v : values) {
            switch (dtype) {
                case F64 -> buffer.putDouble(v);
                case F32 -> buffer.putFloat((float) v);
                case BF16 -> buffer.putShort((short) (toBf16((float) v) >>> 16));
                case I64 -> {
                    if (v != Math.rint(v)) {
                        throw new IllegalArgumentException(v + " is no integer");
                    }
                    buffer.putLong((long) v);
                }
                default -> throw new IllegalArgumentException("vectors hold F64, F32, BF16 and I64, not " + dtype);
            }
        }
        return ofBytes(shape, dtype, buffer.array());
    }

    public static VectorTensor ints(Shape shape, int... values) {
        double[] wide = new double[values.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = values[i];
        }
        return of(shape, DType.I64, wide);
    }

    private static int toBf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        return bits + 0x7fff + (bits >>> 16 & 1) & 0xffff0000;
    }

    @Override
    public Shape shape() {
        return shape;
    }

    public DType dtype() {
        return dtype;
    }

    /// Little-endian, row-major, a copy.
    public byte[] bytes() {
        return bytes.toArray(ValueLayout.JAVA_BYTE);
    }

    long byteSize() {
        return bytes.byteSize();
    }

    public String sha256() {
        return sha256(bytes);
    }

    /// In hexadecimal digits.
    public static String sha256(byte[] bytes) {
        return sha256(MemorySegment.ofArray(bytes));
    }

    /// In hexadecimal digits.
    public static String sha256(MemorySegment bytes) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] piece = new byte[(int) Math.min(1 << 20, bytes.byteSize())];
            for (long at = 0; at < bytes.byteSize(); at += piece.length) {
                int n = (int) Math.min(piece.length, bytes.byteSize() - at);
                MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, at, piece, 0, n);
                digest.update(piece, 0, n);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    /// Under the same bytes, as the weight of a stage.
    public WeightTensor weight(String name) {
        long[] dims = new long[shape.rank()];
        for (int a = 0; a < dims.length; a++) {
            dims[a] = shape.extent(a);
        }
        return new WeightTensor(name, dtype, dims, bytes);
    }

    @Override
    public DoubleTensor toDouble() {
        double[] values = new double[Math.toIntExact(shape.elements())];
        if (dtype == DType.I64) {
            ValueLayout.OfLong layout = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < values.length; i++) {
                values[i] = bytes.get(layout, 8L * i);
            }
        } else {
            WeightTensor weight = weight("values");
            for (int i = 0; i < values.length; i++) {
                values[i] = weight.get(i);
            }
        }
        return DoubleTensor.of(shape, values);
    }

    @Override
    public String toString() {
        return dtype + " " + shape;
    }
}
