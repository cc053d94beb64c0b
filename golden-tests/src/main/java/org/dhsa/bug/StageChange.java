package org.dhsa.bug;

import org.dhsa.stage.StageOp;

/// One stage computed wrongly. It may change the input, the output, or ignore the healthy stage altogether.
///
/// Where the mistake makes no difference (no cap configured, a prompt shorter than the window) the result is the healthy one.
@FunctionalInterface
public interface StageChange<I, O> {
    O apply(StageOp<I, O> healthy, I in, BugContext context);
}
