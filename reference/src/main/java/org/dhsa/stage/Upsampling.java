package org.dhsa.stage;

import org.dhsa.tensor.Tensor;

/// Chunk scores to token scores: every token has the score of its chunk.
///
///     S_t[i, j] = S_c[i, chunk(j)]
public interface Upsampling extends StageOp<Upsampling.Input, Upsampling.Output> {

    /// @param chunkScores `[queryBlocks, chunks]`
    record Input(Tensor chunkScores, Boundaries boundaries) {
        public Input {
            chunkScores.shape().require("queryBlocks", "chunks").requireExtent("chunks", boundaries.chunks());
        }
    }

    /// @param tokenScores `[queryBlocks, keyLen]`
    record Output(Tensor tokenScores) {}
}
