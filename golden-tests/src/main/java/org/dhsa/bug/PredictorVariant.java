package org.dhsa.bug;

import java.util.Arrays;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.reference.dhsa.BoundaryPredictionReference;
import org.dhsa.reference.dhsa.WindowEncoder;
import org.dhsa.reference.ejml.Linear;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// The attention predictor with its parts exposed, so that a bug can replace one.
///
/// @param padMasked     rows of tokens outside the sequence are hidden from the window's attention
/// @param residual      the window is added to what its attention gave, before the LayerNorm
/// @param withoutNorm   no LayerNorm
/// @param firstOffset   first token of the window, relative to the judged position, is `firstOffset - w`; 1 is right
record PredictorVariant(boolean padMasked, boolean residual, boolean withoutNorm, int firstOffset) {

    /// Right in every part.
    static final PredictorVariant RIGHT = new PredictorVariant(false, false, false, 1);

    private static final double LAYER_NORM_EPS = 1e-5;

    DoubleTensor logits(BoundaryPrediction.Input in, BoundaryPredictorWeights.Attention weights) {
        DoubleTensor features = BoundaryPredictionReference.features(in.key().toDouble());
        int length = features.shape().extent("keyLen");
        double[] logits = new double[length];
        for (int p = 0; p < length; p++) {
            // the reference's window of p starts at p - w + 1
            double[] window = BoundaryPredictionReference.window(features, p + firstOffset - 1, weights.window());
            double[] encoded = encode(window, p + firstOffset - weights.window(), length, weights);
            WindowEncoder.Sides sides = new WindowEncoder.Sides(pool(encoded, 0, weights), pool(encoded, weights.window(), weights));
            logits[p] = decide(BoundaryPredictionReference.fuse(sides, 1e-6), weights.mlp());
        }
        return DoubleTensor.of(Shape.of("keyLen", length), logits);
    }

    private double[] encode(double[] window, int firstToken, int length, BoundaryPredictorWeights.Attention weights) {
        double[] y = attend(window, firstToken, length, weights.attention());
        if (residual) {
            for (int i = 0; i < y.length; i++) {
                y[i] += window[i];
            }
        }
        return withoutNorm ? y : layerNorm(y, weights.norm());
    }

    private double[] attend(double[] x, int firstToken, int length, BoundaryPredictorWeights.SelfAttention weights) {
        int channels = weights.channels();
        int n = x.length / channels;
        double[] qkv = linear(x, n, weights.inProjWeight().widen(), weights.inProjBias().widen());
        int headDim = channels / weights.heads();
        double[] context = new double[x.length];
        for (int h = 0; h < weights.heads(); h++) {
            for (int i = 0; i < n; i++) {
                double[] w = new double[n];
                for (int j = 0; j < n; j++) {
                    boolean outside = firstToken + j < 0 || firstToken + j >= length;
                    for (int d = h * headDim; d < (h + 1) * headDim; d++) {
                        w[j] += qkv[i * 3 * channels + d] * qkv[j * 3 * channels + channels + d] / Math.sqrt(headDim);
                    }
                    w[j] = padMasked && outside ? Double.NEGATIVE_INFINITY : w[j];
                }
                double max = Arrays.stream(w).max().orElse(0);
                double sum = Arrays.stream(w).map(s -> Math.exp(s - max)).sum();
                for (int j = 0; j < n; j++) {
                    for (int d = h * headDim; d < (h + 1) * headDim; d++) {
                        context[i * channels + d] += Math.exp(w[j] - max) / sum * qkv[j * 3 * channels + 2 * channels + d];
                    }
                }
            }
        }
        return linear(context, n, weights.outProjWeight().widen(), weights.outProjBias().widen());
    }

    private static double[] layerNorm(double[] x, BoundaryPredictorWeights.LayerNorm weights) {
        double[] weight = weights.weight().widen();
        double[] bias = weights.bias().widen();
        double[] y = new double[x.length];
        for (int row = 0; row < x.length; row += weight.length) {
            double mean = Arrays.stream(x, row, row + weight.length).sum() / weight.length;
            double variance = Arrays.stream(x, row, row + weight.length).map(v -> (v - mean) * (v - mean)).sum() / weight.length;
            for (int c = 0; c < weight.length; c++) {
                y[row + c] = (x[row + c] - mean) / Math.sqrt(variance + LAYER_NORM_EPS) * weight[c] + bias[c];
            }
        }
        return y;
    }

    private static double[] pool(double[] tokens, int first, BoundaryPredictorWeights.Attention weights) {
        int channels = weights.channels();
        double[] share = new double[weights.window()];
        Arrays.fill(share, 1.0 / share.length);
        if (weights.poolGate().isPresent()) {
            double[] gate = weights.poolGate().get().widen();
            for (int t = 0; t < share.length; t++) {
                double score = 0;
                for (int c = 0; c < channels; c++) {
                    score += gate[c] * tokens[(first + t) * channels + c];
                }
                share[t] = Math.exp(score);
            }
            double sum = Arrays.stream(share).sum();
            for (int t = 0; t < share.length; t++) {
                share[t] /= sum;
            }
        }
        double[] pooled = new double[channels];
        for (int t = 0; t < share.length; t++) {
            for (int c = 0; c < channels; c++) {
                pooled[c] += share[t] * tokens[(first + t) * channels + c];
            }
        }
        return pooled;
    }

    private static double decide(double[] fused, BoundaryPredictorWeights.DecisionMlp mlp) {
        double[] hidden = linear(fused, 1, mlp.weight0().widen(), mlp.bias0().widen());
        double[] last = mlp.weight2().widen();
        double logit = mlp.bias2().get(0);
        for (int h = 0; h < hidden.length; h++) {
            logit += last[h] * Math.max(0, hidden[h]);
        }
        return logit;
    }

    private static double[] linear(double[] x, int rows, double[] weight, double[] bias) {
        double[] y = Linear.multTransB(x, rows, weight, bias.length, x.length / rows);
        for (int i = 0; i < y.length; i++) {
            y[i] += bias[i % bias.length];
        }
        return y;
    }
}
