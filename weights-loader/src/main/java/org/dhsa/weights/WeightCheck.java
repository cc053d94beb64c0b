package org.dhsa.weights;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongPredicate;
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

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private WeightCheck() {}

    /// Flat index of the first NaN or infinity, -1 if there is none.
    public static long firstNonFinite(WeightTensor weight) {
        MemorySegment b = weight.bytes();
        return switch (weight.dtype()) {
            case BF16 -> firstShort(b, 0x7f80);
            case F16 -> firstShort(b, 0x7c00);
            case F32 -> first(weight, i -> (b.get(INT, 4 * i) & 0x7f800000) == 0x7f800000);
            case F64 -> first(weight, i -> (b.get(LONG, 8 * i) & 0x7ff0000000000000L) == 0x7ff0000000000000L);
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

    private static long firstShort(MemorySegment b, int exponent) {
        long count = b.byteSize() / 2;
        for (long i = 0; i < count; i++) {
            if ((b.get(SHORT, 2 * i) & exponent) == exponent) {
                return i;
            }
        }
        return -1;
    }

    private static long first(WeightTensor weight, LongPredicate isBad) {
        long count = weight.elements();
        for (long i = 0; i < count; i++) {
            if (isBad.test(i)) {
                return i;
            }
        }
        return -1;
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
