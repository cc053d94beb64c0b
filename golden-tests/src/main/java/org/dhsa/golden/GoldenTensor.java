package org.dhsa.golden;

import java.nio.file.Path;
import java.util.Arrays;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// One recorded tensor, read and checked. Every type is widened to FP64, which is exact for all that is recorded
/// (integers below 2^53, booleans as 0 and 1).
public final class GoldenTensor {

    private final Path file;
    private final String name;
    private final DType dtype;
    private final int[] shape;
    private final double[] values;
    private final String meaning;

    GoldenTensor(Path file, String name, DType dtype, int[] shape, double[] values, String meaning) {
        this.file = file;
        this.name = name;
        this.dtype = dtype;
        this.shape = shape;
        this.values = values;
        this.meaning = meaning;
    }

    public Path file() {
        return file;
    }

    public String name() {
        return name;
    }

    public DType dtype() {
        return dtype;
    }

    public String meaning() {
        return meaning;
    }

    public int rank() {
        return shape.length;
    }

    public int extent(int axis) {
        return shape[axis];
    }

    public int[] shape() {
        return shape.clone();
    }

    /// Row-major, a copy.
    public double[] values() {
        return values.clone();
    }

    /// The whole tensor under these axis names.
    DoubleTensor named(String... axes) throws GoldenFormatException {
        requireRank(axes.length);
        return DoubleTensor.of(shapeOf(0, axes), values.clone());
    }

    /// Element `index` of the first axis, the batch as a rule, under the names of the other axes.
    DoubleTensor row(int index, String... axes) throws GoldenFormatException {
        requireRank(axes.length + 1);
        return DoubleTensor.of(shapeOf(1, axes), rowValues(index));
    }

    int[] ints() throws GoldenFormatException {
        return toInts(values);
    }

    int[] rowInts(int index) throws GoldenFormatException {
        return toInts(rowValues(index));
    }

    public void requireRank(int rank) throws GoldenFormatException {
        if (shape.length != rank) {
            throw new GoldenFormatException(file, "tensor " + name + " has shape " + Arrays.toString(shape) + ", but " + rank
                    + " axes are needed here", "record it again, or leave the case out with --filter");
        }
    }

    private double[] rowValues(int index) throws GoldenFormatException {
        if (index >= shape[0]) {
            throw new GoldenFormatException(file, "tensor " + name + " has shape " + Arrays.toString(shape) + " and no element "
                    + index + " on its first axis, though other tensors of the case do", "record the case again");
        }
        int length = values.length / shape[0];
        return Arrays.copyOfRange(values, index * length, (index + 1) * length);
    }

    private Shape shapeOf(int firstAxis, String... axes) {
        Object[] namesAndExtents = new Object[2 * axes.length];
        for (int a = 0; a < axes.length; a++) {
            namesAndExtents[2 * a] = axes[a];
            namesAndExtents[2 * a + 1] = shape[firstAxis + a];
        }
        return Shape.of(namesAndExtents);
    }

    private int[] toInts(double[] numbers) throws GoldenFormatException {
        int[] out = new int[numbers.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = (int) numbers[i];
            if (out[i] != numbers[i]) {
                throw new GoldenFormatException(file, "tensor " + name + " holds " + numbers[i] + " where a 32-bit integer is needed",
                        "record it again");
            }
        }
        return out;
    }

    @Override
    public String toString() {
        return name + " " + dtype + Arrays.toString(shape);
    }
}
