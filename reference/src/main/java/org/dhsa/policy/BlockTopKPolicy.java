package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Block-sparse attention, the paper's baseline: fixed blocks on both sides, whole blocks of keys.
///
///     S(i, b) = mean(queries of block i) · mean(keys of block b)
///     keys(i) = block i ∪ the ⌊budget / block⌋ − 1 best earlier blocks by S
///
/// **Source** the `blocksparse` mode of the authors' Gemma 2 code; the first of the four block masks of the later version of the
/// paper scores in the same way. **Unit** a block of keys. **Budget** keys per query block, its own block included, rounded down
/// to whole blocks, at least one. **Cost of selecting** the means, and one dot product per pair of blocks.
/// **Simplified** the authors' quirks are absent: a partial last block is averaged over its real length, lists are never padded, and on
/// local layers every block that the first query still sees may be chosen. [org.dhsa.reference.baseline.BlockSparseAttention] has the quirks.
/// While decoding, the token is its own query block, and on a local layer the oldest block is what the cache still has of it.
///
/// @param block       queries, and keys, per block
/// @param budget      keys per query block
/// @param sharedHeads heads averaged and one list for all; otherwise every query head scores and chooses for itself
/// @param rule        how the budget is shared out among query blocks; the mass of a block is estimated by its mean key
public record BlockTopKPolicy(int block, int budget, boolean sharedHeads, BudgetRule rule) implements SelectionPolicy {

    public BlockTopKPolicy(int block, int budget, boolean sharedHeads) {
        this(block, budget, sharedHeads, BudgetRule.STATIC);
    }

    public BlockTopKPolicy {
        Lists.positive("block", block);
        Lists.positive("budget", budget);
    }

    @Override
    public String name() {
        return "block-topk:budget=" + budget + ",block=" + block + ",heads=" + (sharedHeads ? "shared" : "each") + rule.suffix();
    }

    @Override
    public Selector open(int[] promptIds) {
        BudgetRule.Ledger ledger = rule.open();
        return layer -> select(layer, ledger, h -> true);
    }

    /// @param adaptive which lists the rule shares out; the others stay static
    LayerSelection select(LayerState layer, BudgetRule.Ledger ledger, IntPredicate adaptive) {
        QueryBlocks blocks = layer.blocks(block);
        if (blocks.blocks().isEmpty()) {
            return DensePolicy.everything(layer);
        }
        Boundaries rows = layer.decoding() ? Boundaries.of(0, 1) : Boundaries.uniform(layer.denseFrom(), block);
        KeyUnits units = KeyUnits.fixed(layer, block, block);
        Boundaries keyBlocks = units.bounds();
        List<KeySelection> perHead = new ArrayList<>();
        int group = layer.heads() / layer.kvHeads();
        for (int h = 0; h < (sharedHeads ? 1 : layer.heads()); h++) {
            Tensor query = sharedHeads ? layer.query() : layer.backend().rows(layer.query(), h, h + 1);
            Tensor key = sharedHeads ? layer.key() : layer.backend().rows(layer.key(), h / group, h / group + 1);
            DoubleTensor scores = layer.backend().chunkSimilarity().apply(
                    new ChunkSimilarity.Input(means(query, rows, layer), means(key, keyBlocks, layer))).chunkScores().toDouble();
            KeySelection chosen = Lists.each(blocks, b -> choose(b, scores, units));
            perHead.add(rule.isStatic() || !adaptive.test(h) ? chosen : shared(chosen, h, scores, units, ledger));
            if (!adaptive.test(h)) {
                ledger.skip(layer.layer(), h);
            }
        }
        long dots = (long) rows.chunks() * keyBlocks.chunks() * 2 * layer.headDim() * perHead.size();
        return new LayerSelection(perHead, layer.heads(), dots + ChunkCost.means(layer, rows.totalLength(), keyBlocks.totalLength(), sharedHeads));
    }

    private static Tensor means(Tensor states, Boundaries segments, LayerState layer) {
        return layer.backend().chunkRepresentation().apply(
                new ChunkRepresentation.Input(states, segments, ChunkRepresentation.Pooling.MEAN, 0)).chunks();
    }

    private BlockSelection choose(QueryBlocks.Block rows, DoubleTensor scores, KeyUnits units) {
        int own = units.unitOf(rows.start());
        int oldest = units.first(rows);
        double[] earlier = IntStream.range(oldest, own).mapToDouble(b -> scores.at(rows.segment(), b)).toArray();
        BlockSelection best = Lists.best(earlier, oldest, Math.max(1, budget / block) - 1);
        int[] keys = IntStream.concat(Arrays.stream(best.keys()), IntStream.of(own)).flatMap(b -> units.visible(b, rows)).toArray();
        int[] tied = Arrays.stream(best.tieGroup()).flatMap(b -> units.visible(b, rows)).toArray();
        int greater = (int) Arrays.stream(best.keys()).filter(b -> Arrays.binarySearch(best.tieGroup(), b) < 0).flatMap(b -> units.visible(b, rows)).count();
        int forced = (int) units.visible(own, rows).count();
        return new BlockSelection(keys, forced, keys.length - forced, best.threshold(), best.margin(), greater, tied);
    }

    /// The same pairs shared out by the rule: own blocks are forced, older ones may be chosen.
    private static KeySelection shared(KeySelection chosen, int list, DoubleTensor scores, KeyUnits units, BudgetRule.Ledger ledger) {
        int rows = chosen.blocks().size();
        boolean[][] kept = new boolean[rows][units.units()];
        boolean[][] forced = new boolean[rows][units.units()];
        double[][] rank = new double[rows][units.units()];
        double[][] mass = new double[rows][];
        for (int b = 0; b < rows; b++) {
            QueryBlocks.Block block = chosen.queryBlocks().blocks().get(b);
            for (int key : chosen.blocks().get(b).keys()) {
                kept[b][units.unitOf(key)] = true;
            }
            forced[b][units.unitOf(block.start())] = true;
            double[] logits = new double[units.units()];
            for (int u = 0; u < logits.length; u++) {
                rank[b][u] = scores.at(block.segment(), u);
                logits[u] = units.layer().rule().logit(rank[b][u]);
            }
            mass[b] = units.massOf(logits, block);
        }
        return units.keep(ledger, list, kept, forced, rank, mass);
    }
}
