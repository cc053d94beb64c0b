package org.dhsa.generate;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.dhsa.forward.Gemma2Forward;

/// The loop: read the prompt, choose a token, feed it back, until a stop token or the limit.
public final class Generator {

    /// @param ids          new tokens, the stop token included if one was chosen
    /// @param stopped      ended by a stop token, not by the limit
    /// @param promptLogits logits after the last prompt token, `[vocab]`
    public record Result(int[] ids, boolean stopped, double[] promptLogits, Duration prefill, Duration decode) {

        /// The new tokens without the stop token.
        public int[] answer() {
            return stopped ? Arrays.copyOf(ids, ids.length - 1) : ids;
        }
    }

    private Generator() {}

    public static Result run(Gemma2Forward.Session session, int[] prompt, int maxNewTokens, List<Integer> stopIds,
                             Sampler sampler, IntConsumer onToken) {
        return run(session, prompt, prompt.length, maxNewTokens, stopIds, sampler, onToken);
    }

    /// Greedy, with at least so many new tokens before a stop token may be chosen.
    public static Result run(Gemma2Forward.Session session, int[] prompt, int maxNewTokens, int minNewTokens, List<Integer> stopIds) {
        return run(session, prompt, prompt.length, maxNewTokens, minNewTokens, stopIds, Sampler.greedy(), id -> {});
    }

    public static Result run(Gemma2Forward.Session session, int[] prompt, int promptTile, int maxNewTokens, List<Integer> stopIds,
                             Sampler sampler, IntConsumer onToken) {
        return run(session, prompt, promptTile, maxNewTokens, 0, stopIds, sampler, onToken);
    }

    /// @param session a fresh one
    /// @param promptTile tokens of the prompt to read at once; less than all only with dense attention
    /// @param minNewTokens so many tokens are chosen among those that do not stop
    /// @param onToken told of every new token as soon as it is chosen
    /// @throws NotANumberException if a logit is not finite
    private static Result run(Gemma2Forward.Session session, int[] prompt, int promptTile, int maxNewTokens, int minNewTokens, List<Integer> stopIds,
                              Sampler sampler, IntConsumer onToken) {
        long start = System.nanoTime();
        int read = 0;
        for (; prompt.length - read > promptTile; read += promptTile) {
            session.prefill(Arrays.copyOfRange(prompt, read, read + promptTile));
        }
        double[] promptLogits = finite(session.prefill(Arrays.copyOfRange(prompt, read, prompt.length)).toDouble().data(), session);
        long promptRead = System.nanoTime();
        IntStream.Builder ids = IntStream.builder();
        double[] logits = promptLogits;
        boolean stopped = false;
        for (int n = 0; n < maxNewTokens && !stopped; n++) {
            int id = sampler.next(n < minNewTokens ? without(logits, stopIds) : logits);
            ids.add(id);
            onToken.accept(id);
            stopped = stopIds.contains(id);
            if (!stopped && n + 1 < maxNewTokens) {
                logits = finite(session.decode(id).toDouble().data(), session);
            }
        }
        return new Result(ids.build().toArray(), stopped, promptLogits, Duration.ofNanos(promptRead - start),
                Duration.ofNanos(System.nanoTime() - promptRead));
    }

    private static double[] without(double[] logits, List<Integer> ids) {
        double[] left = logits.clone();
        ids.forEach(id -> left[id] = Double.NEGATIVE_INFINITY);
        return left;
    }

    private static double[] finite(double[] logits, Gemma2Forward.Session session) {
        for (double logit : logits) {
            if (!Double.isFinite(logit)) {
                throw new NotANumberException(session.position() - 1);
            }
        }
        return logits;
    }
}
