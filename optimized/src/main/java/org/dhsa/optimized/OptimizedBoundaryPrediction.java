package org.dhsa.optimized;

import java.util.Arrays;
import java.util.Optional;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.BoundaryPredictorWeights.LayerNorm;
import org.dhsa.model.BoundaryPredictorWeights.SelfAttention;
import org.dhsa.model.WeightTensor;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.tensor.Shape;

/// Boundary predictor in batches of gaps, its linear maps as matrix products. Twin: `BoundaryPredictionReference`.
///
/// In the attention architecture queries, keys and values of a token are the same in every window it stands in, so they
/// are made once per token instead of once per window (8 times less with w = 4). A token outside the sequence is a zero
/// row, whose in-projection is the bias. The out-projection is linear and can be drawn through the softmax:
///
///     W Σⱼ pᵢⱼ vⱼ = Σⱼ Σₕ pₕᵢⱼ (Wₕ vₕⱼ)
///
/// so `Wₕ vₕⱼ` too is made once per token; per window only the sum over tokens and heads is left.
final class OptimizedBoundaryPrediction implements BoundaryPrediction {

    private static final double LAYER_NORM_EPS = 1e-5;

    private final Gemm gemm;
    private final Kernels kernels;
    private final Workers workers;
    private final SmallWeights small;

    OptimizedBoundaryPrediction(Gemm gemm, Kernels kernels, Workers workers, SmallWeights small) {
        this.gemm = gemm;
        this.kernels = kernels;
        this.workers = workers;
        this.small = small;
    }

    @Override
    public Output apply(Input in) {
        FloatTensor key = FloatTensor.of(in.key());
        int length = key.shape().extent("keyLen");
        float[] features = features(key);
        FloatTensor logits = FloatTensor.zeros(Shape.of("keyLen", length));
        Encoder encoder = switch (in.predictor()) {
            case BoundaryPredictorWeights.Attention a -> new AttentionEncoder(a, features, length);
            case BoundaryPredictorWeights.Stack s -> new StackEncoder(s, features, length);
            case BoundaryPredictorWeights.Cnn c -> new CnnEncoder(c, features, length);
        };
        for (int from = 0; from < length; from += encoder.batch()) {
            decide(encoder, in.predictor().mlp(), from, Math.min(length, from + encoder.batch()), logits.data());
        }
        return new Output(logits);
    }

    /// Keys of all KV heads laid end to end, `[keyLen, C]`.
    private float[] features(FloatTensor key) {
        int kvHeads = key.shape().extent("kvHeads");
        int length = key.shape().extent("keyLen");
        int headDim = key.shape().extent("headDim");
        float[] features = new float[length * kvHeads * headDim];
        workers.run(length, (t, worker) -> {
            for (int h = 0; h < kvHeads; h++) {
                System.arraycopy(key.data(), key.offset() + h * key.stride() + t * headDim, features, (t * kvHeads + h) * headDim, headDim);
            }
        });
        return features;
    }

    /// Gaps to the encodings of their two sides.
    private interface Encoder {
        int dim();

        double cosineEps();

        /// Gaps at a time.
        default int batch() {
            return 512;
        }

        /// @param sides `[gaps, 2 * dim]`: left, then right; overwritten
        void encode(int from, int to, float[] sides);
    }

    /// Fused features, linear, ReLU, linear.
    private void decide(Encoder encoder, BoundaryPredictorWeights.DecisionMlp mlp, int from, int to, float[] logits) {
        int gaps = to - from;
        int d = encoder.dim();
        int hidden = Math.toIntExact(mlp.weight0().dim(0));
        float[] sides = new float[gaps * 2 * d];
        encoder.encode(from, to, sides);
        float[] fused = new float[gaps * (4 * d + 1)];
        for (int g = 0; g < gaps; g++) {
            int left = g * 2 * d;
            int right = left + d;
            int at = g * (4 * d + 1);
            for (int c = 0; c < d; c++) {
                fused[at + c] = sides[left + c];
                fused[at + d + c] = sides[right + c];
                fused[at + 2 * d + c] = Math.abs(sides[left + c] - sides[right + c]);
                fused[at + 3 * d + c] = sides[left + c] * sides[right + c];
            }
            double leftNorm = Math.sqrt(kernels.dot(sides, left, sides, left, d));
            double rightNorm = Math.sqrt(kernels.dot(sides, right, sides, right, d));
            fused[at + 4 * d] = (float) (kernels.dot(sides, left, sides, right, d)
                    / (Math.max(leftNorm, encoder.cosineEps()) * Math.max(rightNorm, encoder.cosineEps())));
        }
        float[] activated = new float[gaps * hidden];
        gemm.multiply(fused, 0, 4 * d + 1, gaps, mlp.weight0(), activated, 0);
        float[] bias0 = small.of(mlp.bias0());
        float[] weight2 = small.of(mlp.weight2());
        float bias2 = small.of(mlp.bias2())[0];
        for (int g = 0; g < gaps; g++) {
            for (int h = 0; h < hidden; h++) {
                activated[g * hidden + h] = Math.max(0, activated[g * hidden + h] + bias0[h]);
            }
            logits[from + g] = kernels.dot(activated, g * hidden, weight2, 0, hidden) + bias2;
        }
    }

