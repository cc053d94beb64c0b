package org.dhsa.reference.baseline;

import org.dhsa.stage.Boundaries;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// A matrix of attention weights as a picture of chunks, and back: how the paper's figures are made.
///
///     M[c, d] = Σ A[i, j] over i in chunk c, j in chunk d   /   (|c| · |d|)
///     causal: the diagonal is divided by |c| (|c| + 1) / 2, the number of its visible pairs
///     U[i, j] = M[chunk(i), chunk(j)]        causal: j ≤ i, else 0
///
/// **Shapes** attention `[queryLen, keyLen]` (read), merged `[queryBlocks, chunks]` (new), unmerged as attention (new).
/// **Reading** block means; the diagonal blocks of a causal matrix are triangles; an empty chunk is 0.
/// **Golden** `merge_regions/0`, `merge_regions/1`.
/// **Pitfall** the causal form takes it for granted that nothing stands above the diagonal.
public final class MergeRegions {

    private MergeRegions() {}

    /// @param attention `[queryLen, keyLen]`, square
    /// @return `[queryBlocks, chunks]`
    public static DoubleTensor merge(Tensor attention, Boundaries boundaries, boolean causal) {
        attention.shape().require("queryLen", "keyLen").requireExtent("queryLen", boundaries.totalLength())
                .requireExtent("keyLen", boundaries.totalLength());
        DoubleTensor a = attention.toDouble();
        int chunks = boundaries.chunks();
        DoubleTensor merged = DoubleTensor.zeros(Shape.of("queryBlocks", chunks, "chunks", chunks));
        for (int c = 0; c < chunks; c++) {
            for (int d = 0; d < chunks; d++) {
                double sum = 0;
                for (int i = boundaries.start(c); i < boundaries.end(c); i++) {
                    for (int j = boundaries.start(d); j < boundaries.end(d); j++) {
                        sum += a.at(i, j);
                    }
                }
                double n = boundaries.length(c);
                merged.set(sum / Math.max(1, causal && c == d ? n * (n + 1) / 2 : n * boundaries.length(d)), c, d);
            }
        }
        return merged;
    }

    /// @param merged `[queryBlocks, chunks]`
    /// @return `[queryLen, keyLen]`
    public static DoubleTensor unmerge(Tensor merged, Boundaries boundaries, boolean causal) {
        DoubleTensor m = merged.toDouble();
        int length = boundaries.totalLength();
        DoubleTensor unmerged = DoubleTensor.zeros(Shape.of("queryLen", length, "keyLen", length));
        for (int i = 0; i < length; i++) {
            for (int j = 0; j < (causal ? i + 1 : length); j++) {
                unmerged.set(m.at(boundaries.chunkOf(i), boundaries.chunkOf(j)), i, j);
            }
        }
        return unmerged;
    }
}
