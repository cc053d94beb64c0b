package org.dhsa.stage;

import java.util.OptionalDouble;

/// How a layer turns queries and keys into attention logits, and who sees whom.
///
///     logit = cap · tanh(scale · q·k / cap)      then the mask, then the softmax
///
/// @param scale         `queryPreAttnScalar^-0.5`
/// @param softCap       cap of the scaled logit, empty for none
/// @param visibility    causal rule and window, by absolute position
/// @param queryStart    position of the first query row
/// @param keyStart      position of the first key row (a local cache has forgotten the oldest keys)
public record AttentionRule(double scale, OptionalDouble softCap, Visibility visibility, int queryStart, int keyStart) {

    public AttentionRule {
        if (!(scale > 0)) {
            throw new IllegalArgumentException("scale must be positive, was " + scale);
        }
        if (queryStart < 0 || keyStart < 0) {
            throw new IllegalArgumentException("positions must not be negative, were " + queryStart + " and " + keyStart);
        }
    }

    /// Scaled and capped logit of a raw dot product.
    public double logit(double dot) {
        double scaled = dot * scale;
        return softCap.isPresent() ? softCap.getAsDouble() * Math.tanh(scaled / softCap.getAsDouble()) : scaled;
    }
}
