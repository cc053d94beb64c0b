package org.dhsa.reference.baseline;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dhsa.reference.dhsa.ChunkRepresentationReference;
import org.dhsa.reference.dhsa.ChunkSimilarityReference;
import org.dhsa.reference.dhsa.SparseAttentionReference;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.SparseAttention;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Block-sparse attention, the authors' baseline: fixed blocks instead of dynamic chunks.
///
///     S = mean(Q block) · mean(K block)ᵀ
///     blocks(i) = {i} ∪ top_{k−1}( S[i, j] : j ≤ i, and with a window j ≥ i + 1 − ⌊window / blockSize⌋ )
///
/// **Shapes** query `[heads, queryLen, headDim]`, key and value `[kvHeads, keyLen, headDim]` (read), blockScores
/// `[queryBlocks, chunks]`, output as query (new).
/// **Reading** the stages of DHSA with uniform chunks on both sides; a query block reads whole key blocks.
/// **Golden** `block_sparse/0` to `/5`.
/// **Pitfall** the mean of a partial last block divides by blockSize, without correction. A row with fewer allowed blocks than k
/// is filled with the last block, which its queries do not see.
public final class BlockSparseAttention {

    private BlockSparseAttention() {}

    /// @param topK blocks per query block, its own included; cut to the number of blocks and to the window
    /// @param rule the authors use no soft cap and `window + 1` keys ([org.dhsa.stage.Visibility#extraKey])
    public record Input(Tensor query, Tensor key, Tensor value, int blockSize, int topK, AttentionRule rule) {
        public Input {
            if (blockSize <= 0 || topK <= 0) {
                throw new IllegalArgumentException("blockSize and topK must be positive, were " + blockSize + " and " + topK);
            }
        }
    }

    /// @param blockScores  `[queryBlocks, chunks]`, before any mask
    /// @param blockIndices one ascending list per query block, all of one length
    /// @param output       `[heads, queryLen, headDim]`
    public record Output(DoubleTensor blockScores, List<List<Integer>> blockIndices, DoubleTensor output) {}

    public static Output apply(Input in) {
        int length = in.query().shape().extent("queryLen");
        Boundaries uniform = Boundaries.uniform(length, in.blockSize());
        DoubleTensor scores = new ChunkSimilarityReference()
                .apply(new ChunkSimilarity.Input(means(in.query(), uniform, in.blockSize()), means(in.key(), uniform, in.blockSize())))
                .chunkScores().toDouble();
        int window = in.rule().visibility().window();
        List<List<Integer>> indices = select(scores, in.topK(), in.rule().visibility().isLocal() ? window / in.blockSize() : Integer.MAX_VALUE);
        KeySelection selection = new KeySelection(QueryBlocks.fixed(length, length, in.blockSize()),
                indices.stream().map(blocks -> keys(blocks, uniform)).toList());
        return new Output(scores, indices, new SparseAttentionReference()
                .apply(new SparseAttention.Input(in.query(), in.key(), in.value(), selection, in.rule())).context().toDouble());
    }

    private static Tensor means(Tensor states, Boundaries uniform, int blockSize) {
        return new ChunkRepresentationReference().apply(
                new ChunkRepresentation.Input(states, uniform, ChunkRepresentation.Pooling.MEAN, blockSize)).chunks();
    }

    private static List<List<Integer>> select(DoubleTensor scores, int topK, int windowBlocks) {
        int blocks = scores.shape().extent("chunks");
        int k = Math.max(1, Math.min(topK, Math.min(windowBlocks, blocks)));
        List<List<Integer>> lists = new ArrayList<>();
        for (int i = 0; i < blocks; i++) {
            double[] ranked = new double[blocks];
            Arrays.fill(ranked, Double.NEGATIVE_INFINITY);
            for (int j = Math.max(0, (int) Math.min(i, i + 1L - windowBlocks)); j <= i; j++) {
                ranked[j] = j == i ? Double.POSITIVE_INFINITY : scores.at(i, j);
            }
            lists.add(Ranking.top(ranked, k).stream().map(j -> ranked[j] == Double.NEGATIVE_INFINITY ? blocks - 1 : j).sorted().toList());
        }
        return lists;
    }

    private static BlockSelection keys(List<Integer> blocks, Boundaries uniform) {
        int[] keys = blocks.stream().flatMapToInt(b -> IntStream.range(uniform.start(b), uniform.end(b))).toArray();
        return new BlockSelection(keys, 0, keys.length, Double.NaN, Double.POSITIVE_INFINITY, 0, new int[0]);
    }
}
