package org.dhsa.policy;

/// Where the last queries of a prompt look: attention mass by column and by diagonal, of one head.
///
///     vertical[j] = Σ a(i, j)          over the last rows i
///     slash[d]    = Σ a(i, i − d)      over the same rows
///
/// **Shapes** both `[keyLen]` (new); a diagonal is named by its distance d ≥ 0, so `slash[0]` is what the rows give to themselves.
/// **Reading** the rows are the model's own weights, scaled, capped and masked ([AttentionWeights]). On a local layer no row sees a column
/// farther back than its window, so older columns and longer distances hold nothing.
/// **Golden** `flexprefill/*`, tensors `vertical_scores` (over the number of rows) and `slash_scores` (the same, longest distance first).
///
/// @param vertical mass by key position
/// @param slash    mass by distance
public record LineScores(double[] vertical, double[] slash) {

    /// Sums over the rows `[from, end)` of one head; `end` is the length of the prompt.
    public static LineScores of(AttentionWeights weights, int head, int from, int end) {
        LineScores sums = new LineScores(new double[end], new double[end]);
        for (int position = from; position < end; position++) {
            double[] row = weights.row(head, position);
            int first = weights.first(position);
            for (int n = 0; n < row.length; n++) {
                sums.vertical[first + n] += row[n];
                sums.slash[position - first - n] += row[n];
            }
        }
        return sums;
    }

    /// Operations of the logits of the rows `[from, end)`, every head.
    static long flops(LayerState layer, int from) {
        long pairs = 0;
        for (int position = from; position < layer.end(); position++) {
            pairs += position - layer.firstVisible(position) + 1;
        }
        return Math.multiplyExact(pairs, 2L * layer.headDim() * layer.heads());
    }
}
