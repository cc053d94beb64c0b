package org.dhsa.eval.policy;

/// Policies that choose blocks by learned gates, and the block masks of the later DHSA code.
final class GatePolicies {

    private GatePolicies() {}

    static void addTo(PolicyRegistry.Adder registry) {}
}
