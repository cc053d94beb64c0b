package org.dhsa.policy;

import java.util.List;
import org.dhsa.model.Profile;

/// Cases for [PolicyPropertiesTest].
final class EstimatingPolicyCases {

    private EstimatingPolicyCases() {}

    /// Policies that spend about `budget` keys per list on blocks of `block` rows. With a budget of the whole prompt each must be dense;
    /// those that keep a share of the mass keep all of it here.
    static List<SelectionPolicy> all(int budget, int block) {
        return List.of(
                new MInferenceAShapePolicy(1, budget, 1), new MInferenceAShapePolicy(2, budget, block),
                new MInferenceVerticalSlashPolicy(budget, budget, 3, block, Profile.CORRECTED), new MInferenceVerticalSlashPolicy(budget, budget, 5, 1, Profile.CORRECTED),
                new MInferenceVerticalSlashPolicy(budget, budget, 4, 64, Profile.UPSTREAM),
                new MInferenceBlockSparsePolicy(block, budget, Profile.CORRECTED), new MInferenceBlockSparsePolicy(block, budget, Profile.UPSTREAM),
                new XAttentionPolicy(2 * block, 2, 1, Profile.CORRECTED), new XAttentionPolicy(4, 2, 1, Profile.UPSTREAM),
                new FlexPrefillPolicy(1, 0, 1, 0, block, Profile.CORRECTED), new FlexPrefillPolicy(1, 2, 1, 0, block, Profile.CORRECTED),
                new FlexPrefillPolicy(0.5, 0.1, budget, 0, block, Profile.CORRECTED), new FlexPrefillPolicy(0.5, 0.1, budget, 0, block, Profile.UPSTREAM),
                new SampleAttentionPolicy(1, 0.2, 0.1, block), new SampleAttentionPolicy(0.5, 0.2, 1, 1));
    }

    /// Policies that keep a share of the mass.
    static List<SelectionPolicy> withoutBudget() {
        return List.of(
                new MInferenceBlockSparsePolicy(3, 2, Profile.CORRECTED), new MInferenceBlockSparsePolicy(3, 2, Profile.UPSTREAM),
                new XAttentionPolicy(4, 2, 0.6, Profile.CORRECTED), new XAttentionPolicy(3, 1, 0.9, Profile.CORRECTED), new XAttentionPolicy(4, 2, 0.6, Profile.UPSTREAM),
                new FlexPrefillPolicy(0.6, 0, 1, 3, 3, Profile.CORRECTED), new FlexPrefillPolicy(0.6, 0.3, 2, 0, 4, Profile.CORRECTED),
                new FlexPrefillPolicy(0.6, 2, 1, 0, 3, Profile.CORRECTED), new FlexPrefillPolicy(0.6, 0.3, 2, 4, 3, Profile.UPSTREAM),
                new SampleAttentionPolicy(0.6, 0.1, 0.1, 1), new SampleAttentionPolicy(0.8, 0.3, 0.2, 4));
    }
}
