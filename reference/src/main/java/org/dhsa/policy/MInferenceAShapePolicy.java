package org.dhsa.policy;

/// MInference's A-shape: the first keys and the recent ones, in the prompt only.
///
///     keys(i) = { j : j < n_init } ∪ { j : i − n_local < j ≤ i }
///
/// **Source** MInference (arXiv 2407.02490), section 3; the names are those of its code. **Unit** a key. **Score** none.
/// **Budget** n_init + n_local keys per row. **Cost of selecting** none. **Defaults** 1024 and 4096, the size to which the paper matches its other patterns.
/// **Simplified** the paper searches offline which head has which pattern; here one policy rules all heads. Decoding is dense, as in the
/// paper: that, and nothing else, is the difference to [StreamingPolicy].
///
/// @param nInit  first keys
/// @param nLocal recent keys, the row's own included
/// @param block  rows that share a list; above 1 a row reads up to `block − 1` keys more
public record MInferenceAShapePolicy(int nInit, int nLocal, int block) implements SelectionPolicy {

    public MInferenceAShapePolicy {
        if (nInit < 0) {
            throw new IllegalArgumentException("n_init must be at least 0, was " + nInit);
        }
        Lists.positive("n_local", nLocal);
        Lists.positive("block", block);
    }

    @Override
    public String name() {
        return "minference-a-shape:n_init=" + nInit + ",n_local=" + nLocal + ",block=" + block;
    }

    @Override
    public Selector open(int[] promptIds) {
        Selector streaming = new StreamingPolicy(nInit, nLocal, block).open(promptIds);
        return layer -> layer.decoding() ? DensePolicy.everything(layer) : streaming.select(layer);
    }
}
