package org.dhsa.cli;

import java.time.Duration;
import java.util.Locale;
import org.dhsa.generate.AttentionCount;
import org.dhsa.generate.Generator;

/// How fast a text was read and written, and how much of it attention read, in one line.
final class GenerationSummary {

    private GenerationSummary() {}

    /// The first new token comes out of the prompt's own pass, so one token less was decoded than there are.
    static String of(int promptTokens, Generator.Result result, AttentionCount count) {
        int decoded = result.ids().length - 1;
        return "[" + tokens(promptTokens) + " read in " + time(result.prefill(), promptTokens)
                + (decoded > 0 ? "; " + tokens(decoded) + " more in " + time(result.decode(), decoded) : "")
                + "; pairs read: prompt " + share(count.localPrompt().plus(count.globalPrompt()))
                + (decoded > 0 ? ", new tokens " + share(count.localDecoded().plus(count.globalDecoded())) : "")
                + (result.stopped() ? "" : "; stopped by --max-new-tokens") + "]";
    }

    private static String tokens(int n) {
        return String.format(Locale.ROOT, "%,d token%s", n, n == 1 ? "" : "s");
    }

    private static String time(Duration time, int tokens) {
        double seconds = Math.max(1e-3, time.toMillis() / 1e3);
        double rate = tokens / seconds;
        return String.format(Locale.ROOT, "%.1f s, " + (rate < 10 ? "%.1f" : "%,.0f") + " a second", seconds, rate);
    }

    private static String share(AttentionCount.Pairs pairs) {
        return Math.round(100 * pairs.share()) + " %";
    }
}
