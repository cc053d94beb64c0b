package org.dhsa.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.dhsa.stage.KeySelection;

/// SampleAttention: columns that hold a share of the mass of sampled rows, and a window.
///
///     sampled  = rows L − 1 − m · ⌊L / n⌋ for m < n, n = ⌈r_row · L⌉        equal distances, the last row among them
///     columns  = the fewest j with Σ_j Σ_sampled a(i, j) ≥ alpha · all, best first
///     keys(i)  = { j ≤ i : j in columns, or i − j < ⌈r_window · L⌉ }
///
/// **Source** SampleAttention (arXiv 2406.15486), algorithm 1. **Unit** a column (a stripe in the paper's words); every query head for itself.
/// **Budget** adaptive: a share of the sampled mass, and a window that grows with the prompt. **Cost of selecting** the exact logits of the sampled rows.
/// **Defaults** alpha 0.95, r_row 0.05, r_window 0.08: from memory of the paper. No public code and no page that states them was found; the abstract has the window as a fixed
/// share of the tokens and the two stages (sample rows, then keep the fewest columns), not the numbers.
/// **Simplified** columns are counted one by one, whatever a kernel would round to. No recording of official code holds it. The
/// weights are the model's own, with its scale, soft cap and window. On a local layer a column that has left a row's window is not read. Rows of a block share a list, as
/// tiles do in a kernel; a block of 1 is the method itself. Decoding is dense, as in the paper.
///
/// @param alpha   share of the sampled mass that the columns hold, above 0 and at most 1
/// @param rRow    share of the rows that are sampled, above 0 and at most 1
/// @param rWindow share of the prompt that the window holds, above 0 and at most 1
/// @param block   rows that share a list; above 1 a row reads up to `block − 1` keys more
public record SampleAttentionPolicy(double alpha, double rRow, double rWindow, int block) implements SelectionPolicy {

    public SampleAttentionPolicy {
        Lists.share("alpha", alpha);
        Lists.share("r_row", rRow);
        Lists.share("r_window", rWindow);
        Lists.positive("block", block);
    }

    @Override
    public String name() {
        return "sample-attention:alpha=" + alpha + ",r_row=" + rRow + ",r_window=" + rWindow + ",block=" + block;
    }

    @Override
    public Selector open(int[] promptIds) {
        return layer -> layer.decoding() ? DensePolicy.everything(layer) : select(layer);
    }

    private LayerSelection select(LayerState layer) {
        int length = layer.end();
        int window = (int) Math.ceil(rWindow * length);
        int[] sampled = sampled(length);
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        List<KeySelection> perHead = new ArrayList<>();
        for (int h = 0; h < layer.heads(); h++) {
            double[] mass = mass(weights, h, sampled, length);
            boolean[] columns = Lines.flags(Lists.best(mass, 0, OraclePolicy.countFor(mass, alpha)), length);
            perHead.add(Lists.each(layer.blocks(block), rows -> Lines.where(layer, rows, j -> columns[j] || j > rows.start() - window)));
        }
        long pairs = IntStream.of(sampled).mapToLong(i -> i - layer.firstVisible(i) + 1).sum();
        return new LayerSelection(perHead, layer.heads(), Math.multiplyExact(pairs, 2L * layer.headDim() * layer.heads()));
    }

    /// Positions of the sampled rows, ascending.
    int[] sampled(int length) {
        int count = (int) Math.ceil(rRow * length);
        int distance = length / count;
        return IntStream.range(0, count).map(n -> length - 1 - (count - 1 - n) * distance).toArray();
    }

    /// Mass that each key gets from the sampled rows.
    private static double[] mass(AttentionWeights weights, int head, int[] sampled, int length) {
        double[] mass = new double[length];
        for (int position : sampled) {
            double[] row = weights.row(head, position);
            for (int n = 0; n < row.length; n++) {
                mass[weights.first(position) + n] += row[n];
            }
        }
        return mass;
    }
}