    private final class AttentionEncoder implements Encoder {
        private final BoundaryPredictorWeights.Attention weights;
        private final int length;
        private final float[] qkv;

        AttentionEncoder(BoundaryPredictorWeights.Attention weights, float[] features, int length) {
            this.weights = weights;
            this.length = length;
            this.qkv = linear(features, length, weights.attention().inProjWeight(), weights.attention().inProjBias());
        }

        @Override
        public int dim() {
            return weights.channels();
        }

        @Override
        public double cosineEps() {
            return 1e-6;
        }

        @Override
        public void encode(int from, int to, float[] sides) {
            int channels = weights.channels();
            int heads = weights.attention().heads();
            int tokens = 2 * weights.window();
            int first = from - weights.window() + 1;
            float[] padded = padded(first, to - from + tokens - 1);
            float[] valuePanels = outProjectedValues(padded, to - from + tokens - 1);
            float[] outBias = small.of(weights.attention().outProjBias());
            float[] encoded = new float[(to - from) * tokens * channels];
            int mr = kernels.rows();
            int nr = kernels.columns();
            int panels = (channels + nr - 1) / nr;
            int depth = tokens * heads;
            workers.run(to - from, (gap, worker) -> {
                float[] probabilities = windowProbabilities(padded, gap * 3 * channels, tokens, weights.attention());
                float[] tile = new float[mr * nr];
                for (int i0 = 0; i0 < tokens; i0 += mr) {
                    int rows = Math.min(mr, tokens - i0);
                    // row panel [tokens * heads][mr]
                    float[] a = new float[depth * mr];
                    for (int k = 0; k < depth; k++) {
                        for (int r = 0; r < rows; r++) {
                            a[k * mr + r] = probabilities[k * tokens + i0 + r];
                        }
                    }
                    for (int p = 0; p < panels; p++) {
                        kernels.gemmTile(a, 0, valuePanels, (p * (to - from + tokens - 1) + gap) * heads * nr, depth, tile, 0, nr, false);
                        int columns = Math.min(nr, channels - p * nr);
                        for (int r = 0; r < rows; r++) {
                            int at = (gap * tokens + i0 + r) * channels + p * nr;
                            for (int c = 0; c < columns; c++) {
                                encoded[at + c] = tile[r * nr + c] + outBias[p * nr + c];
                            }
                        }
                    }
                }
            });
            layerNorm(encoded, weights.norm());
            pool(encoded, to - from, weights.window(), channels, weights.poolGate(), sides);
        }

        /// In-projections of `count` tokens from `first`, `[count, 3C]`; outside the sequence they are the biases.
        private float[] padded(int first, int count) {
            int width = 3 * weights.channels();
            float[] inBias = small.of(weights.attention().inProjBias());
            float[] padded = new float[count * width];
            for (int n = 0; n < count; n++) {
                boolean inside = first + n >= 0 && first + n < length;
                System.arraycopy(inside ? qkv : inBias, inside ? (first + n) * width : 0, padded, n * width, width);
            }
            return padded;
        }

        /// `Wₕ vₕⱼ` of every token and head as column panels, `[panels][tokens * heads][columns()]`.
        private float[] outProjectedValues(float[] padded, int count) {
            int channels = weights.channels();
            int heads = weights.attention().heads();
            int headDim = channels / heads;
            int nr = kernels.columns();
            int panels = (channels + nr - 1) / nr;
            float[] valuePanels = new float[panels * count * heads * nr];
            float[] projected = new float[count * channels];
            for (int head = 0; head < heads; head++) {
                int h = head;
                gemm.multiplyColumns(padded, 2 * channels + h * headDim, 3 * channels, count, weights.attention().outProjWeight(), h * headDim, headDim, projected, 0);
                workers.run(count, (n, worker) -> {
                    for (int p = 0; p < panels; p++) {
                        System.arraycopy(projected, n * channels + p * nr, valuePanels, ((p * count + n) * heads + h) * nr, Math.min(nr, channels - p * nr));
                    }
                });
            }
            return valuePanels;
        }
    }

