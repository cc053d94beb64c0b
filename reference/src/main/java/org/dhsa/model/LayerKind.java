package org.dhsa.model;

/// How far back a decoder layer looks. Gemma 2 alternates: even layers are local, odd layers are global.
public sealed interface LayerKind {

    /// Sliding window: query i sees keys j with `i - window < j <= i`, so `window` keys with itself.
    record Local(int window) implements LayerKind {
        public Local {
            if (window <= 0) {
                throw new IllegalArgumentException("window must be positive, was " + window);
            }
        }
    }

    /// Query i sees every key `j <= i`.
    record Global() implements LayerKind {}
}
