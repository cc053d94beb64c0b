package org.dhsa.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.dhsa.testing.Gates;
import org.dhsa.testing.TinyModel;

/// Cases for [PolicyPropertiesTest].
final class GatePolicyCases {

    private GatePolicyCases() {}

    /// Policies that spend about `budget` keys per list on blocks of `block` rows. With a budget of the whole prompt each must be dense.
    static List<SelectionPolicy> all(int budget, int block) {
        List<SelectionPolicy> all = new ArrayList<>();
        for (IcmlBlockMask.Kind kind : IcmlBlockMask.Kind.values()) {
            all.add(icml(kind, budget, block, Set.of(), BudgetRule.STATIC));
            all.add(icml(kind, budget, block, IcmlQuirk.UPSTREAM, BudgetRule.STATIC));
        }
        all.add(new SeerAttentionPolicy(Gates.seer(3, 4, 2, 4, block, true), 0, 0, budget, false, true, BudgetRule.STATIC));
        all.add(new VsPrefillPolicy(Gates.vsPrefill(3, 4), 0, budget, block));
        all.add(new IcmlLearnedPolicy(Gates.learned(3, 4), true, budget, 0, block, Math.max(1, block / 2), BudgetRule.STATIC));
        all.addAll(withRule(budget, block, new BudgetRule(BudgetRule.Kind.PER_LAYER, 1)));
        return all;
    }

    /// Every rule that is not static.
    static List<BudgetRule> rules(double mass) {
        return List.of(new BudgetRule(BudgetRule.Kind.TOP_P, mass), new BudgetRule(BudgetRule.Kind.WATER_FILLING, 1), new BudgetRule(BudgetRule.Kind.PER_LAYER, mass));
    }

    /// Every policy that takes a rule of budgets.
    static List<SelectionPolicy> withRule(int budget, int block, BudgetRule rule) {
        ChunkSource predicted = new ChunkSource.Predicted(TinyModel.constantPredictor(2, 3));
        List<SelectionPolicy> all = new ArrayList<>(List.of(
                new BlockTopKPolicy(block, budget, true, rule), new BlockTopKPolicy(block, budget, false, rule),
                new DhsaPolicy(PolicyCases.config(budget, block), predicted, ChunkScoring.MEAN_SQRT, true, rule),
                new DhsaPolicy(PolicyCases.config(budget, block), new ChunkSource.Fixed(3), ChunkScoring.MIN_MAX, false, rule),
                new SeerAttentionPolicy(Gates.seer(3, 4, 2, 4, block, false), 0, 0, budget, true, false, rule),
                new IcmlLearnedPolicy(Gates.learned(3, 4), false, budget, 0, block, Math.max(1, block / 2), rule)));
        for (IcmlBlockMask.Kind kind : IcmlBlockMask.Kind.values()) {
            all.add(icml(kind, budget, block, Set.of(), rule));
        }
        return all;
    }

    private static IcmlMaskPolicy icml(IcmlBlockMask.Kind kind, int budget, int block, Set<IcmlQuirk> quirks, BudgetRule rule) {
        return new IcmlMaskPolicy(kind, budget, 0, block, Math.max(1, block / 2), 0.5, 2, quirks, rule);
    }
}
