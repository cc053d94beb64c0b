package org.dhsa.reference.dhsa;

import java.util.Arrays;
import java.util.Optional;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.WeightTensor;
import org.dhsa.reference.ejml.Linear;

/// Encodes the 2w tokens around a gap into one vector for the left and one for the right side.
///
/// One implementation per published architecture; weights are widened once, when the encoder is made.
public abstract sealed class WindowEncoder {

    /// One vector per side, each of `dim()` channels.
    public record Sides(double[] left, double[] right) {}

    /// Channels of a side's vector.
    public abstract int dim();

    /// @param window `[2w, C]` row-major (read): w tokens left of the gap, then w tokens right of it
    public abstract Sides encode(double[] window);

    /// eps of the cosine similarity: PyTorch's default in the stacked architecture, 1e-6 in the others.
    public double cosineEps() {
        return 1e-6;
    }

    public static WindowEncoder of(BoundaryPredictorWeights weights) {
        return switch (weights) {
            case BoundaryPredictorWeights.Attention a -> new Attention(a);
            case BoundaryPredictorWeights.Cnn c -> new Cnn(c);
            case BoundaryPredictorWeights.Stack s -> new Stack(s);
        };
    }

    /// `LayerNorm(SelfAttention(x))`, no residual, no positions; a side is the mean or the gated mean of its w outputs.
    public static final class Attention extends WindowEncoder {
        private final SelfAttention attention;
        private final LayerNorm norm;
        private final Pooling pooling;

        Attention(BoundaryPredictorWeights.Attention weights) {
            attention = new SelfAttention(weights.attention());
            norm = new LayerNorm(weights.norm());
            pooling = new Pooling(weights.window(), weights.channels(), weights.poolGate());
        }

        @Override
        public int dim() {
            return attention.channels;
        }

        /// The 2w encoded tokens `[2w, C]`, before pooling.
        public double[] encodeTokens(double[] window) {
            return norm.apply(attention.apply(window));
        }

        @Override
        public Sides encode(double[] window) {
            return pooling.sides(encodeTokens(window));
        }
    }

    /// `x ← x + LayerNormₙ(SelfAttentionₙ(sharedNorm(x)))` for every block n, then pooling as in [Attention].
    static final class Stack extends WindowEncoder {
        private final SelfAttention[] attentions;
        private final LayerNorm[] norms;
        private final LayerNorm sharedNorm;
        private final Pooling pooling;

        Stack(BoundaryPredictorWeights.Stack weights) {
            attentions = weights.blocks().stream().map(b -> new SelfAttention(b.attention())).toArray(SelfAttention[]::new);
            norms = weights.blocks().stream().map(b -> new LayerNorm(b.norm())).toArray(LayerNorm[]::new);
            sharedNorm = new LayerNorm(weights.sharedNorm());
            pooling = new Pooling(weights.window(), weights.channels(), weights.poolGate());
        }

        @Override
        public int dim() {
            return attentions[0].channels;
        }

        @Override
        public double cosineEps() {
            return 1e-8;
        }

        @Override
        public Sides encode(double[] window) {
            double[] x = window.clone();
            for (int n = 0; n < attentions.length; n++) {
                double[] branch = norms[n].apply(attentions[n].apply(sharedNorm.apply(x)));
                for (int i = 0; i < x.length; i++) {
                    x[i] += branch[i];
                }
            }
            return pooling.sides(x);
        }
    }

    /// Depthwise convolution over the side's w tokens to one value per channel, ReLU, linear, ReLU.
    static final class Cnn extends WindowEncoder {
        private final int window;
        private final int channels;
        private final double[] depthwise;
        private final double[] depthwiseBias;
        private final double[] pointwise;
        private final double[] pointwiseBias;

        Cnn(BoundaryPredictorWeights.Cnn weights) {
            window = weights.window();
            channels = weights.channels();
            depthwise = weights.depthwiseWeight().widen();
            depthwiseBias = weights.depthwiseBias().widen();
            pointwise = weights.pointwiseWeight().widen();
            pointwiseBias = weights.pointwiseBias().widen();
        }

        @Override
        public int dim() {
            return pointwiseBias.length;
        }

        @Override
        public Sides encode(double[] tokens) {
            return new Sides(side(tokens, 0), side(tokens, window));
        }

        private double[] side(double[] tokens, int firstToken) {
            double[] filtered = depthwiseBias.clone();
            for (int c = 0; c < channels; c++) {
                for (int t = 0; t < window; t++) {
                    filtered[c] += depthwise[c * window + t] * tokens[(firstToken + t) * channels + c];
                }
                filtered[c] = Math.max(0, filtered[c]);
            }
            double[] mixed = Linear.multTransB(filtered, 1, pointwise, dim(), channels);
            for (int d = 0; d < mixed.length; d++) {
                mixed[d] = Math.max(0, mixed[d] + pointwiseBias[d]);
            }
            return mixed;
        }
    }

