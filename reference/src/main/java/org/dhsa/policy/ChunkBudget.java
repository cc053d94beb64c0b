package org.dhsa.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.dhsa.model.DhsaConfig;
import org.dhsa.reference.dhsa.TopKSelectionReference;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.DoubleTensor;

/// A [BudgetRule] on DHSA's chunks: forced keys stay, and the pairs of the keys that scores had chosen are shared out again, a chunk at a time.
///
///     mass of chunk c ∝ its keys · exp( logit( mean query · mean key ) )
///
/// @param boundaries of the chunks of keys
/// @param segments   of the query side
/// @param config     rules of forced keys, the corrected ones
record ChunkBudget(LayerState layer, Boundaries boundaries, Boundaries segments, ChunkScoring scoring, DhsaConfig config) {

    /// @param chosen the static choice
    /// @param scores `[query segments, chunks]`
    KeySelection share(BudgetRule.Ledger ledger, int list, KeySelection chosen, DoubleTensor scores) {
        List<QueryBlocks.Block> blocks = chosen.queryBlocks().blocks();
        List<Set<Integer>> forced = new ArrayList<>();
        List<BudgetRule.Row> rows = new ArrayList<>();
        for (QueryBlocks.Block block : blocks) {
            KeySelection.BlockSelection keys = chosen.blocks().get(rows.size());
            forced.add(TopKSelectionReference.forced(block, first(block), block.end(), keys.forced(), config));
            rows.add(row(block, keys.keys(), forced.getLast(), scores));
        }
        boolean[][] kept = ledger.share(layer.layer(), list, rows);
        return Lists.each(chosen.queryBlocks(), block -> {
            int b = blocks.indexOf(block);
            return Lists.byPosition(IntStream.range(first(block), block.end())
                    .filter(j -> forced.get(b).contains(j) || kept[b][boundaries.chunkOf(j)]).toArray());
        });
    }

    private BudgetRule.Row row(QueryBlocks.Block block, int[] keys, Set<Integer> forced, DoubleTensor scores) {
        int chunks = boundaries.chunks();
        double[] rank = new double[chunks];
        double[] logits = new double[chunks];
        double largest = Double.NEGATIVE_INFINITY;
        for (int c = 0; c < chunks; c++) {
            boolean seen = boundaries.start(c) < block.end() && boundaries.end(c) > first(block);
            rank[c] = seen ? scores.at(block.segment(), c) : Double.NEGATIVE_INFINITY;
            logits[c] = layer.rule().logit(scoring.meanProduct(scores.at(block.segment(), c), segments.length(block.segment()), Math.max(1, boundaries.length(c))));
            largest = seen ? Math.max(largest, logits[c]) : largest;
        }
        double[] mass = new double[chunks];
        long[] pairs = new long[chunks];
        double forcedMass = 0;
        for (int j = first(block); j < block.end(); j++) {
            int c = boundaries.chunkOf(j);
            double weight = Math.exp(logits[c] - largest);
            if (forced.contains(j)) {
                forcedMass += weight;
            } else {
                mass[c] += weight;
                pairs[c] += pairs(j, block);
            }
        }
        long budget = 0;
        for (int j : keys) {
            budget += forced.contains(j) ? 0 : pairs(j, block);
        }
        return new BudgetRule.Row(block.length(), rank, mass, pairs, forcedMass, budget);
    }

    private int first(QueryBlocks.Block block) {
        return layer.firstVisible(block.start());
    }

    private long pairs(int key, QueryBlocks.Block block) {
        return LayerSelection.rowsThatSee(key, block.start(), block.end(), layer.rule(), layer.key().shape().extent("keyLen"));
    }
}
