package org.dhsa.eval;

/// One needle-in-a-haystack prompt and its answer.
///
/// @param length         tokens that prompt and answer may take together
/// @param depth          where the needle that is asked for stands: percent of the haystack before it
/// @param needles        needles in the haystack, all with different keys
/// @param sample         number of the prompt among those of the same length, depth and number of needles
/// @param ids            the prompt, `<bos>` first
/// @param questionTokens tokens of the question at the prompt's end
/// @param answer         the right answer
/// @param answerIds      the tokens that must all be right, empty when the answer is free text, judged by the words it holds
public record NeedlePrompt(int length, int depth, int needles, int sample, String text, int[] ids, int questionTokens, String answer, int[] answerIds) {

    public boolean free() {
        return answerIds.length == 0;
    }

    /// Share of the answer's different words that the response holds: the score of the published needle test.
    ///
    ///     score = |words(response) ∩ words(answer)| / |words(answer)|
    public double overlap(String response) {
        java.util.Set<String> wanted = new java.util.HashSet<>(java.util.List.of(answer.strip().split("\\s+")));
        int all = wanted.size();
        wanted.retainAll(java.util.Set.of(java.util.Arrays.stream(response.strip().split("\\s+")).distinct().toArray(String[]::new)));
        return (double) wanted.size() / all;
    }
}
