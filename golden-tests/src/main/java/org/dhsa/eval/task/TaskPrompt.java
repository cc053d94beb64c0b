package org.dhsa.eval.task;

import java.util.Set;
import java.util.function.ToDoubleFunction;
import org.dhsa.eval.Prompt;

/// A prompt of a published task.
///
/// @param scorer of a free answer
public record TaskPrompt(String text, int[] ids, int questionTokens, int[] answerIds, int[] answerValues, int newTokens, Set<Integer> stopIds,
                         ToDoubleFunction<String> scorer) implements Prompt {

    /// Judged by what is generated.
    static TaskPrompt free(PromptFrame.Framed framed, int newTokens, Set<Integer> stopIds, ToDoubleFunction<String> scorer) {
        return new TaskPrompt(framed.text(), framed.ids(), framed.tailTokens(), new int[0], new int[0], newTokens, stopIds, scorer);
    }

    @Override
    public double score(String response) {
        return scorer.applyAsDouble(response);
    }
}
