package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;

/// The oracle: attend densely first, then keep what was large. An upper bound that costs what it should save.
///
///     m(i, j) = Σ a(h, r, j)    over the rows r of block i, and over the heads that share a list
///     keys(i) = top_budget( m(i, ·) )                              with a budget
///     keys(i) = shortest head of m(i, ·), best first, with Σ m ≥ mass · Σ all      with a mass (top-p)
///
/// `a` are the model's own weights: scaled, capped, masked. Among all lists of `budget` keys for these rows and heads none holds
/// more attention mass, by construction; equal weights lowest position first.
///
/// **Source** the upper bound that DHSA's reviewers asked for; per row and with shared heads it is the authors' `topk` baseline,
/// there with the query's own key forced in. **Unit** a key. **Budget** keys per row, or per block of rows. **Cost of selecting** all of
/// dense attention's logits: 2 · headDim operations per visible pair and head.
/// **Simplified** nothing is forced. With blocks of several rows an early row may be left without a key; it then gives zeros.
///
/// @param block       rows that share a list; 1 for an oracle per row
/// @param sharedHeads one list for all heads
/// @param budget      keys per list; 0 with a mass
/// @param mass        share of the attention mass to keep, above 0 and at most 1; 0 with a budget
public record OraclePolicy(int block, boolean sharedHeads, int budget, double mass) implements SelectionPolicy {

    public OraclePolicy {
        Lists.positive("block", block);
        if (budget < 0 || mass < 0 || mass > 1 || Double.isNaN(mass) || budget == 0 == (mass == 0)) {
            throw new IllegalArgumentException("either a positive budget or a mass above 0 and at most 1, was budget " + budget + ", mass " + mass);
        }
    }

    /// Every row and every head chooses for itself.
    public static OraclePolicy row(int budget) {
        return new OraclePolicy(1, false, budget, 0);
    }

    /// One list for all heads and all rows of a block, the freedom that DHSA has.
    public static OraclePolicy block(int block, int budget) {
        return new OraclePolicy(block, true, budget, 0);
    }

    /// The fewest keys per row and head that hold this share of the mass.
    public static OraclePolicy topP(double mass) {
        return new OraclePolicy(1, false, 0, mass);
    }

    @Override
    public String name() {
        String heads = ",heads=" + (sharedHeads ? "shared" : "each");
        if (mass > 0) {
            return String.format(Locale.ROOT, "oracle-topp:mass=%s,block=%d%s", mass, block, heads);
        }
        return (block == 1 ? "oracle-row:budget=" + budget : "oracle-block:budget=" + budget + ",block=" + block) + heads;
    }

    @Override
    public Selector open(int[] promptIds) {
        return this::select;
    }

    private LayerSelection select(LayerState layer) {
        QueryBlocks blocks = layer.blocks(block);
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        List<KeySelection> perHead = new ArrayList<>();
        for (int h = 0; h < (sharedHeads ? 1 : layer.heads()); h++) {
            int[] heads = sharedHeads ? IntStream.range(0, layer.heads()).toArray() : new int[] {h};
            perHead.add(Lists.each(blocks, b -> choose(b, heads, weights, layer)));
        }
        return new LayerSelection(perHead, layer.heads(), flops(layer, blocks));
    }

    private BlockSelection choose(QueryBlocks.Block rows, int[] heads, AttentionWeights weights, LayerState layer) {
        int first = layer.firstVisible(rows.start());
        double[] received = new double[rows.end() - first];
        for (int head : heads) {
            for (int position = rows.start(); position < rows.end(); position++) {
                double[] row = weights.row(head, position);
                int offset = weights.first(position) - first;
                for (int n = 0; n < row.length; n++) {
                    received[offset + n] += row[n];
                }
            }
        }
        return Lists.best(received, first, mass > 0 ? countFor(received, mass) : budget);
    }

    /// How many of the largest entries are needed for the share `mass` of their sum; at least one.
    static int countFor(double[] received, double mass) {
        double[] ascending = received.clone();
        Arrays.sort(ascending);
        double wanted = mass * Arrays.stream(ascending).sum();
        double sum = 0;
        int count = 0;
        while (count < ascending.length && (count == 0 || sum < wanted)) {
            sum += ascending[ascending.length - ++count];
        }
        return mass == 1 ? ascending.length : count;
    }

    /// A multiply-add per channel for every visible pair of the sparse rows, every head.
    private static long flops(LayerState layer, QueryBlocks blocks) {
        long pairs = 0;
        for (QueryBlocks.Block b : blocks.blocks()) {
            for (int position = b.start(); position < b.end(); position++) {
                pairs += position - layer.firstVisible(position) + 1;
            }
        }
        return Math.multiplyExact(pairs, 2L * layer.headDim() * layer.heads());
    }
}
