package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dhsa.stage.KeySelection;

/// After the idea of SparseAccelerate: every head takes the one of three patterns that held most of its attention in the last rows.
///
///     triangular     s first keys and budget − s recent ones, s = max(1, ⌊budget / 8⌋), at most budget − 1     ([StreamingPolicy])
///     interval-slash j with ⌊(i − j) / interval⌋ among the ⌊budget / interval⌋ best intervals of distances by the mass in the last rows, the nearest always among them
///     block-cluster  whole blocks by the dot product of their means                   ([BlockTopKPolicy], every head for itself)
///     pattern(h)     = the one whose keys hold most attention mass of the last `window` rows, in this order where they are equal
///
/// **Source** SparseAccelerate (arXiv 2412.06198). Its abstract and summaries were at hand, not its formulas: the names of the three patterns, and that they are chosen
/// for each input, are the paper's; what the patterns are made of and how they are judged is our reading, after MInference, whose patterns
/// they resemble. **Unit** key, interval of distances, or block. **Budget** keys per row and head, the same for each pattern (block-cluster: keys per block of rows).
/// **Cost of selecting** the logits of `window` rows; the block means and their dot products.
/// **The prompt only**: decoding stays dense, our reading of a method that is measured by the time to the first token.
/// **Simplified** no search over kernels. A prompt within the budget is dense.
///
/// @param budget   keys per row
/// @param block    rows and keys per block of block-cluster
/// @param interval distances per interval
/// @param window   last sparse rows, which judge
/// @param rule     how the pairs of heads that take block-cluster are shared out among blocks of rows; the static lists decide which heads these are. The other two patterns take
///                 the same keys or distances for every row, so that there is nothing to share out
public record SparseAcceleratePolicy(int budget, int block, int interval, int window, BudgetRule rule) implements SelectionPolicy {

    public SparseAcceleratePolicy(int budget, int block, int interval, int window) {
        this(budget, block, interval, window, BudgetRule.STATIC);
    }

    public SparseAcceleratePolicy {
        Lists.positive("budget", budget);
        Lists.positive("block", block);
        Lists.positive("interval", interval);
        Lists.positive("window", window);
    }

    @Override
    public String name() {
        return "sparse-accelerate:budget=" + budget + ",block=" + block + ",interval=" + interval + ",window=" + window + rule.suffix();
    }

    @Override
    public Selector open(int[] promptIds) {
        BudgetRule.Ledger ledger = rule.open();
        return layer -> layer.decoding() || layer.denseFrom() == 0 || budget >= layer.end() ? DensePolicy.everything(layer) : choose(layer, ledger);
    }

    private LayerSelection choose(LayerState layer, BudgetRule.Ledger ledger) {
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        int sinks = Math.min(budget - 1, Math.max(1, budget / 8));
        KeySelection triangular = new StreamingPolicy(sinks, budget - sinks, 1).open(new int[0]).select(layer).of(0);
        LayerSelection clusters = new BlockTopKPolicy(block, budget, false).open(new int[0]).select(layer);
        int judges = Math.max(0, layer.denseFrom() - window);
        List<KeySelection> perHead = new ArrayList<>();
        long pairs = 0;
        for (int h = 0; h < layer.heads(); h++) {
            double[][] rows = new double[layer.denseFrom() - judges][];
            for (int n = 0; n < rows.length; n++) {
                rows[n] = weights.row(h, judges + n);
                pairs += rows[n].length;
            }
            KeySelection best = null;
            double most = -1;
            for (KeySelection pattern : List.of(triangular, slashes(layer, rows), clusters.of(h))) {
                double held = held(pattern, layer, rows, judges);
                if (held > most) {
                    most = held;
                    best = pattern;
                }
            }
            perHead.add(best);
        }
        if (!rule.isStatic()) {
            LayerSelection shared = new BlockTopKPolicy(block, budget, false, rule).select(layer, ledger, h -> perHead.get(h) == clusters.of(h));
            for (int h = 0; h < perHead.size(); h++) {
                perHead.set(h, perHead.get(h) == clusters.of(h) ? shared.of(h) : perHead.get(h));
            }
        }
        return new LayerSelection(perHead, layer.heads(), 2 * pairs * layer.headDim() + clusters.selectionFlops());
    }

    private KeySelection slashes(LayerState layer, double[][] rows) {
        double[] mass = new double[Math.ceilDiv(layer.end(), interval)];
        for (int n = 0; n < rows.length; n++) {
            for (int d = 0; d < rows[n].length; d++) {
                mass[d / interval] += rows[n][rows[n].length - 1 - d];
            }
        }
        boolean[] kept = new boolean[mass.length];
        kept[0] = true;
        Arrays.stream(Lists.best(Arrays.copyOfRange(mass, 1, mass.length), 1, budget / interval - 1).keys()).forEach(t -> kept[t] = true);
        return Lists.each(layer.blocks(1), row -> Lists.byPosition(
                IntStream.rangeClosed(layer.firstVisible(row.start()), row.start()).filter(j -> kept[(row.start() - j) / interval]).toArray()));
    }

    /// Mass of the judging rows that a pattern holds.
    private static double held(KeySelection pattern, LayerState layer, double[][] rows, int judges) {
        LayerSelection alone = LayerSelection.shared(pattern, layer.heads(), 0);
        double held = 0;
        for (int n = 0; n < rows.length; n++) {
            int position = judges + n;
            int first = layer.firstVisible(position);
            for (int j : alone.keysOf(0, position, layer.rule(), layer.end())) {
                held += rows[n][j - first];
            }
        }
        return held;
    }
}
