package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.dhsa.model.GateWeights.LearnedTopK;
import org.dhsa.model.WeightTensor;
import org.dhsa.stage.KeySelection;
import org.dhsa.tensor.DoubleTensor;

/// The learned masks of the authors' ICML 2026 code, static and dynamic, with given weights.
///
///     keys(i) = diagonal blocks of i ∪ block 0 ∪ the best others by S(i, ·), T(head, i) blocks together
///     static    T = ⌊budget / keyBlock⌋, or max(1, ⌊density · key blocks⌋)
///     dynamic   T(head, i) shares out Σ plain(i) over heads and rows by a learned table, between min(plain(i), max(⌊T / 2⌋, forced)) and max(plain(i), min(2T, visible))
///     plain(i)  = max(forced, min(T, visible)), in blocks
///
/// `S` is [LearnedScores]'. **Source** DHSA (arXiv 2510.24606v2), the learned masks of the code's last published state. **Unit** a block of keys, every query
/// head for itself. **Budget** as in [IcmlMaskPolicy]; the dynamic total of blocks is exact. **Cost of selecting** means of segments, eight dot products per pair of blocks,
/// and the small network on each.
/// **Simplified** the published networks also hold embeddings and outputs per training sample, chosen at run time by the nearest stored prompt; these are left out, and
/// with them networks of more than one hidden layer. The table of budgets is per head and depth there and per sample too; here one table. How its softmax meets the bounds is this
/// project's reading (eight rounds, then the largest remainders). The depth of a row is its last block over the last block of the prompt, in equal buckets. Block 0 is forced only
/// where the diagonal leaves a place. A partial block's segments are parts of its real rows. The diagonal is always
/// read, even where it alone exceeds the budget. Scale and soft cap are the layer's; on a local layer the oldest visible block is the sink. For prompts: new tokens attend densely.
///
/// @param budget   keys per query block, or 0 with a density
/// @param density  share of the key blocks, or 0 with a budget
/// @param block    queries per block
/// @param keyBlock keys per block
/// @param rule     how the budget is shared out further: of `dynamic`, each head's pairs are those of the blocks that the table gives it
public record IcmlLearnedPolicy(LearnedTopK gate, boolean dynamic, int budget, double density, int block, int keyBlock, BudgetRule rule) implements SelectionPolicy {

    public IcmlLearnedPolicy {
        Lists.positive("block", block);
        Lists.positive("key-block", keyBlock);
        if (budget < 0 || !(density >= 0 && density <= 1) || budget == 0 == (density == 0)) {
            throw new IllegalArgumentException("either a positive budget or a density above 0 and at most 1, was budget " + budget + ", density " + density);
        }
        if (dynamic && gate.layers().stream().anyMatch(layer -> layer.budgets().isEmpty())) {
            throw new IllegalArgumentException("icml-learned: budgets=dynamic needs a table of budgets in every layer of the gate, and a layer has none");
        }
    }

    @Override
    public String name() {
        return String.format(Locale.ROOT, "icml-learned:%s,budgets=%s,block=%d,key-block=%d%s", budget > 0 ? "budget=" + budget : "density=" + density,
                dynamic ? "dynamic" : "static", block, keyBlock, rule.suffix());
    }

    @Override
    public Selector open(int[] promptIds) {
        BudgetRule.Ledger ledger = rule.open();
        return layer -> select(layer, ledger);
    }