    private final class StackEncoder implements Encoder {
        private final BoundaryPredictorWeights.Stack weights;
        private final float[] features;
        private final int length;

        StackEncoder(BoundaryPredictorWeights.Stack weights, float[] features, int length) {
            this.weights = weights;
            this.features = features;
            this.length = length;
        }

        @Override
        public int dim() {
            return weights.channels();
        }

        @Override
        public double cosineEps() {
            return 1e-8;
        }

        /// With w = 4 a matrix product then has 512 rows.
        @Override
        public int batch() {
            return 64;
        }

        @Override
        public void encode(int from, int to, float[] sides) {
            int channels = weights.channels();
            int tokens = 2 * weights.window();
            int rows = (to - from) * tokens;
            float[] x = new float[rows * channels];
            for (int row = 0; row < rows; row++) {
                int token = from + row / tokens - weights.window() + 1 + row % tokens;
                if (token >= 0 && token < length) {
                    System.arraycopy(features, token * channels, x, row * channels, channels);
                }
            }
            for (BoundaryPredictorWeights.Stack.Block block : weights.blocks()) {
                float[] normed = x.clone();
                layerNorm(normed, weights.sharedNorm());
                float[] qkv = linear(normed, rows, block.attention().inProjWeight(), block.attention().inProjBias());
                float[] context = new float[rows * channels];
                workers.run(to - from, (gap, worker) -> windowAttention(
                        Arrays.copyOfRange(qkv, gap * tokens * 3 * channels, (gap + 1) * tokens * 3 * channels),
                        tokens, block.attention(), context, gap * tokens * channels));
                float[] branch = linear(context, rows, block.attention().outProjWeight(), block.attention().outProjBias());
                layerNorm(branch, block.norm());
                kernels.axpy(1f, branch, 0, x, 0, x.length);
            }
            pool(x, to - from, weights.window(), channels, weights.poolGate(), sides);
        }
    }

    private final class CnnEncoder implements Encoder {
        private final BoundaryPredictorWeights.Cnn weights;
        private final float[] features;
        private final int length;

        CnnEncoder(BoundaryPredictorWeights.Cnn weights, float[] features, int length) {
            this.weights = weights;
            this.features = features;
            this.length = length;
        }

        @Override
        public int dim() {
            return Math.toIntExact(weights.pointwiseBias().dim(0));
        }

        @Override
        public double cosineEps() {
            return 1e-6;
        }

        @Override
        public void encode(int from, int to, float[] sides) {
            int channels = weights.channels();
            int w = weights.window();
            float[] depthwise = small.of(weights.depthwiseWeight());
            float[] depthwiseBias = small.of(weights.depthwiseBias());
            float[] pointwise = small.of(weights.pointwiseWeight());
            float[] pointwiseBias = small.of(weights.pointwiseBias());
            workers.run(2 * (to - from), (side, worker) -> {
                int first = from + side / 2 + (side % 2 == 0 ? 1 - w : 1);
                float[] filtered = depthwiseBias.clone();
                for (int n = 0; n < w; n++) {
                    int token = first + n;
                    for (int c = 0; c < channels && token >= 0 && token < length; c++) {
                        filtered[c] += depthwise[c * w + n] * features[token * channels + c];
                    }
                }
                for (int c = 0; c < channels; c++) {
                    filtered[c] = Math.max(0, filtered[c]);
                }
                for (int d = 0; d < dim(); d++) {
                    sides[side * dim() + d] = Math.max(0, kernels.dot(pointwise, d * channels, filtered, 0, channels) + pointwiseBias[d]);
                }
            });
        }
    }

    /// `x Wᵀ + b`.
    private float[] linear(float[] x, int rows, WeightTensor weight, WeightTensor bias) {
        int out = Math.toIntExact(weight.dim(0));
        float[] y = new float[rows * out];
        gemm.multiply(x, 0, Math.toIntExact(weight.dim(1)), rows, weight, y, 0);
        float[] b = small.of(bias);
        workers.run(rows, (row, worker) -> kernels.axpy(1f, b, 0, y, row * out, out));
        return y;
    }

