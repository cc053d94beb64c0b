package org.dhsa.golden.diff;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.tensor.DType;

/// One tensor of a dump: what its file says about it, and its values when they are asked for.
///
/// @param columnMajor as NumPy's `fortran_order`: the first axis is contiguous
record DumpTensor(String name, Path file, DType dtype, long[] dims, boolean columnMajor, Bytes bytes) {

    /// The stored elements, in the order of the buffer.
    interface Bytes {
        ByteBuffer read() throws IOException;
    }

    long elements() {
        return Arrays.stream(dims).reduce(1, Math::multiplyExact);
    }

    boolean isFloat() {
        return switch (dtype) {
            case F64, F32, F16, BF16, F8_E4M3, F8_E5M2 -> true;
            case I64, I32, I16, I8, U64, U32, U16, U8, BOOL -> false;
        };
    }

    /// Row-major, widened to FP64: exact for every type but integers of 2^53 and more.
    double[] values() throws GoldenFormatException {
        if (elements() > Integer.MAX_VALUE - 8) {
            throw new GoldenFormatException(file, "tensor " + name + " has " + elements() + " elements", "dump it in parts smaller than 2^31 elements");
        }
        try {
            double[] stored = widen(bytes.read().order(order()));
            return columnMajor ? rowMajor(stored) : stored;
        } catch (IOException e) {
            throw new GoldenFormatException(file, "tensor " + name + " cannot be read: " + e.getMessage(), "dump it again", e);
        }
    }

    private ByteOrder order() {
        return bytes instanceof NpzFile.BigEndian ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
    }

    private double[] widen(ByteBuffer in) throws GoldenFormatException {
        double[] out = new double[Math.toIntExact(elements())];
        for (int i = 0; i < out.length; i++) {
            out[i] = switch (dtype) {
                case F64 -> in.getDouble(8 * i);
                case F32 -> in.getFloat(4 * i);
                case F16 -> Float.float16ToFloat(in.getShort(2 * i));
                case BF16 -> Float.intBitsToFloat(in.getShort(2 * i) << 16);
                case I64 -> in.getLong(8 * i);
                case U64 -> unsigned(in.getLong(8 * i));
                case I32 -> in.getInt(4 * i);
                case U32 -> Integer.toUnsignedLong(in.getInt(4 * i));
                case I16 -> in.getShort(2 * i);
                case U16 -> Short.toUnsignedInt(in.getShort(2 * i));
                case I8 -> in.get(i);
                case U8 -> Byte.toUnsignedInt(in.get(i));
                case BOOL -> in.get(i) != 0 ? 1 : 0;
                case F8_E4M3, F8_E5M2 -> throw new GoldenFormatException(file, "tensor " + name + " has the type " + dtype + ", which cannot be compared",
                        "dump it as F32, F16 or BF16");
            };
        }
        return out;
    }

    private static double unsigned(long bits) {
        return bits >= 0 ? bits : 2.0 * (bits >>> 1) + (bits & 1);
    }

    private double[] rowMajor(double[] stored) {
        int rank = dims.length;
        double[] out = new double[stored.length];
        int[] index = new int[rank];
        for (int i = 0; i < out.length; i++) {
            long from = 0;
            for (int a = rank - 1; a >= 0; a--) {
                from = from * dims[a] + index[a];
            }
            out[i] = stored[(int) from];
            for (int a = rank - 1; a >= 0 && ++index[a] == dims[a]; a--) {
                index[a] = 0;
            }
        }
        return out;
    }

    /// `F32 [1, 24, 128]`.
    String described() {
        return dtype + " " + Arrays.toString(dims);
    }
}
