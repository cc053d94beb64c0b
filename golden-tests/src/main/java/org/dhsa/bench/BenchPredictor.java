package org.dhsa.bench;

import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Optional;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.tensor.Tensor;

/// A boundary predictor of the published shape with made-up weights: one attention block, window 4, 8 heads.
final class BenchPredictor {

    static final int WINDOW = 4;
    private static final int HEADS = 8;
    private static final int MLP = 256;

    /// Share of the positions whose logit is above theta. With suppression inside 8 tokens about one boundary in 30 tokens is left.
    private static final double CANDIDATES = 0.05;

    private BenchPredictor() {}

    /// @param channels kvHeads times headDim
    static BoundaryPredictorWeights random(Arena arena, int channels) {
        BenchData data = new BenchData();
        int c = channels;
        double scale = Math.sqrt(3.0 / c);
        return new BoundaryPredictorWeights.Attention(WINDOW,
                new BoundaryPredictorWeights.SelfAttention(HEADS, data.weight(arena, scale, 3 * c, c), data.weight(arena, 0.1, 3 * c),
                        data.weight(arena, scale, c, c), data.weight(arena, 0.1, c)),
                new BoundaryPredictorWeights.LayerNorm(data.weight(arena, 1, c), data.weight(arena, 0.1, c)),
                Optional.empty(),
                new BoundaryPredictorWeights.DecisionMlp(data.weight(arena, scale / 2, MLP, 4 * c + 1), data.weight(arena, 0.1, MLP),
                        data.weight(arena, Math.sqrt(3.0 / MLP), 1, MLP), data.weight(arena, 0.1, 1)));
    }

    /// A threshold that a realistic number of these logits is above.
    static double theta(Tensor logits) {
        double[] sorted = logits.toDouble().data().clone();
        Arrays.sort(sorted);
        return sorted[(int) (sorted.length * (1 - CANDIDATES))];
    }
}
