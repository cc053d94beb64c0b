package org.dhsa.forward;

import java.util.Optional;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.DhsaConfig;
import org.dhsa.policy.PolicySetting;
import org.dhsa.policy.SelectionPolicy;
import org.dhsa.stage.Boundaries;

/// Which attention a session uses.
public sealed interface AttentionMode {

    /// Every visible key.
    record Dense() implements AttentionMode {}

    /// Dynamic hierarchical sparse attention.
    ///
    /// @param predictor  finds the boundaries; may be empty when they are given
    /// @param boundaries boundaries of the prompt, instead of predicted ones
    record Dhsa(DhsaConfig config, Optional<BoundaryPredictorWeights> predictor, Optional<Boundaries> boundaries) implements AttentionMode {
        public Dhsa {
            if (predictor.isEmpty() && boundaries.isEmpty()) {
                throw new IllegalArgumentException("DHSA needs a boundary predictor, or boundaries");
            }
        }

        public static Dhsa predicted(DhsaConfig config, BoundaryPredictorWeights predictor) {
            return new Dhsa(config, Optional.of(predictor), Optional.empty());
        }

        public static Dhsa given(DhsaConfig config, Boundaries boundaries) {
            return new Dhsa(config, Optional.empty(), Optional.of(boundaries));
        }
    }

    /// Any rule of selection, for comparing them.
    ///
    /// @param setting where it rules
    record Policy(SelectionPolicy policy, PolicySetting setting) implements AttentionMode {

        public static Policy strict(SelectionPolicy policy) {
            return new Policy(policy, PolicySetting.STRICT);
        }
    }
}
