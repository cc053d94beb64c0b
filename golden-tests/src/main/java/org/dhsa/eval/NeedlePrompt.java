package org.dhsa.eval;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// One needle-in-a-haystack prompt and its answer.
///
/// @param length         tokens that prompt and answer may take together
/// @param depth          where the needle that is asked for stands: percent of the haystack before it
/// @param needles        needles in the haystack, all with different keys
/// @param sample         number of the prompt among those of the same length, depth and number of needles
/// @param ids            the prompt, `<bos>` first
/// @param questionTokens tokens at the prompt's end that the authors' setting reads densely: the question and one more, as theirs
/// @param answer         the right answer
/// @param answerIds      the tokens that must all be right, empty when the answer is free text, judged by the words it holds
public record NeedlePrompt(int length, int depth, int needles, int sample, String text, int[] ids, int questionTokens, String answer, int[] answerIds) implements Prompt {

    @Override
    public int newTokens() {
        return ProsePrompts.NEW_TOKENS;
    }

    @Override
    public double score(String response) {
        return overlap(response);
    }

    /// Share of the answer's different words that the response holds: the score of the published needle test.
    ///
    ///     score = |words(response) ∩ words(answer)| / |words(answer)|
    public double overlap(String response) {
        Set<String> wanted = new HashSet<>(List.of(answer.strip().split("\\s+")));
        int all = wanted.size();
        wanted.retainAll(Set.of(Arrays.stream(response.strip().split("\\s+")).distinct().toArray(String[]::new)));
        return (double) wanted.size() / all;
    }
}
