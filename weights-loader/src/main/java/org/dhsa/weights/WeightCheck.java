package org.dhsa.weights;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.dhsa.model.WeightTensor;

/// Looks at every value of a weight: is it a number?
///
/// A float is NaN or infinite exactly when all its exponent bits are set, so no value is widened. Integers pass.
/// The scan reads the whole file once; for a real model that takes seconds, therefore it is no part of loading.
public final class WeightCheck {

    /// Told before each tensor of a scan.
    @FunctionalInterface
    public interface Progress {

        Progress SILENT = (tensor, doneBytes, totalBytes) -> {};

        void at(String tensor, long doneBytes, long totalBytes);
    }

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int PIECE_LONGS = 8192;

    private WeightCheck() {}

    /// Flat index of the first NaN or infinity, -1 if there is none.
    public static long firstNonFinite(WeightTensor weight) {
        MemorySegment b = weight.bytes();
        return switch (weight.dtype()) {
            case BF16 -> first(b, 0x7f80_7f80_7f80_7f80L, 0x0080_0080_0080_0080L, 2);
            case F16 -> first(b, 0x7c00_7c00_7c00_7c00L, 0x0400_0400_0400_0400L, 2);
            case F32 -> first(b, 0x7f80_0000_7f80_0000L, 0x0080_0000_0080_0000L, 4);
            case F64 -> first(b, 0x7ff0_0000_0000_0000L, 0x0010_0000_0000_0000L, 8);
            case I64, I32, I16, I8, U64, U32, U16, U8, BOOL -> -1;
            case F8_E4M3, F8_E5M2 ->
                    throw new IllegalArgumentException(weight.name() + ": values of type " + weight.dtype() + " cannot be read, only listed");
        };
    }

    /// Checks a tensor and says where the first bad value is.
    ///
    /// @throws WeightsFormatException naming file, tensor, index along every axis, and value
    public static void requireFinite(Path file, WeightTensor weight) throws WeightsFormatException {
        long at = firstNonFinite(weight);
        if (at >= 0) {
            throw new WeightsFormatException(file, weight.name(), "holds " + weight.get(at) + " at index " + index(weight, at)
                    + ": the file is damaged, or was saved from a training run that diverged");
        }
    }

    /// Checks all tensors of a checkpoint in file order.
    public static void requireFinite(Checkpoint checkpoint, Progress progress) throws WeightsFormatException {
        List<WeightTensor> all = new ArrayList<>();
        long total = 0;
        for (String name : checkpoint.names()) {
            WeightTensor weight = checkpoint.tensor(name);
            total += weight.bytes().byteSize();
            all.add(weight);
        }
        long done = 0;
        for (WeightTensor weight : all) {
            progress.at(weight.name(), done, total);
            requireFinite(checkpoint.fileOf(weight.name()), weight);
            done += weight.bytes().byteSize();
        }
    }

    /// Eight bytes at a time: `(x & exponent) + lowestExponentBit` carries into the sign bit of exactly those lanes whose
    /// exponent is all ones, and never into the next lane.
    private static long first(MemorySegment bytes, long exponent, long lowestExponentBit, int width) {
        long sign = exponent + lowestExponentBit;
        long[] piece = new long[PIECE_LONGS];
        long count = bytes.byteSize() / 8;
        for (long at = 0; at < count; at += PIECE_LONGS) {
            int n = (int) Math.min(PIECE_LONGS, count - at);
            MemorySegment.copy(bytes, LONG, 8 * at, piece, 0, n);
            long any = 0;
            for (int i = 0; i < n; i++) {
                any |= (piece[i] & exponent) + lowestExponentBit;
            }
            for (int i = 0; (any & sign) != 0; i++) {
                long hit = ((piece[i] & exponent) + lowestExponentBit) & sign;
                if (hit != 0) {
                    return (8 * (at + i) + Long.numberOfTrailingZeros(hit) / 8) / width;
                }
            }
        }
        long tail = 0;
        for (long i = bytes.byteSize() - 1; i >= 8 * count; i--) {
            tail = tail << 8 | Byte.toUnsignedLong(bytes.get(ValueLayout.JAVA_BYTE, i));
        }
        long hit = ((tail & exponent) + lowestExponentBit) & sign;
        return hit == 0 ? -1 : (8 * count + Long.numberOfTrailingZeros(hit) / 8) / width;
    }

    /// `[3, 17]`: the index along every axis of a flat position.
    private static List<Long> index(WeightTensor weight, long flat) {
        List<Long> index = new ArrayList<>();
        long rest = flat;
        for (int a = weight.rank() - 1; a >= 0; a--) {
            index.addFirst(rest % weight.dim(a));
            rest /= weight.dim(a);
        }
        return index;
    }
}
