package org.dhsa.testing;

import java.util.Random;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Short forms for tests.
public final class Tensors {

    private Tensors() {}

    /// One row per query or token, under these two axis names.
    public static DoubleTensor matrix(String rows, String columns, double[]... values) {
        DoubleTensor out = DoubleTensor.zeros(Shape.of(rows, values.length, columns, values[0].length));
        for (int i = 0; i < values.length; i++) {
            System.arraycopy(values[i], 0, out.data(), i * values[0].length, values[0].length);
        }
        return out;
    }

    /// Queries of one head.
    public static DoubleTensor query(double[]... rows) {
        return matrix("queryLen", "headDim", rows).reshape(Shape.of("heads", 1, "queryLen", rows.length, "headDim", rows[0].length));
    }

    /// Keys or values of one KV head.
    public static DoubleTensor key(double[]... rows) {
        return matrix("keyLen", "headDim", rows).reshape(Shape.of("kvHeads", 1, "keyLen", rows.length, "headDim", rows[0].length));
    }

    /// Keys or values of one KV head with one channel.
    public static DoubleTensor keys(double... values) {
        return DoubleTensor.of(Shape.of("kvHeads", 1, "keyLen", values.length, "headDim", 1), values);
    }

    public static double[] row(double... values) {
        return values;
    }

    public static WeightTensor weight(int rows, int columns, double... values) {
        return WeightTensor.of("weight", values, rows, columns);
    }

    public static WeightTensor vector(double... values) {
        return WeightTensor.of("vector", values, values.length);
    }

    /// Normally distributed values.
    public static DoubleTensor random(Random random, double scale, Object... shape) {
        DoubleTensor out = DoubleTensor.zeros(Shape.of(shape));
        for (int i = 0; i < out.data().length; i++) {
            out.data()[i] = scale * random.nextGaussian();
        }
        return out;
    }
}
