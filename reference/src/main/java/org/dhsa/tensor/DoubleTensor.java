package org.dhsa.tensor;

import java.util.List;

/// Dense FP64 tensor on the heap, row-major. The array is shared, not copied: whoever creates one hands the array over.
public final class DoubleTensor implements Tensor {

    private final Shape shape;
    private final double[] data;

    private DoubleTensor(Shape shape, double[] data) {
        if (shape.elements() != data.length) {
            throw new IllegalArgumentException("shape " + shape + " needs " + shape.elements() + " values, got " + data.length);
        }
        this.shape = shape;
        this.data = data;
    }

    public static DoubleTensor of(Shape shape, double... data) {
        return new DoubleTensor(shape, data);
    }

    public static DoubleTensor zeros(Shape shape) {
        return new DoubleTensor(shape, new double[Math.toIntExact(shape.elements())]);
    }

    /// The same values under other axis names or extents; no copy.
    public DoubleTensor reshape(Shape other) {
        return new DoubleTensor(other, data);
    }

    /// `[a, b, c]` to `[b, a, c]` under the new axis names; a copy.
    public DoubleTensor swapFirstTwo(Shape result) {
        int a = shape.extent(0);
        int b = shape.extent(1);
        int c = data.length == 0 ? 0 : data.length / (a * b);
        double[] out = new double[data.length];
        for (int i = 0; i < a; i++) {
            for (int j = 0; j < b; j++) {
                System.arraycopy(data, (i * b + j) * c, out, (j * a + i) * c, c);
            }
        }
        return new DoubleTensor(result, out);
    }

    /// Rows `from` (inclusive) to `to` (exclusive) of the first axis; a copy.
    public DoubleTensor rows(int from, int to) {
        return slice(shape.name(0), from, to);
    }

    /// Indices `from` (inclusive) to `to` (exclusive) of one axis; a copy.
    public DoubleTensor slice(String axis, int from, int to) {
        DoubleTensor out = zeros(shape.with(axis, to - from));
        int inner = inner(axis);
        int whole = shape.extent(axis) * inner;
        int part = (to - from) * inner;
        for (int i = 0; part > 0 && i < out.data.length / part; i++) {
            System.arraycopy(data, i * whole + from * inner, out.data, i * part, part);
        }
        return out;
    }

    /// Tensors that follow each other along one axis as one; their other axes are the same.
    public static DoubleTensor join(List<DoubleTensor> parts, String axis) {
        DoubleTensor out = zeros(parts.getFirst().shape.with(axis, parts.stream().mapToInt(p -> p.shape.extent(axis)).sum()));
        int inner = out.inner(axis);
        int whole = out.shape.extent(axis) * inner;
        int at = 0;
        for (DoubleTensor p : parts) {
            if (!p.shape.equals(out.shape.with(axis, p.shape.extent(axis)))) {
                throw new IllegalArgumentException(p.shape + " and " + out.shape + " differ in more than " + axis);
            }
            int part = p.shape.extent(axis) * inner;
            for (int i = 0; part > 0 && i < p.data.length / part; i++) {
                System.arraycopy(p.data, i * part, out.data, i * whole + at, part);
            }
            at += part;
        }
        return out;
    }

    /// Values behind one index of an axis.
    private int inner(String axis) {
        int inner = 1;
        for (int a = shape.names().indexOf(axis) + 1; a < shape.rank(); a++) {
            inner *= shape.extent(a);
        }
        return inner;
    }

    @Override
    public Shape shape() {
        return shape;
    }

    /// The values themselves, not a copy.
    public double[] data() {
        return data;
    }

    public double at(int... index) {
        return data[flat(index)];
    }

    public void set(double value, int... index) {
        data[flat(index)] = value;
    }

    private int flat(int... index) {
        if (index.length != shape.rank()) {
            throw new IllegalArgumentException(index.length + " indices for " + shape);
        }
        int flat = 0;
        for (int a = 0; a < index.length; a++) {
            if (index[a] < 0 || index[a] >= shape.extent(a)) {
                throw new IndexOutOfBoundsException(shape.name(a) + "=" + index[a] + " is outside " + shape);
            }
            flat = flat * shape.extent(a) + index[a];
        }
        return flat;
    }

    @Override
    public DoubleTensor toDouble() {
        return this;
    }

    @Override
    public String toString() {
        return "DoubleTensor" + shape;
    }
}