    private LayerSelection select(LayerState layer, BudgetRule.Ledger ledger) {
        if (layer.decoding() || layer.blocks(block).blocks().isEmpty()) {
            return DensePolicy.everything(layer);
        }
        IcmlBlocks blocks = new IcmlBlocks(0, layer.denseFrom(), layer.end(), block, keyBlock, layer.rule());
        int most = Math.min(blocks.keyBlocks(), budget > 0 ? Math.max(1, budget / keyBlock) : IcmlBlocks.budget(density, blocks.keyBlocks(), Set.of()));
        boolean[][] forced = new boolean[blocks.queryBlocks()][blocks.keyBlocks()];
        for (int i = 0; i < forced.length; i++) {
            Arrays.fill(forced[i], blocks.start(i), blocks.recent(i) + 1, true);
            forced[i][blocks.oldest(i)] |= blocks.recent(i) - blocks.start(i) + 1 < most;
        }
        int[][] budgets = budgets(layer, blocks, forced, most);
        KeyUnits units = KeyUnits.fixed(layer, block, keyBlock);
        LearnedScores learned = new LearnedScores(gate, layer, blocks);
        DoubleTensor query = layer.query().toDouble();
        DoubleTensor key = layer.key().toDouble();
        List<KeySelection> perHead = new ArrayList<>();
        long pairs = 0;
        for (int h = 0; h < layer.heads(); h++) {
            double[][] scores = learned.head(h, query, key);
            boolean[][] kept = new boolean[scores.length][];
            double[][] mass = new double[scores.length][];
            for (int i = 0; i < scores.length; i++) {
                pairs += blocks.recent(i) - blocks.oldest(i) + 1;
                double[] others = scores[i].clone();
                int taken = 0;
                for (int j = 0; j < others.length; j++) {
                    others[j] = forced[i][j] ? Double.NEGATIVE_INFINITY : others[j];
                    taken += forced[i][j] ? 1 : 0;
                }
                kept[i] = forced[i].clone();
                for (int j : Lists.best(others, 0, budgets[h][i] - taken).keys()) {
                    kept[i][j] |= others[j] > Double.NEGATIVE_INFINITY;
                }
                mass[i] = units.massOf(scores[i], units.rows().blocks().get(i));
            }
            perHead.add(units.keep(ledger, h, kept, forced, scores, mass));
        }
        WeightTensor local = gate.layers().get(layer.layer()).local();
        long hidden = local.dim(2);
        long perPair = 2L * LearnedTopK.PAIRS * layer.headDim() + 2 * hidden * (LearnedTopK.LOCAL + 1);
        long contexts = 2L * layer.heads() * blocks.queryBlocks() * hidden * LearnedTopK.CONTEXT;
        return new LayerSelection(perHead, layer.heads(), pairs * perPair + contexts + ChunkCost.means(layer, blocks.rows(), layer.end(), false));
    }

    /// Blocks of every head and row, forced ones included.
    private int[][] budgets(LayerState layer, IcmlBlocks blocks, boolean[][] forced, int most) {
        int rows = forced.length;
        int[] low = new int[layer.heads() * rows];
        int[] high = new int[low.length];
        int[] plain = new int[low.length];
        double[] logits = new double[low.length];
        for (int n = 0; n < low.length; n++) {
            int i = n % rows;
            int visible = blocks.recent(i) - blocks.oldest(i) + 1;
            int needed = 0;
            for (boolean f : forced[i]) {
                needed += f ? 1 : 0;
            }
            plain[n] = Math.max(needed, Math.min(most, visible));
            low[n] = Math.min(plain[n], Math.max(most / 2, needed));
            high[n] = Math.max(plain[n], Math.min(2 * most, visible));
            if (dynamic) {
                WeightTensor table = gate.layers().get(layer.layer()).budgets().orElseThrow();
                int buckets = Math.toIntExact(table.dim(1));
                int bucket = Math.min(buckets - 1, blocks.recent(i) * buckets / Math.max(blocks.keyBlocks() - 1, 1));
                logits[n] = table.get((long) n / rows * buckets + bucket);
            }
        }
        int[] shared = dynamic ? LearnedScores.budgets(logits, low, high, Arrays.stream(plain).sum()) : plain;
        int[][] perHead = new int[layer.heads()][];
        for (int h = 0; h < perHead.length; h++) {
            perHead[h] = Arrays.copyOfRange(shared, h * rows, (h + 1) * rows);
        }
        return perHead;
    }
}
