package org.dhsa.eval;

/// Makes needle prompts. The same arguments give the same prompt, whatever was made before.
public interface PromptSource {

    /// @param length  tokens for prompt and answer
    /// @param depth   percent of the haystack before the needle that is asked for
    /// @param needles needles with different keys
    /// @param sample  number of the prompt
    NeedlePrompt prompt(int length, int depth, int needles, int sample);

    /// What the haystack is made of, so that results of different haystacks are never mixed.
    String fingerprint();
}
