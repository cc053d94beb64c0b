package org.dhsa.reference.baseline;

import java.util.stream.IntStream;
import org.dhsa.reference.dhsa.ChunkRepresentationReference;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Top-k of the true attention, the authors' upper bound: first attend densely, then keep what was large.
///
///     A = mean over heads;   keep(i) = {i} ∪ top_{k−1}( A[i, j] : j ≠ i )
///
/// **Shapes** attention `[heads, queryLen, keyLen]` (read), masks `[queryLen][keyLen]` (new).
/// **Reading** by token, or by block: then the sums of whole blocks are ranked and `topK / blockSize` blocks kept, the query's own
/// among them. The sliding variant looks at no score: it keeps the last topK keys. Fewer queries than keys means decoding: the
/// last query stands at the last key.
/// **Golden** `topk_attention/0` to `/4`, `topk_attention/decode_sliding`.
/// **Pitfall** without the sliding variant the authors' code takes row i for position i, so that a query decoded alone always
/// keeps key 0 instead of itself; here it stands at the end. Early rows have fewer than k keys with any attention; future keys, tied at 0, fill the list. Only the mask after
/// the causal rule says anything.
public final class TopKAttentionMask {

    private TopKAttentionMask() {}

    /// @param topK      keys per query, its own included
    /// @param blockSize 1 for single tokens
    /// @param sliding   the last topK keys instead of the best
    public record Input(Tensor attention, int topK, int blockSize, boolean sliding) {
        public Input {
            attention.shape().require("heads", "queryLen", "keyLen");
            if (topK <= 0 || blockSize <= 0) {
                throw new IllegalArgumentException("topK and blockSize must be positive, were " + topK + " and " + blockSize);
            }
        }
    }

    /// @param keepRaw    as selected, equal scores lowest position first
    /// @param keepCausal without the future
    public record Output(boolean[][] keepRaw, boolean[][] keepCausal) {}

    public static Output apply(Input in) {
        int queryLen = in.attention().shape().extent("queryLen");
        int keyLen = in.attention().shape().extent("keyLen");
        DoubleTensor attention = in.attention().toDouble();
        // [queryLen, keyLen]
        double[] mean = ChunkRepresentationReference.meanOverHeads(DoubleTensor.of(Shape.of(
                "heads", attention.shape().extent("heads"), "queryLen", queryLen, "headDim", keyLen), attention.data())).data();
        int firstPosition = keyLen - queryLen;
        boolean[][] raw = new boolean[queryLen][keyLen];
        boolean[][] causal = new boolean[queryLen][keyLen];
        for (int row = 0; row < queryLen; row++) {
            int position = firstPosition + row;
            if (in.sliding()) {
                for (int j = Math.max(0, position - in.topK() + 1); j <= position; j++) {
                    raw[row][j] = true;
                }
            } else {
                keepBest(raw[row], blockSums(mean, queryLen, keyLen, position, in.blockSize()), position, in);
            }
            for (int j = 0; j <= position; j++) {
                causal[row][j] = raw[row][j];
            }
        }
        return new Output(raw, causal);
    }

    /// Attention from the query's block to every key block.
    private static double[] blockSums(double[] mean, int queryLen, int keyLen, int position, int blockSize) {
        int firstPosition = keyLen - queryLen;
        int from = Math.max(firstPosition, position / blockSize * blockSize);
        int to = Math.min(keyLen, (position / blockSize + 1) * blockSize);
        double[] sums = new double[(keyLen + blockSize - 1) / blockSize];
        for (int i = from; i < to; i++) {
            for (int j = 0; j < keyLen; j++) {
                sums[j / blockSize] += mean[(i - firstPosition) * keyLen + j];
            }
        }
        return sums;
    }

    private static void keepBest(boolean[] keep, double[] sums, int position, Input in) {
        sums[position / in.blockSize()] = Double.POSITIVE_INFINITY;
        for (int block : Ranking.top(sums, Math.max(1, in.topK() / in.blockSize()))) {
            int end = Math.min(keep.length, (block + 1) * in.blockSize());
            for (int j = block * in.blockSize(); j < end; j++) {
                keep[j] = true;
            }
        }
    }

    /// The last `window` positions up to `position` at steps of `dilation`, ascending, those before 0 left out. A dilation below 1 is 1.
    public static int[] dilatedIndices(int position, int window, int dilation) {
        int step = Math.max(1, dilation);
        return IntStream.range(0, window).map(i -> position - (window - 1 - i) * step).filter(j -> j >= 0).toArray();
    }
}
