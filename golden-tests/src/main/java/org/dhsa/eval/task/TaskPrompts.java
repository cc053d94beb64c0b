package org.dhsa.eval.task;

import org.dhsa.cli.BadInput;

/// Makes the prompts of RULER's tasks for one model. The same arguments give the same prompt, whatever was made before.
public interface TaskPrompts {

    /// @param length tokens for prompt and answer
    /// @param sample number of the prompt
    /// @throws BadInput if the length is too small for the task
    TaskPrompt prompt(RulerTask task, int length, int sample);

    /// What the prompts are made of, so that results of different sources are never mixed.
    String fingerprint();

    /// A number that differs with every argument.
    static long seed(long seed, RulerTask task, int length, int sample) {
        return ((seed * 1_000_003L + task.ordinal()) * 1_000_003L + length) * 1_000_003L + sample;
    }
}