    /// Multi-head self-attention over n tokens, `softmax(q kᵀ / √(C/heads)) v`, with in- and out-projections and biases.
    private static final class SelfAttention {
        final int channels;
        private final int heads;
        private final double[] inWeight;
        private final double[] inBias;
        private final double[] outWeight;
        private final double[] outBias;

        SelfAttention(BoundaryPredictorWeights.SelfAttention weights) {
            channels = weights.channels();
            heads = weights.heads();
            inWeight = weights.inProjWeight().widen();
            inBias = weights.inProjBias().widen();
            outWeight = weights.outProjWeight().widen();
            outBias = weights.outProjBias().widen();
        }

        double[] apply(double[] x) {
            int n = x.length / channels;
            int width = 3 * channels;
            // [n, 3C]: q, then k, then v
            double[] qkv = plusBias(Linear.multTransB(x, n, inWeight, width, channels), inBias);
            int headDim = channels / heads;
            double[] context = new double[n * channels];
            for (int h = 0; h < heads; h++) {
                for (int i = 0; i < n; i++) {
                    double[] weights = new double[n];
                    for (int j = 0; j < n; j++) {
                        for (int d = h * headDim; d < (h + 1) * headDim; d++) {
                            weights[j] += qkv[i * width + d] * qkv[j * width + channels + d];
                        }
                        weights[j] /= Math.sqrt(headDim);
                    }
                    softmax(weights);
                    for (int j = 0; j < n; j++) {
                        for (int d = h * headDim; d < (h + 1) * headDim; d++) {
                            context[i * channels + d] += weights[j] * qkv[j * width + 2 * channels + d];
                        }
                    }
                }
            }
            return plusBias(Linear.multTransB(context, n, outWeight, channels, channels), outBias);
        }
    }

    /// `(x − mean) / √(variance + 1e-5) · weight + bias` over the channels of each token.
    private static final class LayerNorm {
        private final double[] weight;
        private final double[] bias;

        LayerNorm(BoundaryPredictorWeights.LayerNorm weights) {
            weight = weights.weight().widen();
            bias = weights.bias().widen();
        }

        double[] apply(double[] x) {
            int channels = weight.length;
            double[] y = new double[x.length];
            for (int row = 0; row < x.length; row += channels) {
                double mean = 0;
                for (int c = 0; c < channels; c++) {
                    mean += x[row + c] / channels;
                }
                double variance = 0;
                for (int c = 0; c < channels; c++) {
                    variance += (x[row + c] - mean) * (x[row + c] - mean) / channels;
                }
                for (int c = 0; c < channels; c++) {
                    y[row + c] = (x[row + c] - mean) / Math.sqrt(variance + 1e-5) * weight[c] + bias[c];
                }
            }
            return y;
        }
    }

    /// A side's vector: the mean of its w tokens, or their mean under softmax weights that a gate gives.
    private record Pooling(int window, int channels, double[] gate) {
        Pooling(int window, int channels, Optional<WeightTensor> gate) {
            this(window, channels, gate.map(WeightTensor::widen).orElse(null));
        }

        Sides sides(double[] tokens) {
            return new Sides(pool(tokens, 0), pool(tokens, window));
        }

        private double[] pool(double[] tokens, int firstToken) {
            double[] weights = new double[window];
            if (gate == null) {
                Arrays.fill(weights, 1.0 / window);
            } else {
                for (int t = 0; t < window; t++) {
                    for (int c = 0; c < channels; c++) {
                        weights[t] += gate[c] * tokens[(firstToken + t) * channels + c];
                    }
                }
                softmax(weights);
            }
            double[] pooled = new double[channels];
            for (int t = 0; t < window; t++) {
                for (int c = 0; c < channels; c++) {
                    pooled[c] += weights[t] * tokens[(firstToken + t) * channels + c];
                }
            }
            return pooled;
        }
    }

    private static double[] plusBias(double[] rows, double[] bias) {
        for (int i = 0; i < rows.length; i++) {
            rows[i] += bias[i % bias.length];
        }
        return rows;
    }

    private static void softmax(double[] logits) {
        double max = Arrays.stream(logits).max().orElse(0);
        double sum = 0;
        for (int i = 0; i < logits.length; i++) {
            logits[i] = Math.exp(logits[i] - max);
            sum += logits[i];
        }
        for (int i = 0; i < logits.length; i++) {
            logits[i] /= sum;
        }
    }
}
