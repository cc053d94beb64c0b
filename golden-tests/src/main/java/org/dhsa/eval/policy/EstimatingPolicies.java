package org.dhsa.eval.policy;

/// Policies that estimate attention from a sample of it: MInference, XAttention, FlexPrefill, SampleAttention.
final class EstimatingPolicies {

    private EstimatingPolicies() {}

    static void addTo(PolicyRegistry.Adder registry) {}
}
