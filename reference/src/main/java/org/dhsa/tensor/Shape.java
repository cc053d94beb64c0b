package org.dhsa.tensor;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// Named axes with their extents, row-major, last axis contiguous.
///
/// One vocabulary serves the whole project: `layers heads kvHeads queryLen keyLen headDim modelDim ffnDim vocab
/// queryBlocks blockLen chunks budget`. Two shapes are equal when names, order and extents are.
public final class Shape {

    private final String[] names;
    private final int[] extents;

    private Shape(String[] names, int[] extents) {
        this.names = names;
        this.extents = extents;
    }

    /// `Shape.of("heads", 4, "queryLen", 10)`.
    ///
    /// @throws IllegalArgumentException if names and extents do not alternate, a name repeats or an extent is negative
    public static Shape of(Object... namesAndExtents) {
        if (namesAndExtents.length % 2 != 0) {
            throw new IllegalArgumentException("axis names and extents must alternate, got " + Arrays.toString(namesAndExtents));
        }
        String[] names = new String[namesAndExtents.length / 2];
        int[] extents = new int[names.length];
        for (int a = 0; a < names.length; a++) {
            if (!(namesAndExtents[2 * a] instanceof String name) || !(namesAndExtents[2 * a + 1] instanceof Integer extent)) {
                throw new IllegalArgumentException("axis names and extents must alternate, got " + Arrays.toString(namesAndExtents));
            }
            if (extent < 0) {
                throw new IllegalArgumentException("axis " + name + " must not be negative, was " + extent);
            }
            if (Arrays.asList(names).subList(0, a).contains(name)) {
                throw new IllegalArgumentException("axis " + name + " is named twice");
            }
            names[a] = name;
            extents[a] = extent;
        }
        return new Shape(names, extents);
    }

    public int rank() {
        return extents.length;
    }

    /// @throws IllegalArgumentException if there is no axis of that name
    public int extent(String name) {
        for (int a = 0; a < names.length; a++) {
            if (names[a].equals(name)) {
                return extents[a];
            }
        }
        throw new IllegalArgumentException("no axis " + name + " in " + this);
    }

    public int extent(int axis) {
        return extents[axis];
    }

    public String name(int axis) {
        return names[axis];
    }

    public List<String> names() {
        return List.of(names);
    }

    /// The same axes, one of them with another extent.
    public Shape with(String name, int extent) {
        extent(name);
        Object[] axes = new Object[2 * names.length];
        for (int a = 0; a < names.length; a++) {
            axes[2 * a] = names[a];
            axes[2 * a + 1] = names[a].equals(name) ? extent : extents[a];
        }
        return of(axes);
    }

    /// Number of elements; 1 for a shape without axes.
    public long elements() {
        long product = 1;
        for (int extent : extents) {
            product = Math.multiplyExact(product, extent);
        }
        return product;
    }

    /// Checks that the axes are exactly these, in this order, and returns this shape.
    ///
    /// @throws IllegalArgumentException naming both the expected and the actual axes
    public Shape require(String... expected) {
        if (!Arrays.equals(names, expected)) {
            throw new IllegalArgumentException("expected axes " + Arrays.toString(expected) + ", got " + this);
        }
        return this;
    }

    /// Checks the extent of one axis and returns this shape.
    public Shape requireExtent(String name, int expected) {
        if (extent(name) != expected) {
            throw new IllegalArgumentException("axis " + name + " must be " + expected + " in " + this);
        }
        return this;
    }

    /// The index along every axis of a flat position, for error messages: `[heads=1, queryLen=0]`.
    public String describeIndex(long flat) {
        List<String> parts = new ArrayList<>();
        long rest = flat;
        for (int a = extents.length - 1; a >= 0; a--) {
            parts.addFirst(names[a] + "=" + (extents[a] == 0 ? 0 : rest % extents[a]));
            rest = extents[a] == 0 ? 0 : rest / extents[a];
        }
        return parts.toString();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Shape that && Arrays.equals(names, that.names) && Arrays.equals(extents, that.extents);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(names) + Arrays.hashCode(extents);
    }

    /// `[heads=4, queryLen=10]`.
    @Override
    public String toString() {
        return IntStream.range(0, names.length)
                .mapToObj(a -> names[a] + "=" + extents[a])
                .collect(Collectors.joining(", ", "[", "]"));
    }
}
