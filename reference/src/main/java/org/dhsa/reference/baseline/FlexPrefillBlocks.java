package org.dhsa.reference.baseline;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// FlexPrefill's switch between its two patterns, and the blocks that its code then keeps.
///
///     js(p, q) = √( ½ Σ p ln(p / m) + ½ Σ q ln(q / m) ),     m = (p + q) / 2
///
/// **Source** FlexPrefill (arXiv 2502.20766), algorithms 2 to 4; ByteDance-Seed/FlexPrefill, `get_active_blocks`.
/// **Golden** `flexprefill/*`, every tensor.
/// **Pitfall** where one of the two has no mass its term is 0, not a NaN.
public final class FlexPrefillBlocks {

    private FlexPrefillBlocks() {}

    /// Square root of the Jensen-Shannon divergence, natural logarithm.
    public static double distance(double[] p, double[] q) {
        double divergence = 0;
        for (int b = 0; b < p.length; b++) {
            double mean = (p[b] + q[b]) / 2;
            divergence += (p[b] > 0 ? p[b] * Math.log(p[b] / mean) : 0) / 2 + (q[b] > 0 ? q[b] * Math.log(q[b] / mean) : 0) / 2;
        }
        return Math.sqrt(Math.max(0, divergence));
    }

    /// The official code, which keeps whole blocks of columns and whole blocks of distances.
    ///
    /// **Quirks** how many lines reach gamma is counted in tokens, but turned into blocks by 128, whatever the block size. Distances are cut into blocks from the longest
    /// one down, so where the length is no multiple of the block size a block of distances is not a diagonal of blocks, but is read as one. Blocks of the
    /// query-aware pattern stop before gamma is reached, not after.
    ///
    /// @param minBudget fewest tokens, for columns and for distances; 1 for none
    /// @param maxBudget most tokens of each; the length for none
    public record Official(double gamma, int minBudget, int maxBudget, int blockSize, int length) {

        private static final int TOKENS_PER_BLOCK = 128;

        public int blocks() {
            return (length + blockSize - 1) / blockSize;
        }

        /// True where the code attends densely instead.
        public boolean dense() {
            return length <= Math.max(2 * blockSize, (minBudget + blockSize - 1) / blockSize * blockSize);
        }

        /// Lines that hold gamma of the mass: one more than there are sums of the largest that do not exceed gamma.
        public int cover(double[] scores) {
            double sum = 0;
            int count = 0;
            for (int line : Ranking.top(scores, scores.length)) {
                sum += scores[line];
                if (sum > gamma) {
                    break;
                }
                count++;
            }
            return count + 1;
        }

        /// Blocks of columns, or of distances, to keep.
        public int wanted(int cover, boolean queryAware) {
            int fewest = (minBudget + blockSize - 1) / blockSize;
            int most = Math.min(blocks(), (maxBudget + blockSize - 1) / blockSize);
            return Math.min(most, queryAware ? fewest : Math.max(fewest, cover / TOKENS_PER_BLOCK + 1));
        }

        /// Kept blocks of columns, ascending; the first always.
        public int[] verticalBlocks(double[] vertical, int count) {
            double[] sums = new double[blocks()];
            for (int j = 0; j < length; j++) {
                sums[j / blockSize] += vertical[j];
            }
            return best(sums, count);
        }

        /// Kept block distances, ascending; 0 always.
        ///
        /// @param slash by distance
        public int[] slashBlocks(double[] slash, int count) {
            double[] sums = new double[blocks()];
            for (int d = 0; d < length; d++) {
                sums[blocks() - 1 - (length - 1 - d) / blockSize] += slash[d];
            }
            return best(sums, count);
        }

        private static int[] best(double[] sums, int count) {
            sums[0] = Double.POSITIVE_INFINITY;
            return Ranking.top(sums, count).stream().mapToInt(Integer::intValue).sorted().toArray();
        }

        /// Kept blocks, `[query blocks][key blocks]`.
        ///
        /// @param map weights of the pooled queries and keys by row, for a query-aware head; empty for a vertical-slash head
        public boolean[][] keep(int[] verticalBlocks, int[] slashBlocks, List<double[]> map) {
            int blocks = blocks();
            boolean[][] kept = new boolean[blocks][blocks];
            for (int r = 0; r < blocks; r++) {
                int row = r;
                IntStream.concat(Arrays.stream(verticalBlocks), Arrays.stream(slashBlocks).map(d -> row - d)).filter(c -> c >= 0 && c <= row)
                        .forEach(c -> kept[row][c] = true);
            }
            double[] flat = map.stream().flatMapToDouble(Arrays::stream).toArray();
            double sum = 0;
            for (int best : Ranking.top(flat, flat.length)) {
                sum += flat[best];
                if (sum > gamma * blocks) {
                    break;
                }
                kept[best / blocks][best % blocks] |= best % blocks <= best / blocks;
            }
            return kept;
        }
    }
}
