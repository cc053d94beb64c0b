package org.dhsa.policy;

import java.util.List;
import java.util.Optional;
import org.dhsa.reference.baseline.TailFit;
import org.dhsa.testing.TinyModel;

/// Cases for [PolicyPropertiesTest].
final class PagePolicyCases {

    static final TailFit.Sampling SAMPLING = new TailFit.Sampling(0.1, 0.2, 0.6, 0.1);

    private PagePolicyCases() {}

    /// Policies that spend about `budget` keys per list on blocks of `block` rows. With a budget of the whole prompt each must be dense.
    static List<SelectionPolicy> all(int budget, int block) {
        ChunkSource chunks = new ChunkSource.Predicted(TinyModel.constantPredictor(2, 3));
        return List.of(new QuestPolicy(budget, 3, 1, 2, false, Optional.empty()), new QuestPolicy(budget, 3, 1, 0, true, Optional.empty()),
                new QuestPolicy(budget, 2, 2, 0, true, Optional.of(chunks)), new QuestPolicy(budget, 2, 1, 1, true, Optional.of(new ChunkSource.Fixed(4))),
                new TacticPolicy(1, 3, SAMPLING, 5, 0, true), squeezed(1, false), squeezed(1, true),
                new DeltaPolicy(budget, 3, 1, 0, List.of(), true), new DeltaPolicy(budget, 2, 0, 0, List.of(0), true), new DeltaPolicy(budget, 2, 1, 1, List.of(1), false),
                new CascadePolicy(Math.max(3, budget), 1, 2, 1, 0.5), new CascadePolicy(Math.max(3, budget), 0, 3, block, 0.9),
                new TcaPolicy(budget, block, 4, 0.8), new SparseAcceleratePolicy(budget, block, 2, 3));
    }

    /// Policies whose lists have the length that they need.
    static List<SelectionPolicy> withoutBudget() {
        return List.of(new TacticPolicy(0.6, 3, SAMPLING, 5, 0, true), new TacticPolicy(0.9, 4, SAMPLING, 5, 1, false),
                squeezed(0.4, false), squeezed(0.4, true));
    }

    static SqueezedPolicy squeezed(double keep, boolean hierarchical) {
        return squeezed(keep, hierarchical, BudgetRule.STATIC);
    }

    static SqueezedPolicy squeezed(double keep, boolean hierarchical, BudgetRule rule) {
        return new SqueezedPolicy(keep, 0.4, 5, 3, hierarchical, 0.7, 0.2, 5, 0, rule);
    }
}
