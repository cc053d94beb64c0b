package org.dhsa.bug;

import java.util.Optional;
import java.util.OptionalInt;
import org.dhsa.model.Gemma2Config;

/// What a bug needs to know and a stage's input does not tell.
///
/// @param slidingWindow window of the local layers; without it a global layer cannot be turned into a local one
/// @param heads         query heads, for a stage that is given keys only
/// @param ropeTheta     base of the rotary angles, to take a rotation back
/// @param bosTokenId    token that stands at the start of every prompt
/// @param promptLength  tokens of the prompt, for a stage of a decode step
/// @param role          which of the model's tensors the stage made: `post_attention_layernorm`, `final_norm`
public record BugContext(OptionalInt slidingWindow, OptionalInt heads, double ropeTheta, int bosTokenId, OptionalInt promptLength,
                         Optional<String> role) {

    /// Nothing is known but what every released Gemma 2 has: theta 10000, bos 2.
    public static final BugContext DEFAULT = new BugContext(OptionalInt.empty(), OptionalInt.empty(), 10000, 2, OptionalInt.empty(), Optional.empty());

    public BugContext {
        if (!(ropeTheta > 0)) {
            throw new IllegalArgumentException("ropeTheta must be positive, was " + ropeTheta);
        }
    }

    /// @param promptLength tokens of the prompt
    public static BugContext of(Gemma2Config config, int promptLength) {
        return new BugContext(OptionalInt.of(config.slidingWindow()), OptionalInt.of(config.numAttentionHeads()), config.ropeTheta(),
                config.bosTokenId(), OptionalInt.of(promptLength), Optional.empty());
    }

    public BugContext withRole(String name) {
        return new BugContext(slidingWindow, heads, ropeTheta, bosTokenId, promptLength, Optional.of(name));
    }
}
