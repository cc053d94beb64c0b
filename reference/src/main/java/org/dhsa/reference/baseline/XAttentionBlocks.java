package org.dhsa.reference.baseline;

import java.util.Arrays;
import java.util.List;
import java.util.function.IntUnaryOperator;
import org.dhsa.reference.labels.MeanAttention;
import org.dhsa.stage.AttentionRule;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Antidiagonal scores of blocks, and the choice by them that XAttention's code makes.
///
///     x(a, b) = logit( (1/s) · Σ_u q[a·s + s − 1 − u] · k[b·s + u] )        a, b: groups of s = stride tokens, u from 0 to s − 1
///     S(r, c) = Σ over a in block r, b in block c of softmax_b( x(a, ·) )
///
/// **Shapes** states `[heads, tokens, headDim]` (read), groups `[chunks, stride · headDim]` (new), scores `[queryBlocks][chunks]` (new).
/// **Reading** one antidiagonal of a stride × stride tile is one dot product of two groups laid flat, one of them backwards; so the stage for chunk
/// similarity computes it. A last group that is not full is filled with zeros, as in the code.
/// **Golden** `xattention/*`, tensors `attn_sums` and `block_mask`.
/// **Pitfall** half of the products of a group with itself look into the future. They choose, they are never read.
public final class XAttentionBlocks {

    private XAttentionBlocks() {}

    /// One head's tokens laid flat group by group.
    ///
    /// @param backwards last token of a group first, for the queries
    public static DoubleTensor groups(DoubleTensor states, int head, int groups, int stride, boolean backwards) {
        int tokens = states.shape().extent(1);
        int headDim = states.shape().extent("headDim");
        double[] flat = new double[groups * stride * headDim];
        for (int t = 0; t < Math.min(tokens, groups * stride); t++) {
            int u = backwards ? stride - 1 - t % stride : t % stride;
            System.arraycopy(states.data(), (head * tokens + t) * headDim, flat, (t / stride * stride + u) * headDim, headDim);
        }
        return DoubleTensor.of(Shape.of("chunks", groups, "headDim", stride * headDim), flat);
    }

    /// Block scores of one head from the dot products of its groups.
    ///
    /// @param dots     `[queryBlocks, chunks]`, one row per group of queries, one column per group of keys
    /// @param rule     `queryStart` is the position of the first query, a multiple of blockSize
    /// @param oldest   first group of keys that a group of queries sees, both counted from position 0
    /// @return `[query blocks][key blocks]`, only as many as the groups fill
    public static double[][] scores(DoubleTensor dots, AttentionRule rule, int blockSize, int stride, IntUnaryOperator oldest) {
        if (blockSize % stride != 0 || rule.queryStart() % blockSize != 0) {
            throw new IllegalArgumentException("stride " + stride + " must divide the block size " + blockSize + ", and that the first query's position " + rule.queryStart());
        }
        int groups = blockSize / stride;
        int queryGroups = dots.shape().extent(0);
        int keyGroups = dots.shape().extent(1);
        double[][] scores = new double[(queryGroups + groups - 1) / groups][(keyGroups + groups - 1) / groups];
        for (int a = 0; a < queryGroups; a++) {
            int own = rule.queryStart() / stride + a;
            double[] row = new double[keyGroups];
            Arrays.fill(row, Double.NEGATIVE_INFINITY);
            for (int b = oldest.applyAsInt(own); b <= Math.min(own, keyGroups - 1); b++) {
                row[b] = rule.logit(dots.at(a, b) / stride);
            }
            MeanAttention.softmax(row);
            for (int b = 0; b < keyGroups; b++) {
                scores[a / groups][b / groups] += row[b];
            }
        }
        return scores;
    }

    /// How the official code works through a prompt.
    ///
    /// @param length     keys
    /// @param chunkSize  tokens whose queries are scored together, a multiple of the block size
    /// @param keepSink   the switch that is meant to keep the first column, and keeps the first row
    /// @param keepRecent keeps the diagonal, which is kept anyway
    public record Official(int length, int blockSize, int stride, int chunkSize, boolean keepSink, boolean keepRecent) {

        /// The chunk size of the code when none is given.
        public static int defaultChunkSize(int length) {
            int power = length <= 1 ? 1 : Integer.highestOneBit(length - 1) << 1;
            return (int) Math.max(2048, Math.min(Math.max(2048, power), (128L * 1024 * 2048) / power));
        }

        /// First group that a group of queries sees. **Quirk** where less than a group of padding is needed, an empty slice is taken for everything, and all
        /// chunks before the query's own are masked.
        public int oldest(int queryGroup) {
            int padding = (length + chunkSize - 1) / chunkSize * chunkSize - length;
            int perChunk = chunkSize / stride;
            return padding < stride ? queryGroup / perChunk * perChunk : 0;
        }

        /// Kept blocks, `[query blocks][key blocks]`.
        ///
        /// A row walks through its blocks, first those that are forced, then by falling score, and takes a block while a sum stays strictly below
        /// threshold · all. Beyond the first chunk of blocks block 0 and the own block are forced and counted, and each next block is tested
        /// against the sum of those before it. **Quirk** in the first chunk only the own block is, and the sum lags by one block: the best other block is always taken, and one more
        /// than needed after it. Block 0 is kept in any case.
        ///
        /// @param scores of [XAttentionBlocks#scores]
        public boolean[][] keep(double[][] scores, int firstRow, double threshold) {
            boolean[][] kept = new boolean[scores.length][scores[0].length];
            for (int r = 0; r < scores.length; r++) {
                int own = firstRow + r;
                boolean firstChunk = own / (chunkSize / blockSize) == 0;
                double[] ranks = scores[r].clone();
                ranks[0] = firstChunk ? ranks[0] : Double.POSITIVE_INFINITY;
                ranks[own] = Double.POSITIVE_INFINITY;
                List<Integer> order = Ranking.top(ranks, ranks.length);
                double wanted = Arrays.stream(scores[r]).sum() * threshold;
                int lag = firstChunk ? 2 : 1;
                double before = 0;
                for (int n = 0; n < order.size(); n++) {
                    before = n < 2 ? 0 : n > 2 ? before + scores[r][order.get(n - lag)] : scores[r][own] + (firstChunk ? 0 : scores[r][0]);
                    if (before >= wanted) {
                        break;
                    }
                    kept[r][order.get(n)] = true;
                }
                kept[r][0] = true;
                Arrays.fill(kept[r], Math.min(own + 1, kept[r].length), kept[r].length, false);
                kept[r][own] |= keepRecent;
            }
            if (keepSink) {
                Arrays.fill(kept[0], true);
            }
            return kept;
        }
    }
}
