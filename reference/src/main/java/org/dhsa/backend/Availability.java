package org.dhsa.backend;

/// What a provider's probe found. A missing device or flag is an answer, not an exception.
public sealed interface Availability {

    /// @param description what will run, for people: "FP64 reference on EJML"
    record Available(String description) implements Availability {}

    /// @param why    what is missing
    /// @param remedy what to do about it
    record Missing(String why, String remedy) implements Availability {}
}
