package org.dhsa.eval.task;

import java.util.function.IntFunction;
import java.util.function.ToIntFunction;
import org.dhsa.cli.BadInput;

/// How much haystack fits: the largest n whose prompt keeps within a number of tokens.
final class Fit {

    private Fit() {}

    /// @param least  no smaller n makes sense
    /// @param limit  no larger n gives a longer prompt
    /// @param make   the prompt with n units of haystack; longer with every unit
    /// @param tokens of a prompt
    /// @param what   the task, for the message
    /// @throws BadInput if not even the least fits
    static <T> T most(int room, int least, int limit, IntFunction<T> make, ToIntFunction<T> tokens, String what, int newTokens) {
        T best = make.apply(least);
        int shortest = tokens.applyAsInt(best);
        if (shortest > room) {
            throw new BadInput("--lengths: " + (room + newTokens) + " tokens are too few for " + what + " with this tokenizer; the least is " + (shortest + newTokens)
                    + (newTokens == 0 ? "." : ", " + newTokens + " of them for the answer."));
        }
        int fits = least;
        int tooMuch = limit + 1;
        for (int step = 1; fits + step < tooMuch; step *= 2) {
            T more = make.apply(fits + step);
            if (tokens.applyAsInt(more) > room) {
                tooMuch = fits + step;
            } else {
                best = more;
                fits += step;
            }
        }
        while (tooMuch - fits > 1) {
            int middle = (fits + tooMuch) >>> 1;
            T tried = make.apply(middle);
            if (tokens.applyAsInt(tried) <= room) {
                best = tried;
                fits = middle;
            } else {
                tooMuch = middle;
            }
        }
        return best;
    }
}
