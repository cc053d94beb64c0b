package org.dhsa.policy;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.dhsa.model.GateWeights.LearnedTopK;
import org.dhsa.tensor.DoubleTensor;

/// Scores of blocks as the learned masks of the later DHSA code give them.
///
///     p(s, u) = logit( mean of query segment s · mean of key segment u ),  4 query segments, 2 key segments
///     base = ln Σ exp p − ln 8
///     S(i, j) = base + bound · tanh( w · silu( local · W + context · C + b ) + c )
///
/// `local` are tanh(p − base), tanh(base), tanh of the standard deviation, of max − base and of base − min, and of the block's age a (blocks before
/// the row's last one, v visible): a / max(v − 1, 1), ln(1 + a) / max(ln(1 + v), 1), 1/√(a + 1). `context` are mean and standard deviation over
/// the row's visible blocks, first block and last block, of each of the eight products.
final class LearnedScores {

    private final LearnedTopK gate;
    private final LearnedTopK.Layer weights;
    private final IcmlBlocks blocks;
    private final LayerState layer;

    LearnedScores(LearnedTopK gate, LayerState layer, IcmlBlocks blocks) {
        this.gate = gate;
        this.weights = gate.layers().get(layer.layer());
        this.blocks = blocks;
        this.layer = layer;
    }

    /// `[query blocks][key blocks]`; −∞ where a row sees nothing of a block.
    double[][] head(int head, DoubleTensor query, DoubleTensor key) {
        int kvHead = head * layer.kvHeads() / layer.heads();
        double[][] scores = new double[blocks.queryBlocks()][blocks.keyBlocks()];
        for (int i = 0; i < scores.length; i++) {
            int first = blocks.oldest(i);
            int visible = blocks.recent(i) - first + 1;
            double[][] queries = segments(query, head, i * blocks.queryBlock(), Math.min(blocks.rows(), (i + 1) * blocks.queryBlock()), LearnedTopK.QUERY_SEGMENTS);
            double[][] pairs = new double[visible][];
            for (int j = 0; j < visible; j++) {
                int start = (first + j) * blocks.keyBlock();
                double[][] keys = segments(key, kvHead, start, Math.min(blocks.keyLen(), start + blocks.keyBlock()), LearnedTopK.KEY_SEGMENTS);
                pairs[j] = Arrays.stream(queries).flatMapToDouble(q -> Arrays.stream(keys).mapToDouble(k -> layer.rule().logit(IcmlBlocks.dot(q, k)))).toArray();
            }
            double[] fromContext = product(context(pairs), weights.context().rows(head, head + 1));
            Arrays.fill(scores[i], Double.NEGATIVE_INFINITY);
            for (int j = 0; j < visible; j++) {
                scores[i][first + j] = score(head, pairs[j], visible - 1 - j, visible, fromContext);
            }
        }
        return scores;
    }

    private double score(int head, double[] pairs, int age, int visible, double[] fromContext) {
        double largest = Arrays.stream(pairs).max().orElseThrow();
        double base = largest + Math.log(Arrays.stream(pairs).map(p -> Math.exp(p - largest)).sum()) - Math.log(pairs.length);
        double[] local = new double[LearnedTopK.LOCAL];
        for (int p = 0; p < pairs.length; p++) {
            local[p] = Math.tanh(pairs[p] - base);
        }
        int n = pairs.length;
        local[n] = Math.tanh(base);
        local[n + 1] = Math.tanh(deviation(pairs));
        local[n + 2] = Math.tanh(largest - base);
        local[n + 3] = Math.tanh(base - Arrays.stream(pairs).min().orElseThrow());
        local[n + 4] = age / Math.max(visible - 1.0, 1);
        local[n + 5] = Math.log1p(age) / Math.max(Math.log1p(visible), 1);
        local[n + 6] = 1 / Math.sqrt(age + 1.0);
        double[] hidden = product(local, weights.local().rows(head, head + 1));
        double[] bias = weights.innerBias().rows(head, head + 1);
        double[] outer = weights.outer().rows(head, head + 1);
        double correction = weights.outerBias().get(head);
        for (int u = 0; u < hidden.length; u++) {
            correction += outer[u] * VsPrefillPolicy.silu(hidden[u] + fromContext[u] + bias[u]);
        }
        return base + gate.bound() * Math.tanh(correction);
    }

