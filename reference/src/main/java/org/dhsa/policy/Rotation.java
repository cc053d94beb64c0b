package org.dhsa.policy;

import org.dhsa.tensor.DoubleTensor;

/// The rotary embedding and its inverse, one row at a time; the formula is [org.dhsa.stage.RotaryEmbedding]'s.
final class Rotation {

    private Rotation() {}

    /// Turns a row to a position; a negative position turns it back from there.
    static double[] turned(double[] row, int position, double theta) {
        int half = row.length / 2;
        double[] turned = row.clone();
        for (int j = 0; j < half; j++) {
            double angle = position * Math.pow(theta, -2.0 * j / row.length);
            turned[j] = row[j] * Math.cos(angle) - row[half + j] * Math.sin(angle);
            turned[half + j] = row[half + j] * Math.cos(angle) + row[j] * Math.sin(angle);
        }
        return turned;
    }

    /// States as they were before the rotary embedding. A rotation keeps lengths, so nothing but rounding is lost.
    ///
    /// @param states `[heads, length, headDim]` (read), row 0 at position `start`
    static DoubleTensor undone(DoubleTensor states, int start, double theta) {
        int length = states.shape().extent(1);
        int dim = states.shape().extent(2);
        double[] out = new double[states.data().length];
        for (int row = 0; row < out.length / dim; row++) {
            double[] turned = turned(java.util.Arrays.copyOfRange(states.data(), row * dim, (row + 1) * dim), -(start + row % length), theta);
            System.arraycopy(turned, 0, out, row * dim, dim);
        }
        return DoubleTensor.of(states.shape(), out);
    }
}
