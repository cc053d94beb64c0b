package org.dhsa.eval.policy;

import java.util.Optional;
import java.util.Set;
import org.dhsa.model.BoundaryPredictorWeights;

/// What a policy may need beside its numbers.
///
/// @param predictor      for `dhsa:chunking=predicted` and `random`
/// @param sentenceEndIds token ids that end a sentence, for `dhsa:chunking=sentences`; empty if unknown
public record PolicyResources(Optional<BoundaryPredictorWeights> predictor, Set<Integer> sentenceEndIds) {

    /// Enough for every policy but DHSA with predicted, random or sentence chunks.
    public static final PolicyResources NONE = new PolicyResources(Optional.empty(), Set.of());

    public PolicyResources {
        sentenceEndIds = Set.copyOf(sentenceEndIds);
    }

    public static PolicyResources of(BoundaryPredictorWeights predictor) {
        return new PolicyResources(Optional.of(predictor), Set.of());
    }
}
