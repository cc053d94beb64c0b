package org.dhsa.bug;

import java.util.OptionalInt;

/// What a bug needs to know and a stage's input does not tell.
///
/// @param slidingWindow window of the local layers; without it a global layer cannot be turned into a local one
/// @param heads         query heads, for a stage that is given keys only
/// @param ropeTheta     base of the rotary angles, to take a rotation back
/// @param promptLength  tokens of the prompt, for a stage of a decode step
public record BugContext(OptionalInt slidingWindow, OptionalInt heads, double ropeTheta, OptionalInt promptLength) {

    /// Nothing is known but the theta of every released Gemma 2.
    public static final BugContext DEFAULT = new BugContext(OptionalInt.empty(), OptionalInt.empty(), 10000, OptionalInt.empty());

    public BugContext {
        if (!(ropeTheta > 0)) {
            throw new IllegalArgumentException("ropeTheta must be positive, was " + ropeTheta);
        }
    }
}