    private static double[] context(double[][] pairs) {
        double[] context = new double[LearnedTopK.CONTEXT];
        for (int p = 0; p < LearnedTopK.PAIRS; p++) {
            int pair = p;
            double[] column = Arrays.stream(pairs).mapToDouble(row -> row[pair]).toArray();
            context[p] = Arrays.stream(column).average().orElseThrow();
            context[LearnedTopK.PAIRS + p] = deviation(column);
            context[2 * LearnedTopK.PAIRS + p] = column[0];
            context[3 * LearnedTopK.PAIRS + p] = column[column.length - 1];
        }
        return context;
    }

    private static double deviation(double[] values) {
        double mean = Arrays.stream(values).average().orElseThrow();
        return Math.sqrt(Arrays.stream(values).map(v -> (v - mean) * (v - mean)).sum() / values.length);
    }

    /// Means of equal parts of the rows `[from, to)`; a part without rows is the mean of all of them.
    private static double[][] segments(DoubleTensor states, int head, int from, int to, int count) {
        return IntStream.range(0, count).mapToObj(s -> {
            int start = from + s * (to - from) / count;
            int end = from + (s + 1) * (to - from) / count;
            return end > start ? IcmlBlocks.mean(states, head, start, end) : IcmlBlocks.mean(states, head, from, to);
        }).toArray(double[][]::new);
    }

    /// @param matrix `[row.length, out]`
    private static double[] product(double[] row, double[] matrix) {
        int out = matrix.length / row.length;
        double[] product = new double[out];
        for (int f = 0; f < row.length; f++) {
            for (int u = 0; u < out; u++) {
                product[u] += row[f] * matrix[f * out + u];
            }
        }
        return product;
    }

    /// Whole numbers between bounds that add up to a total, shared out by softmax weights.
    ///
    /// Every part starts at its lower bound. Eight times what is left is shared out by weight among the parts below their upper bounds; then fractions
    /// are cut, and the largest remainders are rounded up until the total is exact.
    ///
    /// @param low   Σ low ≤ total
    /// @param high  Σ high ≥ total
    static int[] budgets(double[] logits, int[] low, int[] high, int total) {
        int n = logits.length;
        double[] weights = logits.clone();
        org.dhsa.reference.labels.MeanAttention.softmax(weights);
        double[] part = Arrays.stream(low).asDoubleStream().toArray();
        double left = total - Arrays.stream(low).sum();
        for (int round = 0; round < 8 && left > 0; round++) {
            double open = IntStream.range(0, n).filter(r -> part[r] < high[r]).mapToDouble(r -> weights[r]).sum();
            double rest = 0;
            for (int r = 0; r < n && open > 0; r++) {
                if (part[r] < high[r]) {
                    double wanted = part[r] + left * weights[r] / open;
                    rest += Math.max(0, wanted - high[r]);
                    part[r] = Math.min(wanted, high[r]);
                }
            }
            left = open > 0 ? rest : left;
        }
        int[] whole = Arrays.stream(part).mapToInt(p -> (int) Math.floor(p)).toArray();
        int missing = total - Arrays.stream(whole).sum();
        while (missing > 0) {
            int next = IntStream.range(0, n).filter(r -> whole[r] < high[r]).boxed().max((a, b) -> part[a] - whole[a] == part[b] - whole[b]
                    ? Integer.compare(b, a) : Double.compare(part[a] - whole[a], part[b] - whole[b])).orElseThrow();
            whole[next]++;
            missing--;
        }
        return whole;
    }
}
