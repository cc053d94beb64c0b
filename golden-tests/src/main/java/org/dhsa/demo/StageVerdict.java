package org.dhsa.demo;

/// How one stage fared against its golden recordings.
///
/// @param nearTie   passed although another order of equal scores was met
/// @param budget    error that is allowed where the worst one was found
public record StageVerdict(String stage, int pass, int nearTie, int fail, double worstError, double budget) {}
