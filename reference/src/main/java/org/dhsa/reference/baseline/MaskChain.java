package org.dhsa.reference.baseline;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.IntStream;
import org.dhsa.reference.gemma.AttentionRow;
import org.dhsa.reference.labels.MeanAttention;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// Masks that are built up in steps, each adding keys to what the steps before it let through.
///
///     sink    j < keys
///     local   i − window < j ≤ i
///     top-k   the `keys` largest logits among the causal keys that are not on yet
///     top-p   the fewest of these keys whose softmax, taken over them alone, exceeds `mass`
///     quest   the ⌊budget / page⌋ pages with the largest [PageBounds], of the pages that start at or before i
///
/// **Shapes** query `[heads, queryLen, headDim]`, key `[kvHeads, keyLen, headDim]` (read); the last query row stands at the last key.
/// **Source** the maskers of sparse-attention-hub, a research harness; each is a common baseline. Sink and local together are the A-shape.
/// **Golden** `hub_maskers`. **Pitfall** a key counts as on whoever put it on: top-k after sink adds `keys` new ones.
public final class MaskChain {

    private MaskChain() {}

    /// One step.
    public sealed interface Step {}

    /// The first keys.
    public record Sink(int keys) implements Step {}

    /// Recent keys, the query's own included. Keys after the query are cleared.
    ///
    /// @param fullWhenShort quirk: everything is on, keys after the query too, if there are at most window + queryLen keys
    public record Local(int window, boolean fullWhenShort) implements Step {}

    /// Best keys by logit.
    public record TopK(int keys) implements Step {}

    /// Best keys by softmax.
    public record TopP(double mass) implements Step {}

    /// Best pages.
    ///
    /// @param boundsSeeAhead quirk: the bound of the query's own page also covers its keys after the query
    public record Quest(int budget, int page, boolean boundsSeeAhead) implements Step {}

    /// @param scale of a logit
    public record Input(Tensor query, Tensor key, double scale) {
        public Input {
            DenseAttention.requireAttentionShapes(query, key, key);
            if (query.shape().extent("queryLen") > key.shape().extent("keyLen")) {
                throw new IllegalArgumentException("there are more query rows than keys: " + query.shape() + " and " + key.shape());
            }
        }
    }

    /// @return the mask after every step, `[step][head][row][key]`
    public static List<boolean[][][]> apply(Input in, List<Step> steps) {
        int heads = in.query().shape().extent("heads");
        int rows = in.query().shape().extent("queryLen");
        int length = in.key().shape().extent("keyLen");
        AttentionRow logits = new AttentionRow(in.query().toDouble(), in.key().toDouble(), in.key().toDouble(),
                new AttentionRule(in.scale(), OptionalDouble.empty(), Visibility.GLOBAL, 0, 0));
        boolean[][][] mask = new boolean[heads][rows][length];
        List<boolean[][][]> after = new ArrayList<>();
        for (Step step : steps) {
            for (int h = 0; h < heads; h++) {
                for (int r = 0; r < rows; r++) {
                    add(step, mask[h][r], length - rows + r, rows, in, h, r, logits);
                }
            }
            after.add(Arrays.stream(mask).map(m -> Arrays.stream(m).map(boolean[]::clone).toArray(boolean[][]::new)).toArray(boolean[][][]::new));
        }
        return after;
    }

    private static void add(Step step, boolean[] on, int position, int rows, Input in, int head, int row, AttentionRow logits) {
        switch (step) {
            case Sink sink -> Arrays.fill(on, 0, Math.min(sink.keys(), on.length), true);
            case Local local -> {
                if (local.fullWhenShort() && on.length <= local.window() + rows) {
                    Arrays.fill(on, true);
                } else {
                    Arrays.fill(on, Math.max(0, position - local.window() + 1), position + 1, true);
                    Arrays.fill(on, position + 1, on.length, false);
                }
            }
            case TopK top -> {
                int[] free = free(on, position);
                double[] scores = Arrays.stream(free).mapToDouble(j -> logits.logit(head, row, j)).toArray();
                Ranking.top(scores, top.keys()).forEach(n -> on[free[n]] = true);
            }
            case TopP top -> {
                int[] free = free(on, position);
                double[] weights = Arrays.stream(free).mapToDouble(j -> logits.logit(head, row, j)).toArray();
                MeanAttention.softmax(weights);
                double sum = 0;
                for (int n : Ranking.top(weights, weights.length)) {
                    on[free[n]] = true;
                    sum += weights[n];
                    if (sum > top.mass()) {
                        break;
                    }
                }
            }
            case Quest quest -> pages(quest, on, position, in, head, row);
        }
    }

    private static int[] free(boolean[] on, int position) {
        return IntStream.rangeClosed(0, position).filter(j -> !on[j]).toArray();
    }

    private static void pages(Quest quest, boolean[] on, int position, Input in, int head, int row) {
        DoubleTensor query = in.query().toDouble();
        DoubleTensor key = in.key().toDouble();
        int headDim = query.shape().extent("headDim");
        int q = (head * query.shape().extent("queryLen") + row) * headDim;
        int keyHead = head * key.shape().extent("kvHeads") / query.shape().extent("heads");
        PageBounds bounds = new PageBounds(key.rows(keyHead, keyHead + 1), Boundaries.uniform(on.length, quest.page()));
        double[] one = Arrays.copyOfRange(query.data(), q, q + headDim);
        double[] scores = IntStream.rangeClosed(0, position / quest.page())
                .mapToDouble(u -> quest.boundsSeeAhead() ? bounds.score(one, u) : bounds.score(one, u, position + 1)).toArray();
        for (int u : Ranking.top(scores, quest.budget() / quest.page())) {
            Arrays.fill(on, u * quest.page(), Math.min((u + 1) * quest.page(), position + 1), true);
        }
    }
}
