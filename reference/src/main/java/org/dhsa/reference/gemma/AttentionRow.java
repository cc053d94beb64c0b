package org.dhsa.reference.gemma;

import org.dhsa.stage.AttentionRule;
import org.dhsa.tensor.DoubleTensor;

/// Attention of one query row of one head over a given list of keys: what dense and sparse attention share.
///
///     sⱼ = cap · tanh(scale · q·kⱼ / cap)
///     o  = Σⱼ softmax(s)ⱼ vⱼ
///
/// The list may hold a key more than once; then it counts more than once. An empty list leaves zeros.
public final class AttentionRow {

    private final DoubleTensor query;
    private final DoubleTensor key;
    private final DoubleTensor value;
    private final AttentionRule rule;
    private final int queryLen;
    private final int keyLen;
    private final int headDim;
    private final int groups;

    /// @param query `[heads, queryLen, headDim]` (read)
    /// @param key   `[kvHeads, keyLen, headDim]` (read)
    /// @param value `[kvHeads, keyLen, headDim]` (read)
    public AttentionRow(DoubleTensor query, DoubleTensor key, DoubleTensor value, AttentionRule rule) {
        this.query = query;
        this.key = key;
        this.value = value;
        this.rule = rule;
        this.queryLen = query.shape().extent("queryLen");
        this.keyLen = key.shape().extent("keyLen");
        this.headDim = query.shape().extent("headDim");
        this.groups = query.shape().extent("heads") / key.shape().extent("kvHeads");
    }

    /// @param keyPositions absolute positions of the keys to read; the first `count` are valid
    /// @param context      `[heads, queryLen, headDim]`; row (head, row) is overwritten
    public void attend(int head, int row, int[] keyPositions, int count, DoubleTensor context) {
        double[] weights = new double[count];
        double max = Double.NEGATIVE_INFINITY;
        for (int n = 0; n < count; n++) {
            weights[n] = logit(head, row, keyPositions[n]);
            max = Math.max(max, weights[n]);
        }
        double sum = 0;
        for (int n = 0; n < count; n++) {
            weights[n] = Math.exp(weights[n] - max);
            sum += weights[n];
        }
        int out = (head * queryLen + row) * headDim;
        for (int n = 0; n < count; n++) {
            int v = keyRow(head, keyPositions[n]);
            double weight = weights[n] / sum;
            for (int d = 0; d < headDim; d++) {
                context.data()[out + d] += weight * value.data()[v + d];
            }
        }
    }

    /// Scaled and capped logit of one query and one key, before any mask.
    public double logit(int head, int row, int keyPosition) {
        int q = (head * queryLen + row) * headDim;
        int k = keyRow(head, keyPosition);
        double dot = 0;
        for (int d = 0; d < headDim; d++) {
            dot += query.data()[q + d] * key.data()[k + d];
        }
        return rule.logit(dot);
    }

    /// Query head h reads key/value head h / groups.
    private int keyRow(int head, int keyPosition) {
        return (head / groups * keyLen + keyPosition - rule.keyStart()) * headDim;
    }
}
