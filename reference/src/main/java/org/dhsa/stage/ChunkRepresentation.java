package org.dhsa.stage;

import org.dhsa.tensor.Tensor;

/// One vector per chunk: the mean over heads, then over the chunk's tokens, times √length.
///
///     x̄ₜ = mean over heads of xₜ
///     c̄ⱼ = √|Cⱼ| · mean of x̄ₜ over t in Cⱼ  =  Σ x̄ₜ / √|Cⱼ|
///
/// With the plain mean a long chunk of unlike keys shrinks towards zero; with the sum it grows. The root keeps the norm of
/// a chunk of independent vectors free of its length.
public interface ChunkRepresentation extends StageOp<ChunkRepresentation.Input, ChunkRepresentation.Output> {

    /// How the tokens of a chunk become one vector.
    enum Pooling { MEAN, MEAN_SQRT_LENGTH, MAX }

    /// @param states   `[heads | kvHeads, queryLen | keyLen, headDim]`
    /// @param segments chunks of the second axis; may end before it does
    /// @param padTo    treat a shorter segment as padded with zeros to this length, as upstream does with the last query
    ///                 block (the mean divides by it, the maximum sees the zeros); 0 for no padding
    record Input(Tensor states, Boundaries segments, Pooling pooling, int padTo) {
        public Input {
            if (states.shape().rank() != 3 || segments.totalLength() > states.shape().extent(1)) {
                throw new IllegalArgumentException("segments cover " + segments.totalLength() + " tokens of " + states.shape());
            }
        }
    }

    /// @param chunks `[chunks, headDim]`
    record Output(Tensor chunks) {}
}
