package org.dhsa.eval;

import java.util.Set;

/// A prompt and how its answer is judged: by tokens that must each be the likeliest one, or as free text by a score.
public interface Prompt {

    /// In [#answerValues()]: a token that is fed and not judged.
    int NOT_JUDGED = -1;

    /// The prompt's tokens, `<bos>` first.
    int[] ids();

    /// Tokens at the prompt's end that the authors' setting reads densely: the question and one more, as theirs.
    int questionTokens();

    /// The tokens of the right answer, empty when the answer is free text.
    int[] answerIds();

    /// For each of [#answerIds()] the number of the value that it belongs to, from 0, or [#NOT_JUDGED]: a further question stands
    /// between two answers. Default: one value.
    default int[] answerValues() {
        return new int[answerIds().length];
    }

    default boolean free() {
        return answerIds().length == 0;
    }

    /// Most tokens of a free answer.
    int newTokens();

    /// Tokens that end a free answer, beside the model's own; none of them, nor of the model's, may then be its first token.
    default Set<Integer> stopIds() {
        return Set.of();
    }

    /// Score of a free answer, from 0 to 1.
    double score(String response);
}