    /// Multi-head attention among the tokens of one window.
    ///
    /// @param qkv     `[tokens, 3C]` (read)
    /// @param context `[tokens, C]` from `at`; was zero, accumulated into
    private void windowAttention(float[] qkv, int tokens, SelfAttention attention, float[] context, int at) {
        int channels = attention.channels();
        int headDim = channels / attention.heads();
        float[] weights = new float[tokens];
        for (int h = 0; h < attention.heads(); h++) {
            for (int i = 0; i < tokens; i++) {
                float max = Float.NEGATIVE_INFINITY;
                for (int j = 0; j < tokens; j++) {
                    weights[j] = kernels.dot(qkv, i * 3 * channels + h * headDim, qkv, j * 3 * channels + channels + h * headDim, headDim)
                            / (float) Math.sqrt(headDim);
                    max = Math.max(max, weights[j]);
                }
                softmax(weights, max);
                for (int j = 0; j < tokens; j++) {
                    kernels.axpy(weights[j], qkv, j * 3 * channels + 2 * channels + h * headDim, context, at + i * channels + h * headDim, headDim);
                }
            }
        }
    }

    /// Softmax weights among the tokens of one window.
    ///
    /// @param qkv `[tokens, 3C]` from `at` (read)
    /// @return `[key token, head, query token]`
    private float[] windowProbabilities(float[] qkv, int at, int tokens, SelfAttention attention) {
        int channels = attention.channels();
        int heads = attention.heads();
        int headDim = channels / heads;
        float scale = (float) (1 / Math.sqrt(headDim));
        float[] weights = new float[tokens];
        float[] all = new float[tokens * heads * tokens];
        for (int h = 0; h < heads; h++) {
            for (int i = 0; i < tokens; i++) {
                float max = Float.NEGATIVE_INFINITY;
                for (int j = 0; j < tokens; j++) {
                    weights[j] = scale * kernels.dot(qkv, at + i * 3 * channels + h * headDim, qkv, at + j * 3 * channels + channels + h * headDim, headDim);
                    max = Math.max(max, weights[j]);
                }
                softmax(weights, max);
                for (int j = 0; j < tokens; j++) {
                    all[(j * heads + h) * tokens + i] = weights[j];
                }
            }
        }
        return all;
    }

    private static void softmax(float[] logits, float max) {
        float sum = 0;
        for (int j = 0; j < logits.length; j++) {
            logits[j] = (float) Math.exp(logits[j] - max);
            sum += logits[j];
        }
        for (int j = 0; j < logits.length; j++) {
            logits[j] /= sum;
        }
    }

    /// In place, over the channels of every row.
    private void layerNorm(float[] x, LayerNorm norm) {
        float[] weight = small.of(norm.weight());
        float[] bias = small.of(norm.bias());
        int channels = weight.length;
        float[] ones = new float[channels];
        Arrays.fill(ones, 1f);
        workers.run(x.length / channels, (row, worker) -> {
            int at = row * channels;
            kernels.axpy(-kernels.dot(x, at, ones, 0, channels) / channels, ones, 0, x, at, channels);
            float inverse = (float) (1 / Math.sqrt(kernels.dot(x, at, x, at, channels) / channels + LAYER_NORM_EPS));
            for (int c = 0; c < channels; c++) {
                x[at + c] = x[at + c] * inverse * weight[c] + bias[c];
            }
        });
    }

    /// Mean, or gated mean, of the w tokens on each side of every gap.
    private void pool(float[] encoded, int gaps, int w, int channels, Optional<WeightTensor> gate, float[] sides) {
        float[] gateWeights = gate.map(small::of).orElse(null);
        workers.run(2 * gaps, (side, worker) -> {
            float[] weights = new float[w];
            Arrays.fill(weights, 1f / w);
            if (gateWeights != null) {
                float max = Float.NEGATIVE_INFINITY;
                for (int n = 0; n < w; n++) {
                    weights[n] = kernels.dot(gateWeights, 0, encoded, (side * w + n) * channels, channels);
                    max = Math.max(max, weights[n]);
                }
                softmax(weights, max);
            }
            for (int n = 0; n < w; n++) {
                kernels.axpy(weights[n], encoded, (side * w + n) * channels, sides, side * channels, channels);
            }
        });
    }
}
