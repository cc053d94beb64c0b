package org.dhsa.eval.policy;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.GateWeights;

/// What a policy may need beside its numbers.
///
/// @param predictor      for `dhsa:chunking=predicted` and `random`
/// @param sentenceEndIds token ids that end a sentence, for `dhsa:chunking=sentences`; empty if unknown
/// @param gates          for `seerattention`, `vsprefill` and `icml-learned`, at most one of a kind
public record PolicyResources(Optional<BoundaryPredictorWeights> predictor, Set<Integer> sentenceEndIds, List<GateWeights> gates) {

    public PolicyResources(Optional<BoundaryPredictorWeights> predictor, Set<Integer> sentenceEndIds) {
        this(predictor, sentenceEndIds, List.of());
    }

    /// Enough for every policy but DHSA with predicted, random or sentence chunks.
    public static final PolicyResources NONE = new PolicyResources(Optional.empty(), Set.of());

    public PolicyResources {
        sentenceEndIds = Set.copyOf(sentenceEndIds);
        gates = List.copyOf(gates);
        if (gates.stream().map(GateWeights::kind).distinct().count() < gates.size()) {
            throw new IllegalArgumentException("at most one gate of a kind, were " + gates.stream().map(GateWeights::kind).toList());
        }
    }

    /// The gate of a kind.
    ///
    /// @throws IllegalArgumentException if there is none
    <T extends GateWeights> T gate(String policy, Class<T> kind) {
        return gates.stream().filter(kind::isInstance).map(kind::cast).findFirst().orElseThrow(() -> new IllegalArgumentException(policy
                + ": needs a trained gate: name its file with --gate FILE" + (gates.isEmpty() ? "" : "; given was " + gates.stream().map(GateWeights::kind).toList())));
    }

    public static PolicyResources of(BoundaryPredictorWeights predictor) {
        return new PolicyResources(Optional.of(predictor), Set.of());
    }
}
