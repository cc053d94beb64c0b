package org.dhsa.stage;

import org.dhsa.tensor.Tensor;

/// Plain dot products of query chunks and key chunks: no scale, no cap, no softmax.
///
///     S_c = Q K_cᵀ
public interface ChunkSimilarity extends StageOp<ChunkSimilarity.Input, ChunkSimilarity.Output> {

    /// @param queryChunks `[chunks, headDim]`, one row per query block
    /// @param keyChunks   `[chunks, headDim]`
    record Input(Tensor queryChunks, Tensor keyChunks) {
        public Input {
            queryChunks.shape().require("chunks", "headDim");
            keyChunks.shape().require("chunks", "headDim").requireExtent("headDim", queryChunks.shape().extent("headDim"));
        }
    }

    /// @param chunkScores `[queryBlocks, chunks]`
    record Output(Tensor chunkScores) {}
}
