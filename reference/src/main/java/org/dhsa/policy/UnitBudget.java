package org.dhsa.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;

/// A [BudgetRule] on units that may be any sets of keys (blocks, chunks, clusters), beside single keys that are read under any rule.
///
///     a block of rows:  pairs of unit u  = Σ over its keys that are seen and not forced of the rows that see them
///                       mass of unit u   = weight(u) · number of these keys
///                       static budget    = pairs of the static list, without those of its forced keys
///     keys(i)         = forced keys ∪ keys of the units that the rule keeps
///
/// [KeyUnits] is the same for units that lie side by side and are forced whole.
final class UnitBudget {

    /// One block of rows.
    ///
    /// @param keys    the static list
    /// @param forced  which positions are read under any rule, whatever their unit
    /// @param scores  per unit, what units are ranked by; −∞ for one that must not be chosen
    /// @param weights per unit, the estimated attention mass of one of its keys, in any scale of this block; not negative
    record Candidates(int[] keys, IntPredicate forced, double[] scores, double[] weights) {}

    private UnitBudget() {}

    /// @param list   which of the layer's lists: a head, or 0 for all heads
    /// @param blocks of rows
    /// @param unitOf unit of a position; −1 for none, and then the key is read only if it is forced
    static KeySelection share(BudgetRule.Ledger ledger, LayerState layer, int list, QueryBlocks blocks, IntUnaryOperator unitOf,
                              Function<QueryBlocks.Block, Candidates> candidates) {
        List<Candidates> all = blocks.blocks().stream().map(candidates).toList();
        List<BudgetRule.Row> rows = new ArrayList<>();
        for (QueryBlocks.Block block : blocks.blocks()) {
            rows.add(row(layer, block, unitOf, all.get(rows.size())));
        }
        boolean[][] kept = ledger.share(layer.layer(), list, rows);
        List<BlockSelection> lists = new ArrayList<>();
        for (QueryBlocks.Block block : blocks.blocks()) {
            IntPredicate forced = all.get(lists.size()).forced();
            boolean[] own = kept[lists.size()];
            lists.add(Lists.byPosition(IntStream.range(layer.firstVisible(block.start()), block.end())
                    .filter(j -> forced.test(j) || unitOf.applyAsInt(j) >= 0 && own[unitOf.applyAsInt(j)]).toArray()));
        }
        return new KeySelection(blocks, lists);
    }

    private static BudgetRule.Row row(LayerState layer, QueryBlocks.Block block, IntUnaryOperator unitOf, Candidates some) {
        double[] mass = new double[some.scores().length];
        long[] pairs = new long[mass.length];
        double forcedMass = 0;
        for (int j = layer.firstVisible(block.start()); j < block.end(); j++) {
            int unit = unitOf.applyAsInt(j);
            if (unit < 0) {
                continue;
            }
            if (some.forced().test(j)) {
                forcedMass += some.weights()[unit];
            } else {
                mass[unit] += some.weights()[unit];
                pairs[unit] += pairs(j, block, layer);
            }
        }
        long budget = 0;
        for (int j : some.keys()) {
            budget += some.forced().test(j) ? 0 : pairs(j, block, layer);
        }
        return new BudgetRule.Row(block.length(), some.scores(), mass, pairs, forcedMass, budget);
    }

    private static long pairs(int key, QueryBlocks.Block block, LayerState layer) {
        return LayerSelection.rowsThatSee(key, block.start(), block.end(), layer.rule(), layer.key().shape().extent("keyLen"));
    }
}
