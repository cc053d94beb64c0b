package org.dhsa.policy;

import java.util.Optional;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.WeightTensor;

/// Floating-point operations of boundary prediction, exactly, from shapes. A multiply-add counts two.
///
///     C channels, w window, n = 2w tokens around a gap, d channels of a side, H hidden units
///
///     attention   tokens · 6C²  +  gaps · (4n²C + 2nC² + pooling + decision)
///     stack       the same with 4n²C + 2nC² for every block, and n · 6C² per gap for every block but the first
///     cnn         gaps · 2 · (2wC + 2Cd) + gaps · decision
///     pooling     nC, with a gate 4nC
///     decision    8d + 2(4d + 1)H + 2H          (two features of the sides, three dot products of the cosine, two layers)
///
/// The in-projection of the first block is the same in every window that holds the token, so it is counted once per token; all else
/// depends on the window and is counted for each. Norms, softmax, biases, ReLU and residuals are left out, as they are everywhere.
public final class PredictorCost {

    private PredictorCost() {}

    /// @param tokens whose states go in
    /// @param gaps   that are judged; in a prompt, one after every token
    public static long flops(BoundaryPredictorWeights predictor, int tokens, int gaps) {
        return flops(predictor, predictor.channels(), tokens, gaps);
    }

    /// The same architecture, window and hidden size on a model with another number of channels (KV heads times head size).
    public static long flops(BoundaryPredictorWeights predictor, int channels, int tokens, int gaps) {
        long c = channels;
        long w = predictor.window();
        long n = 2 * w;
        long windowed = 4 * n * n * c + 2 * n * c * c;
        return switch (predictor) {
            case BoundaryPredictorWeights.Attention a -> tokens * 6 * c * c + gaps * (windowed + pooling(a.poolGate(), n * c) + decision(predictor, c));
            case BoundaryPredictorWeights.Stack s -> {
                long blocks = s.blocks().size();
                yield tokens * 6 * c * c + gaps * (blocks * windowed + (blocks - 1) * n * 6 * c * c + pooling(s.poolGate(), n * c) + decision(predictor, c));
            }
            case BoundaryPredictorWeights.Cnn cnn -> {
                long d = cnn.pointwiseBias().dim(0) * c / predictor.channels();
                yield gaps * (2 * (2 * w * c + 2 * c * d) + decision(predictor, d));
            }
        };
    }

    private static long pooling(Optional<WeightTensor> gate, long values) {
        return gate.isPresent() ? 4 * values : values;
    }

    private static long decision(BoundaryPredictorWeights predictor, long d) {
        long hidden = predictor.mlp().weight0().dim(0);
        return 8 * d + 2 * (4 * d + 1) * hidden + 2 * hidden;
    }
}
