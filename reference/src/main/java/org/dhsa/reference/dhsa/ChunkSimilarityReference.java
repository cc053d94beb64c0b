package org.dhsa.reference.dhsa;

import org.dhsa.reference.ejml.Linear;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Chunk similarity: plain dot products.
///
///     S_c = Q K_cᵀ
///
/// **Shapes** queryChunks `[chunks, headDim]`, keyChunks `[chunks, headDim]` (read), result `[queryBlocks, chunks]` (new).
/// **Reading** one matrix product.
/// **Golden** `dhsa_mask/tiefree_0`, tensor `chunk_scores`.
/// **Pitfall** no scale, no soft cap, no softmax: a row is only ever ranked.
public final class ChunkSimilarityReference implements ChunkSimilarity {

    @Override
    public Output apply(Input in) {
        DoubleTensor q = in.queryChunks().toDouble();
        DoubleTensor k = in.keyChunks().toDouble();
        int queryBlocks = q.shape().extent("chunks");
        int chunks = k.shape().extent("chunks");
        return new Output(DoubleTensor.of(Shape.of("queryBlocks", queryBlocks, "chunks", chunks),
                Linear.multTransB(q.data(), queryBlocks, k.data(), chunks, q.shape().extent("headDim"))));
    }
}
