package org.dhsa.bug;

import java.util.Map;
import java.util.Optional;

/// Mutants that no input can tell from the healthy program, with the proof.
public final class Equivalent {

    private static final Map<String, String> PROOFS = Map.of();

    private Equivalent() {}

    /// Why this mutant computes what the healthy program computes, on every input that the format allows.
    public static Optional<String> proof(String mutant) {
        return Optional.ofNullable(PROOFS.get(mutant));
    }
}
