package org.dhsa.demo;

import java.util.Arrays;
import org.dhsa.stage.Stage;

/// How one stage fared against its golden recordings.
///
/// @param nearTie   passed although another order of equal scores was met
/// @param budget    error that is allowed where the worst one was found
public record StageVerdict(String stage, int pass, int nearTie, int fail, double worstError, double budget) {

    /// A stage of the forward pass; labels, metrics and baselines are recorded too.
    boolean isStage() {
        return Arrays.stream(Stage.values()).anyMatch(s -> s.slug().equals(stage));
    }

    /// Both in one line, with the error that comes nearest to what was allowed.
    StageVerdict together(StageVerdict other) {
        StageVerdict worse = share() >= other.share() ? this : other;
        return new StageVerdict("labels, metrics, baselines", pass + other.pass, nearTie + other.nearTie, fail + other.fail, worse.worstError, worse.budget);
    }

    private double share() {
        return budget == 0 ? worstError == 0 ? 0 : Double.POSITIVE_INFINITY : worstError / budget;
    }
}
