package org.dhsa.stage;

/// One stage of the computation: a pure function from an input record to an output record.
///
/// The component names of both records are the names of the golden tensors. A stage keeps no state, reads its input
/// and never writes into it.
@FunctionalInterface
public interface StageOp<I, O> {
    O apply(I input);
}
