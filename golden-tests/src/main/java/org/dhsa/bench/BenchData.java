package org.dhsa.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;

/// Numbers to compute with, from a fixed seed.
final class BenchData {

    private final SplittableRandom random = new SplittableRandom(20240601);

    float[] floats(int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextDouble(-1, 1);
        }
        return values;
    }

    /// A BF16 weight outside the heap, as a mapped file is.
    WeightTensor bf16(Arena arena, int rows, int columns) {
        MemorySegment bytes = arena.allocate(2L * rows * columns, 64);
        for (long i = 0; i < (long) rows * columns; i++) {
            float value = (float) random.nextDouble(-1, 1);
            bytes.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (Float.floatToRawIntBits(value) >>> 16));
        }
        return new WeightTensor("bench", DType.BF16, new long[] {rows, columns}, bytes);
    }

    /// Fills memory with BF16 values: a megabyte of random ones, over and over.
    void fillBf16(MemorySegment memory) {
        long some = Math.min(memory.byteSize(), 1 << 20);
        for (long i = 0; i < some / 2; i++) {
            memory.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (Float.floatToRawIntBits((float) random.nextDouble(-1, 1)) >>> 16));
        }
        for (long at = some; at < memory.byteSize(); at += some) {
            MemorySegment.copy(memory, 0, memory, at, Math.min(some, memory.byteSize() - at));
        }
    }

    /// The same weight widened to FP32, outside the heap.
    static MemorySegment widened(Arena arena, WeightTensor weight) {
        MemorySegment wide = arena.allocate(4 * weight.elements(), 64);
        for (long i = 0; i < weight.elements(); i++) {
            wide.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) weight.get(i));
        }
        return wide;
    }

    /// FP32 values as FP64, which is what tensors are made of.
    double[] doubles(int n, double scale) {
        double[] values = new double[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) (scale * random.nextDouble(-1, 1));
        }
        return values;
    }

    /// An FP32 weight, uniform in ±scale.
    WeightTensor weight(Arena arena, double scale, long... dims) {
        long elements = 1;
        for (long d : dims) {
            elements *= d;
        }
        MemorySegment bytes = arena.allocate(4 * elements, 64);
        for (long i = 0; i < elements; i++) {
            bytes.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (scale * random.nextDouble(-1, 1)));
        }
        return new WeightTensor("bench", DType.F32, dims, bytes);
    }

    static MemorySegment outside(Arena arena, float[] values) {
        MemorySegment copy = arena.allocate(4L * values.length, 64);
        MemorySegment.copy(values, 0, copy, ValueLayout.JAVA_FLOAT, 0, values.length);
        return copy;
    }
}
