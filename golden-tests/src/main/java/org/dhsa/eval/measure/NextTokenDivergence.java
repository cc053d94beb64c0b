package org.dhsa.eval.measure;

import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Kullback-Leibler divergence of the next token: how far a sparse model's guess is from the dense model's.
///
///     KL(p ‖ q) = Σ p log(p / q)       p = softmax(dense logits), q = softmax(sparse logits), natural logarithm
///
/// **Shapes** both `[queryLen, vocab]` (read), result `[queryLen]` (new). 0 where they agree, in nats.
public final class NextTokenDivergence {

    private NextTokenDivergence() {}

    /// One value per row.
    public static double[] of(Tensor denseLogits, Tensor sparseLogits) {
        if (!denseLogits.shape().equals(sparseLogits.shape())) {
            throw new IllegalArgumentException("dense logits " + denseLogits.shape() + ", but sparse logits " + sparseLogits.shape());
        }
        int rows = denseLogits.shape().require("queryLen", "vocab").extent("queryLen");
        DoubleTensor dense = denseLogits.toDouble();
        DoubleTensor sparse = sparseLogits.toDouble();
        double[] divergence = new double[rows];
        for (int row = 0; row < rows; row++) {
            divergence[row] = of(dense.rows(row, row + 1).data(), sparse.rows(row, row + 1).data());
        }
        return divergence;
    }

    /// One row of logits each.
    public static double of(double[] denseLogits, double[] sparseLogits) {
        double denseNorm = logSumExp(denseLogits);
        double sparseNorm = logSumExp(sparseLogits);
        double sum = 0;
        for (int i = 0; i < denseLogits.length; i++) {
            double logP = denseLogits[i] - denseNorm;
            sum += Math.exp(logP) * (logP - (sparseLogits[i] - sparseNorm));
        }
        // rounding may leave equal distributions a little below 0
        return Math.max(0, sum);
    }

    private static double logSumExp(double[] logits) {
        double max = Double.NEGATIVE_INFINITY;
        for (double logit : logits) {
            max = Math.max(max, logit);
        }
        double sum = 0;
        for (double logit : logits) {
            sum += Math.exp(logit - max);
        }
        return max + Math.log(sum);
    }
}
