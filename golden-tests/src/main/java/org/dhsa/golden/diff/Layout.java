package org.dhsa.golden.diff;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// How a dumped array becomes a tensor with the expected axes: which axes it has, in which order, and which are folded into one.
///
///     [batch, queryLen, heads*headDim]   ->   [heads, queryLen, headDim]
///
/// A batch axis must be 1. Without a declared order the axes must stand as expected, but for leading axes of 1; anything else is
/// refused, with a word about the order that would fit: a dump that merely *can* be reordered is not silently accepted.
///
/// @param axes    name of each axis after unfolding
/// @param extents extent of each axis after unfolding
/// @param skip    channels left out at the front of the last axis, as in a joint q, k, v projection
/// @param take    channels used of the last axis
/// @param last    channels that the last axis really has
/// @param note    what was tolerated
record Layout(List<String> axes, int[] extents, int skip, int take, int last, String note) {

    /// Axes whose extent the data decide. Another one there is a real difference, not a broken dump.
    private static final java.util.Set<String> FREE = java.util.Set.of("chunks", "boundaries", "budget", "queryBlocks", "segments");

    /// Why an array cannot be the expected tensor.
    static final class Misfit extends Exception {
        private static final long serialVersionUID = 1;

        Misfit(String message) {
            super(message, null, false, false);
        }
    }

    /// The array as it stands, batch axes of 1 tolerated.
    static Layout plain(Shape expected, long[] dims) throws Misfit {
        int extra = dims.length - expected.rank();
        boolean batch = extra > 0 && IntStream.range(0, extra).allMatch(a -> dims[a] == 1);
        long[] own = batch ? Arrays.copyOfRange(dims, extra, dims.length) : dims;
        int[] extents = extents(expected);
        if (own.length == extents.length && expected.names().stream().anyMatch(FREE::contains)) {
            IntStream.range(0, extents.length).filter(a -> FREE.contains(expected.name(a))).forEach(a -> extents[a] = Math.toIntExact(own[a]));
        }
        if (own.length == extents.length && IntStream.range(0, own.length).allMatch(a -> own[a] == extents[a])) {
            int width = extents.length == 0 ? 1 : extents[extents.length - 1];
            return new Layout(expected.names(), extents, 0, width, width, batch ? "without the leading axis of 1" : "");
        }
        throw new Misfit("has shape " + Arrays.toString(dims) + " where " + expected + " is expected" + guess(expected, own));
    }

    /// The array as a name map declares it.
    ///
    /// @param declared axis names, `batch` for one of 1, `heads*headDim` for axes that are folded into one
    /// @param skipped  folded axes that lie before this tensor in the last axis
    /// @param joined   whether the last axis goes on after this tensor
    /// @param all      extents of axes that `skipped` names but the tensor itself does not have
    static Layout declared(Shape expected, long[] dims, List<String> declared, List<String> skipped, boolean joined, java.util.Map<String, Integer> all) throws Misfit {
        List<String> axes = new ArrayList<>();
        List<Integer> extents = new ArrayList<>();
        String note = "";
        List<String> want = new ArrayList<>(declared);
        if (!want.isEmpty() && want.getFirst().equals("batch") && dims.length == want.size() - 1) {
            want.removeFirst();
        }
        if (want.size() != dims.length) {
            throw new Misfit("has shape " + Arrays.toString(dims) + " where the name map expects the axes " + declared);
        }
        int skip = 0;
        for (String fold : skipped) {
            skip += product(fold, expected, all);
        }
        int take = 0;
        for (int a = 0; a < want.size(); a++) {
            String axis = want.get(a);
            if (axis.equals("batch")) {
                if (dims[a] != 1) {
                    throw new Misfit("has shape " + Arrays.toString(dims) + " with a batch of " + dims[a] + "; dump one sequence");
                }
                note = "without the batch axis of 1";
                continue;
            }
            int product = product(axis, expected, all);
            boolean lastAxis = a == want.size() - 1;
            boolean free = FREE.contains(axis) && !joined;
            boolean fits = free || (lastAxis && joined ? dims[a] >= skip + product : dims[a] == product);
            if (!fits) {
                throw new Misfit("has shape " + Arrays.toString(dims) + " where " + declared + " of " + expected + " is expected");
            }
            take = free ? Math.toIntExact(dims[a]) : product;
            for (String part : axis.split("\\*")) {
                axes.add(part);
                extents.add(free ? Math.toIntExact(dims[a]) : expected.extent(part));
            }
        }
        if (axes.size() != expected.rank() || !axes.containsAll(expected.names())) {
            throw new Misfit("is declared with the axes " + declared + ", which are not those of " + expected);
        }
        if (!axes.equals(expected.names())) {
            note = note + (note.isEmpty() ? "" : ", ") + "from " + declared;
        }
        return new Layout(axes, extents.stream().mapToInt(Integer::intValue).toArray(), skip, take, dims.length == 0 ? 1 : Math.toIntExact(dims[dims.length - 1]), note);
    }

