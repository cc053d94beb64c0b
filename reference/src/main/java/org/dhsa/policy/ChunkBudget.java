package org.dhsa.policy;

import java.util.Arrays;
import java.util.List;
import java.util.Set;
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
        return UnitBudget.share(ledger, layer, list, chosen.queryBlocks(), boundaries::chunkOf,
                block -> candidates(block, chosen.blocks().get(blocks.indexOf(block)), scores));
    }

    private UnitBudget.Candidates candidates(QueryBlocks.Block block, KeySelection.BlockSelection chosen, DoubleTensor scores) {
        int first = layer.firstVisible(block.start());
        Set<Integer> forced = TopKSelectionReference.forced(block, first, block.end(), chosen.forced(), config);
        int chunks = boundaries.chunks();
        double[] rank = new double[chunks];
        double[] logits = new double[chunks];
        double largest = Double.NEGATIVE_INFINITY;
        for (int c = 0; c < chunks; c++) {
            boolean seen = boundaries.start(c) < block.end() && boundaries.end(c) > first;
            rank[c] = seen ? scores.at(block.segment(), c) : Double.NEGATIVE_INFINITY;
            logits[c] = layer.rule().logit(scoring.meanProduct(scores.at(block.segment(), c), segments.length(block.segment()), Math.max(1, boundaries.length(c))));
            largest = seen ? Math.max(largest, logits[c]) : largest;
        }
        double top = largest;
        return new UnitBudget.Candidates(chosen.keys(), forced::contains, rank, Arrays.stream(logits).map(logit -> Math.exp(logit - top)).toArray());
    }
}
