package org.dhsa.policy;

import org.dhsa.stage.AttentionRule;

/// A rule that says which keys each query may read: the seam behind which DHSA stands beside what it is compared with.
///
///     queries, keys of a layer  →  for every block of queries a list of keys  →  [org.dhsa.stage.SparseAttention]
///
/// A policy is a description without state; what outlives a layer or a step (boundaries, shared lists, kept keys) lives in
/// the [Selector] of one sequence. Whoever attends is the backend's sparse attention, the same for all policies, so that
/// two policies differ in what they read and in nothing else.
public interface SelectionPolicy {

    /// Name and every parameter, as the registry reads it: `sliding:window=256,block=1`. Two policies of one name select the same.
    String name();

    /// State for one sequence.
    ///
    /// @param promptIds token ids of the prompt, for policies that look at the text; empty when only states are given
    Selector open(int[] promptIds);

    /// How a layer attends under this policy; Gemma 2's own rule unless a policy is known to change it.
    ///
    /// @param gemma    scale, soft cap and window as the model defines them
    /// @param decoding true for a token after the prompt
    default AttentionRule attentionRule(AttentionRule gemma, boolean decoding) {
        return gemma;
    }

    /// What a policy remembers while it walks through the layers of a prompt and then through the tokens after it.
    ///
    /// Layers come in order, 0 first, once for the prompt and once for every new token, each to [#select] or to [#observe]. Not for several threads.
    interface Selector {

        /// The keys that the query rows of a layer may read.
        LayerSelection select(LayerState layer);

        /// A layer that the setting leaves dense, shown so that a policy may learn from it: DHSA finds its boundaries in layer 0.
        default void observe(LayerState layer) {}
    }
}
