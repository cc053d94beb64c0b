package org.dhsa.model;

import java.util.List;
import java.util.Optional;

/// Weights of a boundary predictor, in one of the three published architectures.
///
/// C is the number of channels: `kvHeads * headDim` post-rotary keys of a layer, KV head first.
/// w is the window: w tokens left and w tokens right of the gap that is judged.
public sealed interface BoundaryPredictorWeights {

    /// w, tokens on each side of the judged gap.
    int window();

    /// C, channels of one token.
    int channels();

    DecisionMlp mlp();

    /// One multi-head self-attention over the 2w tokens, LayerNorm, no residual (`BoundarySimilarityAttn`).
    ///
    /// @param poolGate `[1, C]`, learned softmax pooling of a window; empty for the mean
    record Attention(int window, SelfAttention attention, LayerNorm norm, Optional<WeightTensor> poolGate, DecisionMlp mlp)
            implements BoundaryPredictorWeights {
        public Attention {
            requireWindow(window);
            long c = attention.channels();
            norm.require(c);
            poolGate.ifPresent(gate -> gate.require(1, c));
            mlp.require(c);
        }

        @Override
        public int channels() {
            return attention.channels();
        }
    }

    /// Depthwise convolution of width w, ReLU, pointwise convolution, ReLU, left and right apart (`BoundarySimilarity`).
    ///
    /// @param depthwiseWeight `[C, 1, w]`
    /// @param depthwiseBias   `[C]`
    /// @param pointwiseWeight `[d, C, 1]`
    /// @param pointwiseBias   `[d]`
    record Cnn(int window, WeightTensor depthwiseWeight, WeightTensor depthwiseBias, WeightTensor pointwiseWeight,
               WeightTensor pointwiseBias, DecisionMlp mlp) implements BoundaryPredictorWeights {
        public Cnn {
            requireWindow(window);
            long c = depthwiseWeight.dim(0);
            depthwiseWeight.require(c, 1, window);
            depthwiseBias.require(c);
            pointwiseWeight.require(pointwiseWeight.dim(0), c, 1);
            pointwiseBias.require(pointwiseWeight.dim(0));
            mlp.require(pointwiseWeight.dim(0));
        }

        @Override
        public int channels() {
            return Math.toIntExact(depthwiseWeight.dim(0));
        }
    }

    /// Several attention blocks with residuals and one shared pre-norm (`BoundarySimilarityStack`).
    ///
    /// @param sharedNorm the pre-norm that all blocks share
    record Stack(int window, List<Block> blocks, LayerNorm sharedNorm, Optional<WeightTensor> poolGate, DecisionMlp mlp)
            implements BoundaryPredictorWeights {

        /// `x + norm(attention(sharedNorm(x)))`.
        public record Block(SelfAttention attention, LayerNorm norm) {}

        public Stack {
            requireWindow(window);
            blocks = List.copyOf(blocks);
            if (blocks.isEmpty()) {
                throw new IllegalArgumentException("a stacked boundary predictor needs at least one block");
            }
            long c = blocks.getFirst().attention().channels();
            for (Block block : blocks) {
                block.attention().inProjWeight().require(3 * c, c);
                block.norm().require(c);
            }
            sharedNorm.require(c);
            poolGate.ifPresent(gate -> gate.require(1, c));
            mlp.require(c);
        }

        @Override
        public int channels() {
            return blocks.getFirst().attention().channels();
        }
    }

    /// PyTorch multi-head self-attention; rows of the in-projection are q, then k, then v.
    ///
    /// @param heads        NOT recoverable from the weights: the same shapes serve every head count, so it is recorded apart
    /// @param inProjWeight `[3C, C]`
    /// @param inProjBias   `[3C]`
    /// @param outProjWeight `[C, C]`
    /// @param outProjBias  `[C]`
    record SelfAttention(int heads, WeightTensor inProjWeight, WeightTensor inProjBias, WeightTensor outProjWeight,
                         WeightTensor outProjBias) {
        public SelfAttention {
            long c = outProjWeight.dim(0);
            outProjWeight.require(c, c);
            outProjBias.require(c);
            inProjWeight.require(3 * c, c);
            inProjBias.require(3 * c);
            if (heads <= 0 || c % heads != 0) {
                throw new IllegalArgumentException("predictor heads must divide the " + c + " channels, was " + heads);
            }
        }

        public int channels() {
            return Math.toIntExact(outProjWeight.dim(0));
        }
    }

    /// LayerNorm with weight and bias `[C]`, eps 1e-5.
    record LayerNorm(WeightTensor weight, WeightTensor bias) {
        void require(long channels) {
            weight.require(channels);
            bias.require(channels);
        }
    }

    /// Linear, ReLU, Linear to one logit, over the fused features `[left, right, |left-right|, left*right, cosine]`.
    ///
    /// @param weight0 `[hidden, 4 d + 1]`
    /// @param weight2 `[1, hidden]`
    record DecisionMlp(WeightTensor weight0, WeightTensor bias0, WeightTensor weight2, WeightTensor bias2) {
        void require(long encodingDim) {
            long hidden = weight0.dim(0);
            weight0.require(hidden, 4 * encodingDim + 1);
            bias0.require(hidden);
            weight2.require(1, hidden);
            bias2.require(1);
        }
    }

    private static void requireWindow(int window) {
        if (window <= 0) {
            throw new IllegalArgumentException("the boundary window must be positive, was " + window);
        }
    }
}