    private static int product(String fold, Shape expected, java.util.Map<String, Integer> all) throws Misfit {
        int product = 1;
        for (String part : fold.split("\\*")) {
            Integer extent = expected.names().contains(part) ? Integer.valueOf(expected.extent(part)) : all.get(part);
            if (extent == null) {
                throw new Misfit("is declared with the axis " + part + ", which " + expected + " does not have");
            }
            product *= extent;
        }
        return product;
    }

    /// The values under the expected axes.
    DoubleTensor apply(Shape expected, double[] values) {
        double[] own = values;
        if (skip > 0 || take != last) {
            int rows = values.length / last;
            own = new double[rows * take];
            for (int r = 0; r < rows; r++) {
                System.arraycopy(values, r * last + skip, own, r * take, take);
            }
        }
        if (axes.equals(expected.names())) {
            Object[] shape = new Object[2 * extents.length];
            for (int a = 0; a < extents.length; a++) {
                shape[2 * a] = axes.get(a);
                shape[2 * a + 1] = extents[a];
            }
            return DoubleTensor.of(Shape.of(shape), own);
        }
        int[] order = expected.names().stream().mapToInt(axes::indexOf).toArray();
        return DoubleTensor.of(expected, permuted(own, extents, order));
    }

    /// `order[a]` is the axis of the source that becomes axis a.
    static double[] permuted(double[] values, int[] extents, int[] order) {
        int rank = extents.length;
        int[] strides = new int[rank];
        int stride = 1;
        for (int a = rank - 1; a >= 0; a--) {
            strides[a] = stride;
            stride *= extents[a];
        }
        double[] out = new double[values.length];
        int[] index = new int[rank];
        for (int i = 0; i < out.length; i++) {
            int from = 0;
            for (int a = 0; a < rank; a++) {
                from += index[a] * strides[order[a]];
            }
            out[i] = values[from];
            for (int a = rank - 1; a >= 0 && ++index[a] == extents[order[a]]; a--) {
                index[a] = 0;
            }
        }
        return out;
    }

    /// What a wrong shape might be: the same axes in another order, or some of them folded into one.
    private static String guess(Shape expected, long[] dims) {
        for (int[] order : orders(expected.rank())) {
            int[] extents = Arrays.stream(order).map(expected::extent).toArray();
            String names = Arrays.stream(order).mapToObj(expected::name).collect(Collectors.joining(", ", "[", "]"));
            if (equal(extents, dims)) {
                return ": looks transposed, as " + names;
            }
            for (int fold = 0; fold + 1 < order.length; fold++) {
                int[] folded = new int[extents.length - 1];
                for (int a = 0; a < folded.length; a++) {
                    folded[a] = a < fold ? extents[a] : a == fold ? extents[a] * extents[a + 1] : extents[a + 1];
                }
                if (equal(folded, dims)) {
                    int at = fold;
                    return ": looks like " + IntStream.range(0, folded.length)
                            .mapToObj(a -> a < at ? expected.name(order[a]) : a == at ? expected.name(order[a]) + "*" + expected.name(order[a + 1]) : expected.name(order[a + 1]))
                            .collect(Collectors.joining(", ", "[", "]"));
                }
            }
        }
        return "";
    }

    private static boolean equal(int[] extents, long[] dims) {
        return extents.length == dims.length && IntStream.range(0, dims.length).allMatch(a -> extents[a] == dims[a]);
    }

    /// The order in which these values, although of the right shape, would agree: two axes of one extent, exchanged.
    ///
    /// @param budget of the comparison
    static Optional<String> looksTransposed(DoubleTensor expected, double[] actual, double budget) {
        Shape shape = expected.shape();
        int[] extents = extents(shape);
        for (int[] order : orders(shape.rank())) {
            boolean identity = IntStream.range(0, order.length).allMatch(a -> order[a] == a);
            boolean sameExtents = IntStream.range(0, order.length).allMatch(a -> extents[order[a]] == extents[a]);
            if (identity || !sameExtents) {
                continue;
            }
            double[] turned = permuted(actual, extents, order);
            boolean agrees = IntStream.range(0, turned.length).allMatch(i -> Math.abs(turned[i] - expected.data()[i]) <= budget);
            if (agrees) {
                int[] inverse = new int[order.length];
                IntStream.range(0, order.length).forEach(a -> inverse[order[a]] = a);
                return Optional.of(Arrays.stream(inverse).mapToObj(shape::name).collect(Collectors.joining(", ", "[", "]")));
            }
        }
        return Optional.empty();
    }

    private static int[] extents(Shape shape) {
        return IntStream.range(0, shape.rank()).map(shape::extent).toArray();
    }

    /// All orders of up to four axes, the given one first.
    private static List<int[]> orders(int rank) {
        List<int[]> orders = new ArrayList<>();
        if (rank <= 4) {
            extend(new int[0], rank, orders);
        }
        return orders;
    }

    private static void extend(int[] begun, int rank, List<int[]> into) {
        if (begun.length == rank) {
            into.add(begun);
            return;
        }
        for (int a = 0; a < rank; a++) {
            int axis = a;
            if (Arrays.stream(begun).noneMatch(b -> b == axis)) {
                int[] longer = Arrays.copyOf(begun, begun.length + 1);
                longer[begun.length] = axis;
                extend(longer, rank, into);
            }
        }
    }
}
