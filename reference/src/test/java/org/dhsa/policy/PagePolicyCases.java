package org.dhsa.policy;

import java.util.List;
import java.util.Optional;
import org.dhsa.testing.TinyModel;

/// Cases for [PolicyPropertiesTest].
final class PagePolicyCases {

    private PagePolicyCases() {}

    /// Policies that spend about `budget` keys per list on blocks of `block` rows. With a budget of the whole prompt each must be dense.
    static List<SelectionPolicy> all(int budget, int block) {
        ChunkSource chunks = new ChunkSource.Predicted(TinyModel.constantPredictor(2, 3));
        return List.of(new QuestPolicy(budget, 3, 1, 2, false, Optional.empty()), new QuestPolicy(budget, 3, 1, 0, true, Optional.empty()),
                new QuestPolicy(budget, 2, 2, 0, true, Optional.of(chunks)), new QuestPolicy(budget, 2, 1, 1, true, Optional.of(new ChunkSource.Fixed(4))));
    }
}
