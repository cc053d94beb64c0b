package org.dhsa.demo;

import java.util.List;
import java.util.Optional;
import org.dhsa.generate.AttentionCount;
import org.dhsa.generate.Generator;
import org.dhsa.model.DhsaConfig;

/// One way of attending, and what came of it.
///
/// @param config empty for dense attention
/// @param tokens text of each new token
/// @param trace  empty for dense attention
public record AttentionRun(String title, String note, Optional<DhsaConfig> config, Generator.Result result, String answer, List<String> tokens,
                           Optional<Boolean> correct, AttentionCount count, Optional<Trace> trace) {

    public double seconds() {
        return (result.prefill().toMillis() + result.decode().toMillis()) / 1e3;
    }

    /// Largest difference of the logits after the last prompt token.
    public double logitDifference(AttentionRun other) {
        double worst = 0;
        for (int i = 0; i < result.promptLogits().length; i++) {
            worst = Math.max(worst, Math.abs(result.promptLogits()[i] - other.result.promptLogits()[i]));
        }
        return worst;
    }
}
