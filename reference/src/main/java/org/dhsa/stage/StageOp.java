package org.dhsa.stage;

/// One stage of the computation: a pure function from an input record to an output record.
///
/// A stage keeps no state, reads its input and never writes into it. The component names of both records are the field's
/// terms; the glossary says under which name a recording holds each tensor.
@FunctionalInterface
public interface StageOp<I, O> {
    O apply(I input);
}
