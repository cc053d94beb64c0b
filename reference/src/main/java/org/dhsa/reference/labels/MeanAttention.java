package org.dhsa.reference.labels;

import java.util.OptionalDouble;
import org.dhsa.reference.gemma.AttentionRow;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// Attention weights of a layer, averaged over the query heads: what labels are made of.
///
///     A = mean over heads of softmax(logits)
///
/// **Shapes** query `[heads, queryLen, headDim]`, key `[kvHeads, keyLen, headDim]` (read), result `[queryLen, keyLen]` (new).
/// **Reading** one softmax per head and row, then the mean; query head h reads key head `h / (heads / kvHeads)`.
/// **Golden** `labels/ratio_0`, tensor `attention`.
/// **Pitfall** the authors label with the scale 1/√headDim and no soft cap, and without any mask when none is passed; the
/// model itself attends otherwise.
public final class MeanAttention {

    private MeanAttention() {}

    /// The authors' rule: scale 1/√headDim, no soft cap, no window.
    public static AttentionRule upstreamRule(int headDim) {
        return new AttentionRule(1 / Math.sqrt(headDim), OptionalDouble.empty(), Visibility.GLOBAL, 0, 0);
    }

    /// @param masked false lets every query see every key, the future too, as the authors' code does without a mask
    public static DoubleTensor of(Tensor query, Tensor key, AttentionRule rule, boolean masked) {
        DoubleTensor q = query.toDouble();
        DoubleTensor k = key.toDouble();
        int heads = q.shape().require("heads", "queryLen", "headDim").extent("heads");
        int queryLen = q.shape().extent("queryLen");
        int keyLen = k.shape().require("kvHeads", "keyLen", "headDim").extent("keyLen");
        AttentionRow rows = new AttentionRow(q, k, k, rule);
        DoubleTensor mean = DoubleTensor.zeros(Shape.of("queryLen", queryLen, "keyLen", keyLen));
        for (int head = 0; head < heads; head++) {
            for (int row = 0; row < queryLen; row++) {
                double[] weights = new double[keyLen];
                for (int j = 0; j < keyLen; j++) {
                    boolean seen = !masked || rule.visibility().sees(rule.queryStart() + row, rule.keyStart() + j);
                    weights[j] = seen ? rows.logit(head, row, rule.keyStart() + j) : Double.NEGATIVE_INFINITY;
                }
                softmax(weights);
                for (int j = 0; j < keyLen; j++) {
                    mean.data()[row * keyLen + j] += weights[j] / heads;
                }
            }
        }
        return mean;
    }

    /// In place; entries of -infinity become 0. At least one entry must be finite.
    public static void softmax(double[] logits) {
        double max = Double.NEGATIVE_INFINITY;
        for (double logit : logits) {
            max = Math.max(max, logit);
        }
        double sum = 0;
        for (int j = 0; j < logits.length; j++) {
            logits[j] = Math.exp(logits[j] - max);
            sum += logits[j];
        }
        for (int j = 0; j < logits.length; j++) {
            logits[j] /= sum;
        }
    }
}
