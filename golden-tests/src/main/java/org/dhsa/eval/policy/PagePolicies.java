package org.dhsa.eval.policy;

/// Policies that read pages or clusters of keys: Quest, Tactic, Squeezed Attention and their kin.
final class PagePolicies {

    private PagePolicies() {}

    static void addTo(PolicyRegistry.Adder registry) {}
}
