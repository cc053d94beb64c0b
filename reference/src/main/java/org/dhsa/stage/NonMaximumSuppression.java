package org.dhsa.stage;

import org.dhsa.model.DhsaConfig;
import org.dhsa.tensor.Tensor;

/// Logits to chunk boundaries: threshold, then greedy suppression in order of falling logit.
///
///     candidate p:  logitₚ > theta,  not within the filled ends,  not inside the instruction
///     accept p if |p − a| > nmsWindow for every accepted a;  stop at chunkBudget
///     boundaries = {0, L} ∪ {p + 1}
///
/// The end of the prompt before the instruction is accepted first and counts towards the budget.
public interface NonMaximumSuppression extends StageOp<NonMaximumSuppression.Input, NonMaximumSuppression.Output> {

    /// @param logits      `[keyLen]`
    /// @param window      w of the predictor: the first w-1 and the last w positions are filled with -100
    /// @param chunkBudget most accepted positions
    record Input(Tensor logits, int window, int chunkBudget, DhsaConfig config) {
        public Input {
            logits.shape().require("keyLen");
        }
    }

    /// @param filled     `[keyLen]`, the logits with -100 at the ends
    /// @param accepted   accepted positions, ascending; position p is the last token of its chunk
    record Output(Tensor filled, int[] accepted, Boundaries boundaries) {}
}
