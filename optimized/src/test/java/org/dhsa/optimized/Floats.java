package org.dhsa.optimized;

import java.util.SplittableRandom;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Random tensors whose values FP32 holds exactly, so that every precision starts from the same numbers.
final class Floats {

    private Floats() {}

    static DoubleTensor tensor(SplittableRandom random, double scale, Object... axes) {
        DoubleTensor out = DoubleTensor.zeros(Shape.of(axes));
        for (int i = 0; i < out.data().length; i++) {
            out.data()[i] = (float) (scale * random.nextDouble(-1, 1));
        }
        return out;
    }

    /// A copy that lies scattered: rows of the first axis apart, poison between them.
    static FloatTensor scattered(DoubleTensor dense) {
        int first = dense.shape().extent(0);
        int block = first == 0 ? 0 : dense.data().length / first;
        float[] data = new float[5 + first * (block + 7)];
        java.util.Arrays.fill(data, Float.NaN);
        for (int i = 0; i < dense.data().length; i++) {
            data[5 + i / block * (block + 7) + i % block] = (float) dense.data()[i];
        }
        return new FloatTensor(dense.shape(), data, 5, block + 7);
    }
}
