package org.dhsa.recording;

import static org.assertj.core.api.Assertions.assertThat;

import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Closeness of a double port: `|actual − expected| ≤ 1e-9 · (1 + |expected|)`. NaN must meet NaN, infinity the same infinity.
public final class Close {

    public static final double TOLERANCE = 1e-9;

    private Close() {}

    public static void assertClose(String what, DoubleTensor actual, DoubleTensor expected) {
        assertThat(extents(actual.shape())).as("%s: %s against %s", what, actual.shape(), expected.shape()).isEqualTo(extents(expected.shape()));
        assertClose(what, actual.data(), expected.data(), expected.shape());
    }

    public static void assertClose(String what, double[] actual, double[] expected) {
        assertClose(what, actual, expected, Shape.of("index", expected.length));
    }

    public static void assertClose(String what, double actual, double expected) {
        assertClose(what, new double[] {actual}, new double[] {expected});
    }

    private static void assertClose(String what, double[] actual, double[] expected, Shape shape) {
        assertThat(actual).as(what).hasSameSizeAs(expected);
        int worst = -1;
        double worstExcess = 1;
        for (int i = 0; i < expected.length; i++) {
            double excess = Double.compare(actual[i], expected[i]) == 0 ? 0
                    : Math.abs(actual[i] - expected[i]) / (TOLERANCE * (1 + Math.abs(expected[i])));
            if (!(excess <= worstExcess)) {
                worst = i;
                worstExcess = Double.isNaN(excess) ? Double.POSITIVE_INFINITY : excess;
            }
        }
        if (worst >= 0) {
            throw new AssertionError("%s at %s: expected %s, was %s (%.3g times the tolerance)"
                    .formatted(what, shape.describeIndex(worst), expected[worst], actual[worst], worstExcess));
        }
    }

    private static int[] extents(Shape shape) {
        int[] extents = new int[shape.rank()];
        for (int a = 0; a < extents.length; a++) {
            extents[a] = shape.extent(a);
        }
        return extents;
    }
}
