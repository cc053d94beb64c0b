package org.dhsa.stage;

import org.dhsa.tensor.Tensor;

/// Rotary position embedding, half-split: channel j turns together with channel j + headDim/2.
///
///     φ = position · theta^(−2j / headDim)
///     (a, b) → (a cos φ − b sin φ,  b cos φ + a sin φ)      a = xⱼ, b = x_{j + headDim/2}
public interface RotaryEmbedding extends StageOp<RotaryEmbedding.Input, RotaryEmbedding.Output> {

    /// @param x             `[heads, queryLen, headDim]` or `[kvHeads, keyLen, headDim]`
    /// @param startPosition position of the first row; positions count from 0 and go on in decoding
    record Input(Tensor x, int startPosition, double theta) {}

    /// @param rotated same axes as x
    record Output(Tensor rotated) {}
}
