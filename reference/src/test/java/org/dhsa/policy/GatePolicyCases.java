package org.dhsa.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.dhsa.model.Profile;
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
        // a share of the mass is no budget
        BudgetRule everything = new BudgetRule(BudgetRule.Kind.PER_LAYER, 1);
        withRule(budget, block, everything).stream().filter(p -> !(p instanceof XAttentionPolicy)).forEach(all::add);
        all.addAll(List.of(new FlexPrefillPolicy(1, 2, 1, 0, block, Profile.CORRECTED, everything), new SparseAcceleratePolicy(budget, block, 2, 3, everything),
                new TacticPolicy(1, 3, PagePolicyCases.SAMPLING, 5, 0, true, everything), PagePolicyCases.squeezed(1, false, everything), PagePolicyCases.squeezed(1, true, everything),
                new DeltaPolicy(budget, 2, 1, 0, List.of(0), true, new BudgetRule(BudgetRule.Kind.TOP_P, 1)),
                new IcmlLearnedPolicy(Gates.learned(3, 4), true, budget, 0, block, Math.max(1, block / 2), everything)));
        return all;
    }

    /// Those whose static budget is a share, or whose units are not the blocks of all heads. No budget makes the first ones dense.
    static List<SelectionPolicy> sharesWithRule(int budget, int block, BudgetRule rule) {
        List<SelectionPolicy> all = new ArrayList<>(List.of(
                new FlexPrefillPolicy(0.6, 2, 1, 0, block, Profile.CORRECTED, rule), new FlexPrefillPolicy(0.7, 0.3, 2, 0, 3, Profile.CORRECTED, rule),
                new FlexPrefillPolicy(0.8, 0.4, 1, 4, 3, Profile.UPSTREAM, rule), new TacticPolicy(0.6, 3, PagePolicyCases.SAMPLING, 5, 0, true, rule),
                PagePolicyCases.squeezed(0.5, false, rule), PagePolicyCases.squeezed(0.5, true, rule), new SparseAcceleratePolicy(budget, block, 2, 3, rule),
                new IcmlLearnedPolicy(Gates.learned(3, 4), true, budget, 0, block, Math.max(1, block / 2), rule)));
        if (rule.kind() != BudgetRule.Kind.PER_LAYER) {
            all.add(new DeltaPolicy(budget, 2, 1, 0, List.of(0), true, rule));
        }
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
                new MInferenceBlockSparsePolicy(block, Math.max(1, budget / block), Profile.CORRECTED, rule), new XAttentionPolicy(2 * block, 2, 0.7, Profile.CORRECTED, rule),
                new QuestPolicy(budget, 3, 1, 0, true, Optional.empty(), rule), new QuestPolicy(budget, 2, 1, 0, true, Optional.of(new ChunkSource.Fixed(4)), rule),
                new SeerAttentionPolicy(Gates.seer(3, 4, 2, 4, block, false), 0, 0, budget, true, false, rule),
                new IcmlLearnedPolicy(Gates.learned(3, 4), false, budget, 0, block, Math.max(1, block / 2), rule)));
        all.add(icml(IcmlBlockMask.Kind.A, budget, block, Set.of(), rule));
        all.add(icml(IcmlBlockMask.Kind.VS, budget, block, Set.of(), rule));
        return all;
    }

    private static IcmlMaskPolicy icml(IcmlBlockMask.Kind kind, int budget, int block, Set<IcmlQuirk> quirks, BudgetRule rule) {
        return new IcmlMaskPolicy(kind, budget, 0, block, Math.max(1, block / 2), 0.5, 2, quirks, rule);
    }
}
