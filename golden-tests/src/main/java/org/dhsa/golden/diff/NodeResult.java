package org.dhsa.golden.diff;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.dhsa.golden.Verdict;

/// One call of a stage after the comparison.
///
/// @param compared its tensors against EXPECTED
/// @param missing  its tensors that ACTUAL does not have
/// @param alone    its tensors against what the reference makes of ACTUAL's own inputs; empty if that was not asked or not possible
/// @param aloneNote why it could not be judged alone; empty if it was, or was not asked
/// @param bridged  calls whose results ACTUAL does not have, computed by the reference to get the inputs; a divergence may lie in them
record NodeResult(TraceNode node, List<TensorDiff> compared, List<String> missing, List<TensorDiff> alone, String aloneNote, List<TraceNode> bridged, Cause cause) {

    /// What a divergence comes from.
    enum Cause {
        /// Nothing differs.
        SAME,
        /// Nothing of it is in ACTUAL.
        MISSING,
        /// The first that differs, and it differs also when the reference is given ACTUAL's inputs.
        FIRST,
        /// Differs from what the reference makes of ACTUAL's inputs: another mistake.
        OWN,
        /// Differs, but is what the reference makes of ACTUAL's inputs.
        FOLLOWS,
        /// Differs; whether by itself cannot be told.
        OPEN
    }

    /// The tensor to look at: judged alone if it was, the worst first in order.
    Optional<TensorDiff> worst() {
        return alone.stream().filter(TensorDiff::differs).findFirst().or(this::worstCompared);
    }

    Optional<TensorDiff> worstCompared() {
        return compared.stream().filter(TensorDiff::differs).findFirst();
    }

    boolean differs() {
        return cause != Cause.SAME && cause != Cause.MISSING;
    }

    /// Lists of keys that exchange equal scores.
    boolean nearTie() {
        return Stream.concat(compared.stream(), alone.stream()).anyMatch(d -> d.verdict() == Verdict.NEAR_TIE);
    }

    /// Must be mended by itself.
    boolean guilty() {
        return cause == Cause.FIRST || cause == Cause.OWN;
    }
}
