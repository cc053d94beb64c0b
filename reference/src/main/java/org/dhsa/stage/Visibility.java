package org.dhsa.stage;

import org.dhsa.model.LayerKind;

/// Which keys a query may see by position alone: the causal rule and, on local layers, the sliding window.
///
///     global:  k ≤ q          local:  q − window < k ≤ q          with the extra key:  q − window ≤ k ≤ q
///
/// @param window   keys a local query sees, itself included; 0 on global layers
/// @param extraKey one key more than Gemma 2 shows ([org.dhsa.model.Quirk#WINDOW_PLUS_ONE])
public record Visibility(int window, boolean extraKey) {

    public static final Visibility GLOBAL = new Visibility(0, false);

    public Visibility {
        if (window < 0) {
            throw new IllegalArgumentException("window must not be negative, was " + window);
        }
    }

    public static Visibility of(LayerKind kind) {
        return switch (kind) {
            case LayerKind.Local local -> new Visibility(local.window(), false);
            case LayerKind.Global() -> GLOBAL;
        };
    }

    public boolean isLocal() {
        return window > 0;
    }

    /// First key position that the query at this position sees.
    public int first(int queryPosition) {
        return isLocal() ? Math.max(0, queryPosition - window + (extraKey ? 0 : 1)) : 0;
    }

    /// Keys `first(q) .. q`, both inclusive.
    public boolean sees(int queryPosition, int keyPosition) {
        return keyPosition <= queryPosition && keyPosition >= first(queryPosition);
    }
}
