package org.dhsa.reference.dhsa;

import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.reference.ejml.Linear;
import org.dhsa.stage.BoundaryPrediction;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// Boundary prediction: one logit per gap between two tokens.
///
///     l, r = encode(x_{p−w+1} … x_{p+w})        f = [l, r, |l − r|, l ⊙ r, cos(l, r)]
///     logitₚ = W₂ relu(W₀ f + b₀) + b₂
///
/// **Shapes** key `[kvHeads, keyLen, headDim]` (read), logits `[keyLen]` (new); one window is `[2w, C]`, C = kvHeads · headDim.
/// **Reading** every position is judged on its own from 2w tokens; zeros stand in for tokens outside the sequence.
/// **Golden** `predictor/attn_0` (attention), `predictor/cnn_4`, `predictor/stack_6`.
/// **Pitfall** the zero rows are not masked: they take part in the window's attention. The number of heads is not in the
/// weights: 4 and 8 heads have the same shapes and different results.
public final class BoundaryPredictionReference implements BoundaryPrediction {

    @Override
    public Output apply(Input in) {
        DoubleTensor features = features(in.key().toDouble());
        int length = features.shape().extent("keyLen");
        WindowEncoder encoder = WindowEncoder.of(in.predictor());
        DecisionMlp mlp = new DecisionMlp(in.predictor().mlp());
        double[] logits = new double[length];
        for (int p = 0; p < length; p++) {
            double[] window = window(features, p, in.predictor().window());
            logits[p] = mlp.logit(fuse(encoder.encode(window), encoder.cosineEps()));
        }
        return new Output(DoubleTensor.of(Shape.of("keyLen", length), logits));
    }

    /// Keys of all KV heads laid end to end: `[kvHeads, keyLen, headDim]` to `[keyLen, channels]`.
    public static DoubleTensor features(DoubleTensor key) {
        int kvHeads = key.shape().extent("kvHeads");
        int length = key.shape().extent("keyLen");
        int headDim = key.shape().extent("headDim");
        return key.swapFirstTwo(Shape.of("keyLen", length, "kvHeads", kvHeads, "headDim", headDim))
                .reshape(Shape.of("keyLen", length, "channels", kvHeads * headDim));
    }

    /// Tokens `p-w+1 .. p+w` as `[2w, C]`, zeros outside the sequence.
    public static double[] window(DoubleTensor features, int p, int w) {
        int length = features.shape().extent("keyLen");
        int channels = features.shape().extent("channels");
        double[] window = new double[2 * w * channels];
        for (int n = 0; n < 2 * w; n++) {
            int token = p - w + 1 + n;
            if (token >= 0 && token < length) {
                System.arraycopy(features.data(), token * channels, window, n * channels, channels);
            }
        }
        return window;
    }

    /// `[left, right, |left − right|, left ⊙ right, cosine]`.
    public static double[] fuse(WindowEncoder.Sides sides, double cosineEps) {
        int d = sides.left().length;
        double[] fused = new double[4 * d + 1];
        for (int c = 0; c < d; c++) {
            double left = sides.left()[c];
            double right = sides.right()[c];
            fused[c] = left;
            fused[d + c] = right;
            fused[2 * d + c] = Math.abs(left - right);
            fused[3 * d + c] = left * right;
        }
        fused[4 * d] = cosine(sides.left(), sides.right(), cosineEps);
        return fused;
    }

    /// `l·r / (max(|l|, eps) · max(|r|, eps))`.
    public static double cosine(double[] left, double[] right, double eps) {
        double dot = 0;
        double leftSquared = 0;
        double rightSquared = 0;
        for (int c = 0; c < left.length; c++) {
            dot += left[c] * right[c];
            leftSquared += left[c] * left[c];
            rightSquared += right[c] * right[c];
        }
        return dot / (Math.max(Math.sqrt(leftSquared), eps) * Math.max(Math.sqrt(rightSquared), eps));
    }

    /// Linear, ReLU, linear to one value.
    private static final class DecisionMlp {
        private final double[] weight0;
        private final double[] bias0;
        private final double[] weight2;
        private final double bias2;

        DecisionMlp(BoundaryPredictorWeights.DecisionMlp weights) {
            weight0 = weights.weight0().widen();
            bias0 = weights.bias0().widen();
            weight2 = weights.weight2().widen();
            bias2 = weights.bias2().get(0);
        }

        double logit(double[] fused) {
            double[] hidden = Linear.multTransB(fused, 1, weight0, bias0.length, fused.length);
            double logit = bias2;
            for (int h = 0; h < hidden.length; h++) {
                logit += weight2[h] * Math.max(0, hidden[h] + bias0[h]);
            }
            return logit;
        }
    }
}
