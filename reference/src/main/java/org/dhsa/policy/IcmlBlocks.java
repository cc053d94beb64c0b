package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Where fixed blocks of queries lie among fixed blocks of keys.
///
///     start(i)  = ⌊first position of query block i / keyBlock⌋        first block of the diagonal band
///     recent(i) = ⌊last position of query block i / keyBlock⌋         last one
///     oldest(i) = block of the oldest key that its first query sees: 0 without a window
///
/// @param offset     key row of the first query
/// @param rows       queries that are cut into blocks
/// @param keyLen     keys
/// @param rule       for its window
public record IcmlBlocks(int offset, int rows, int keyLen, int queryBlock, int keyBlock, AttentionRule rule) {

    public IcmlBlocks {
        if (queryBlock <= 0 || keyBlock <= 0) {
            throw new IllegalArgumentException("queryBlock and keyBlock must be positive, were " + queryBlock + " and " + keyBlock);
        }
    }

    public int queryBlocks() {
        return (rows + queryBlock - 1) / queryBlock;
    }

    public int keyBlocks() {
        return (keyLen + keyBlock - 1) / keyBlock;
    }

    /// Key row of the first query of a block.
    int firstQuery(int i) {
        return offset + i * queryBlock;
    }

    /// Key row of the last query of a block.
    int lastQuery(int i) {
        return offset + Math.min(rows, (i + 1) * queryBlock) - 1;
    }

    public int start(int i) {
        return Math.min(keyBlocks() - 1, firstQuery(i) / keyBlock);
    }

    public int recent(int i) {
        return Math.min(keyBlocks() - 1, lastQuery(i) / keyBlock);
    }

    public int oldest(int i) {
        return rule.visibility().first(firstQuery(i)) / keyBlock;
    }

    /// Blocks of keys, as rows of the keys.
    Boundaries keyBounds() {
        return Boundaries.uniform(keyLen, keyBlock);
    }

    Boundaries queryBounds() {
        return Boundaries.uniform(rows, queryBlock);
    }

    /// Blocks per query block for a share of all blocks of keys, at least one.
    ///
    /// @param density share of the key blocks, above 0 and at most 1
    public static int budget(double density, int keyBlocks, Set<IcmlQuirk> quirks) {
        if (!(density > 0 && density <= 1)) {
            throw new IllegalArgumentException("density must be above 0 and at most 1, was " + density);
        }
        double share = quirks.contains(IcmlQuirk.BUDGET_ROUNDED_TWICE) ? 1 - (1 - density) : density;
        return Math.max(1, (int) Math.floor(share * keyBlocks));
    }

    /// The sizes that the published kernel was made for; the masks themselves take any.
    public static void requirePublishedSizes(int queryBlock, int keyBlock) {
        if (queryBlock <= 0 || queryBlock % 128 != 0 || keyBlock != 32 && keyBlock != 64 && keyBlock != 128) {
            throw new IllegalArgumentException("the published kernel takes query blocks of a multiple of 128 and key blocks of 32, 64 or 128, not "
                    + queryBlock + " and " + keyBlock);
        }
    }

    /// The smallest length from `length` on that both blocks divide.
    public static int paddedLength(int length, int queryBlock, int keyBlock) {
        int a = queryBlock;
        int b = keyBlock;
        while (b != 0) {
            int rest = a % b;
            a = b;
            b = rest;
        }
        int multiple = queryBlock / a * keyBlock;
        return (length + multiple - 1) / multiple * multiple;
    }

    /// States with more rows at the end (I9).
    ///
    /// @param states `[heads, length, headDim]` (read)
    /// @param filler `[heads, headDim]`, what every new row holds: zeros, or the bias of a projection
    /// @return `[heads, paddedLength, headDim]` (new)
    public static DoubleTensor padded(DoubleTensor states, int paddedLength, DoubleTensor filler) {
        int heads = states.shape().extent(0);
        int length = states.shape().extent(1);
        int dim = states.shape().extent(2);
        double[] out = new double[heads * paddedLength * dim];
        for (int h = 0; h < heads; h++) {
            System.arraycopy(states.data(), h * length * dim, out, h * paddedLength * dim, length * dim);
            for (int t = length; t < paddedLength; t++) {
                System.arraycopy(filler.data(), h * dim, out, (h * paddedLength + t) * dim, dim);
            }
        }
        return DoubleTensor.of(Shape.of(states.shape().name(0), heads, states.shape().name(1), paddedLength, states.shape().name(2), dim), out);
    }

    /// `[segments][headDim]`: the mean of the rows of one head in each segment.
    static double[][] means(DoubleTensor states, int head, Boundaries segments) {
        List<double[]> means = new ArrayList<>();
        for (int s = 0; s < segments.chunks(); s++) {
            means.add(mean(states, head, segments.start(s), segments.end(s)));
        }
        return means.toArray(double[][]::new);
    }

    /// `[blocks][headDim]`: the mean of the rows of one head in each block of `size`.
    public static double[][] means(DoubleTensor states, int head, int size) {
        return means(states, head, Boundaries.uniform(states.shape().extent(1), size));
    }

    static double[] mean(DoubleTensor states, int head, int from, int to) {
        int length = states.shape().extent(1);
        int dim = states.shape().extent(2);
        double[] mean = new double[dim];
        for (int t = from; t < to; t++) {
            for (int d = 0; d < dim; d++) {
                mean[d] += states.data()[(head * length + t) * dim + d];
            }
        }
        for (int d = 0; d < dim; d++) {
            mean[d] /= to - from;
        }
        return mean;
    }

    static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int d = 0; d < a.length; d++) {
            sum += a[d] * b[d];
        }
        return sum;
    }

    /// True at `[from, to]`.
    static boolean[] range(int length, int from, int to) {
        boolean[] range = new boolean[length];
        Arrays.fill(range, from, to + 1, true);
        return range;
    }
}
