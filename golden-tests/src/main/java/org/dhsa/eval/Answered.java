package org.dhsa.eval;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.generate.AttentionCount;
import org.dhsa.generate.Generator;
import org.dhsa.tensor.Tensor;
import org.dhsa.weights.Tokenizer;

/// One prompt answered in one way.
///
/// @param score share of the values asked for whose every token is the likeliest one; for free text what the prompt's scorer says
/// @param nll   negative log probability of the right answer, in nats, summed over its tokens; empty for free text
/// @param kl    KL divergence from dense attention's next-token distribution, in nats, mean over the answer's tokens
/// @param response what was said, null where the right answer was fed
/// @param logProbabilities `[answer tokens, vocab]`, of dense attention kept for [#kl]
public record Answered(double score, OptionalDouble nll, OptionalDouble kl, AttentionCount count, String response,
                       double[][] logProbabilities) {

    /// The right answer is fed token by token: every token of a greedy answer is right exactly when each is the likeliest one after
    /// the right ones before it. Free text is generated instead.
    ///
    /// @param dense what dense attention said to the same prompt, null when this is dense attention or it is not wanted
    public static Answered run(Gemma2Forward forward, AttentionMode mode, Prompt prompt, Tokenizer tokenizer, Answered dense) {
        AttentionCount count = new AttentionCount();
        Gemma2Forward.Session session = forward.open(mode, count);
        if (prompt.free()) {
            List<Integer> stops = new ArrayList<>(forward.config().eosTokenIds());
            stops.addAll(prompt.stopIds());
            Generator.Result result = Generator.run(session, prompt.ids(), prompt.newTokens(), prompt.stopIds().isEmpty() ? 0 : 1, stops);
            double[][] first = {logProbabilities(result.promptLogits())};
            String response = tokenizer.decode(result.answer());
            return new Answered(prompt.score(response), OptionalDouble.empty(), kl(dense, first), count, response, first);
        }
        int[] answer = prompt.answerIds();
        int[] values = prompt.answerValues();
        boolean[] right = new boolean[Arrays.stream(values).max().orElse(0) + 1];
        Arrays.fill(right, true);
        List<double[]> rows = new ArrayList<>();
        Tensor logits = session.prefill(prompt.ids());
        double nll = 0;
        for (int i = 0; i < answer.length; i++) {
            if (values[i] != Prompt.NOT_JUDGED) {
                double[] row = logProbabilities(logits.toDouble().data());
                rows.add(row);
                nll -= row[answer[i]];
                right[values[i]] &= best(row) == answer[i];
            }
            if (i + 1 < answer.length) {
                logits = session.decode(answer[i]);
            }
        }
        double[][] all = rows.toArray(double[][]::new);
        int found = 0;
        for (boolean value : right) {
            found += value ? 1 : 0;
        }
        return new Answered((double) found / right.length, OptionalDouble.of(nll), kl(dense, all), count, null, all);
    }

    /// `log softmax` of one row.
    static double[] logProbabilities(double[] logits) {
        double max = Double.NEGATIVE_INFINITY;
        for (double logit : logits) {
            max = Math.max(max, logit);
        }
        double sum = 0;
        for (double logit : logits) {
            sum += Math.exp(logit - max);
        }
        double norm = max + Math.log(sum);
        double[] out = new double[logits.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = logits[i] - norm;
        }
        return out;
    }

    /// `mean over rows of Σ p (log p − log q)`, p dense attention's.
    private static OptionalDouble kl(Answered dense, double[][] q) {
        if (dense == null) {
            return OptionalDouble.empty();
        }
        double sum = 0;
        for (int row = 0; row < q.length; row++) {
            double[] p = dense.logProbabilities[row];
            for (int v = 0; v < p.length; v++) {
                sum += Math.exp(p[v]) * (p[v] - q[row][v]);
            }
        }
        return OptionalDouble.of(Math.max(0, sum / q.length));
    }

    private static int best(double[] row) {
        int best = 0;
        for (int i = 1; i < row.length; i++) {
            best = row[i] > row[best] ? i : best;
        }
        return best;
    }
}
