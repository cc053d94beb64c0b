package org.dhsa.policy;

import org.dhsa.reference.labels.MeanAttention;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.DenseAttention;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// The true attention weights of a layer, one row at a time: what oracles choose by and measures compare with.
///
///     a(h, i, ·) = softmax over the visible keys of  cap · tanh(scale · q·k / cap)
///
/// **Shapes** query `[heads, queryLen, headDim]`, key `[kvHeads, keyLen, headDim]` (read); a row is `[visible keys]` (new).
/// **Reading** no `[queryLen, keyLen]` matrix is ever made, so 100 000 tokens need 100 000 numbers at a time. Products are added
/// channel by channel, as [org.dhsa.reference.gemma.AttentionRow] adds them; the result is the same to the last bit.
public final class AttentionWeights {

    private final DoubleTensor query;
    private final double[][] channels;
    private final AttentionRule rule;
    private final int group;
    private final int keyLen;
    private final int headDim;

    public AttentionWeights(Tensor query, Tensor key, AttentionRule rule) {
        DenseAttention.requireAttentionShapes(query, key, key);
        this.query = query.toDouble();
        this.rule = rule;
        this.keyLen = key.shape().extent("keyLen");
        this.headDim = key.shape().extent("headDim");
        int kvHeads = key.shape().extent("kvHeads");
        this.group = query.shape().extent("heads") / kvHeads;
        // [kvHeads * headDim][keyLen]: the inner loop runs along the keys
        this.channels = new double[kvHeads * headDim][keyLen];
        double[] keys = key.toDouble().data();
        for (int g = 0; g < kvHeads; g++) {
            for (int j = 0; j < keyLen; j++) {
                for (int d = 0; d < headDim; d++) {
                    channels[g * headDim + d][j] = keys[(g * keyLen + j) * headDim + d];
                }
            }
        }
    }

    /// Position of the first key that a query position sees.
    public int first(int position) {
        return Math.max(rule.keyStart(), rule.visibility().first(position));
    }

    /// One past the position of the last key that a query position sees.
    public int end(int position) {
        return Math.min(position + 1, rule.keyStart() + keyLen);
    }

    /// Capped logits of one row: entry n belongs to key `first(position) + n`.
    public double[] logits(int head, int position) {
        int from = first(position) - rule.keyStart();
        int count = Math.max(0, end(position) - first(position));
        double[] logits = new double[count];
        int q = (head * query.shape().extent(1) + position - rule.queryStart()) * headDim;
        for (int d = 0; d < headDim; d++) {
            double factor = query.data()[q + d];
            double[] channel = channels[head / group * headDim + d];
            for (int n = 0; n < count; n++) {
                logits[n] += factor * channel[from + n];
            }
        }
        for (int n = 0; n < count; n++) {
            logits[n] = rule.logit(logits[n]);
        }
        return logits;
    }

    /// Weights of one row, which sum to 1: entry n belongs to key `first(position) + n`.
    public double[] row(int head, int position) {
        double[] weights = logits(head, position);
        MeanAttention.softmax(weights);
        return weights;
    }
}
