package org.dhsa.reference.baseline;

import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.IntStream;
import org.dhsa.model.Profile;
import org.dhsa.reference.gemma.AttentionRow;
import org.dhsa.reference.labels.MeanAttention;
import org.dhsa.stage.AttentionRule;
import org.dhsa.stage.DenseAttention;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.tensor.Tensor;

/// What the three cache-compressing baselines share: how past keys are scored, and how kept ones are gathered.
///
///     score(h, j) = Σ softmax(qᵢ·kⱼ / √headDim) over the last queries i        for j before the window
///     out(g)      = mean over the query heads h of group g of rows(g)[kept(h)]
///
/// The authors repeat the keys for every query head, select, and average the repeated heads. As long as all heads keep the same
/// positions the mean changes nothing.
public final class KvCompression {

    private KvCompression() {}

    /// A layer's prompt.
    ///
    /// @param query `[heads, queryLen, headDim]`, after the rotary embedding
    /// @param key   `[kvHeads, keyLen, headDim]`, keyLen = queryLen
    /// @param value `[kvHeads, keyLen, headDim]`
    public record Input(Tensor query, Tensor key, Tensor value) {
        public Input {
            DenseAttention.requireAttentionShapes(query, key, value);
            key.shape().requireExtent("keyLen", query.shape().extent("queryLen"));
        }

        int length() {
            return key.shape().extent("keyLen");
        }

        int heads() {
            return query.shape().extent("heads");
        }
    }

    /// What is left of the cache.
    ///
    /// @param keyOut     `[kvHeads, keyLen, headDim]`
    /// @param valueOut   `[kvHeads, keyLen, headDim]`
    /// @param keptByHead one list per query head, in cache order
    public record Output(DoubleTensor keyOut, DoubleTensor valueOut, List<List<Integer>> keptByHead) {

        /// The positions kept, in cache order.
        ///
        /// @throws IllegalStateException if heads keep different ones
        public List<Integer> keptPositions() {
            if (keptByHead.stream().distinct().count() != 1) {
                throw new IllegalStateException("every head keeps its own positions");
            }
            return keptByHead.getFirst();
        }
    }

    /// How past keys are scored and chosen.
    ///
    /// @param windowSize          last queries that score, and whose keys are all kept
    /// @param maxCapacityPrompt   past keys that are kept (see each method for the exact meaning)
    /// @param headwiseSelection   every query head chooses for itself
    /// @param useGlobalScore      all queries score, not only the last ones; those before the window see the future too
    /// @param sliding             no scores: the most recent past keys; upstream forgets it under headwise selection
    /// @param profile             UPSTREAM fails where the authors' code does and averages unlike tokens of one group; CORRECTED keeps
    ///                            everything and lets a group choose together
    public record Config(int windowSize, int maxCapacityPrompt, boolean headwiseSelection, boolean useGlobalScore, boolean sliding,
                         Profile profile) {
        public Config {
            if (windowSize <= 0 || maxCapacityPrompt <= windowSize) {
                throw new IllegalArgumentException("maxCapacityPrompt must exceed windowSize, which must be positive, were "
                        + maxCapacityPrompt + " and " + windowSize);
            }
        }
    }

    /// `[heads][past]`: attention that each past key received, summed over the scoring queries.
    static double[][] scores(Input in, Config config) {
        DoubleTensor query = in.query().toDouble();
        DoubleTensor key = in.key().toDouble();
        int length = in.length();
        int past = length - config.windowSize();
        AttentionRow rows = new AttentionRow(query, key, key, new AttentionRule(
                1 / Math.sqrt(query.shape().extent("headDim")), OptionalDouble.empty(), Visibility.GLOBAL, 0, 0));
        double[][] scores = new double[in.heads()][past];
        for (int head = 0; head < in.heads(); head++) {
            for (int row = config.useGlobalScore() ? 0 : past; row < length; row++) {
                double[] weights = new double[length];
                for (int j = 0; j < length; j++) {
                    // the causal rule holds inside the window only
                    weights[j] = row >= past && j > row ? Double.NEGATIVE_INFINITY : rows.logit(head, row, j);
                }
                MeanAttention.softmax(weights);
                for (int j = 0; j < past; j++) {
                    scores[head][j] += weights[j];
                }
            }
        }
        return scores;
    }

    /// Positions of `count` past keys for every query head, best first; with `sliding` the most recent, ascending.
    static List<List<Integer>> choose(double[][] scores, int count, Config config, int kvHeads) {
        int heads = scores.length;
        int groups = heads / kvHeads;
        int past = scores[0].length;
        return IntStream.range(0, heads).mapToObj(head -> {
            boolean ignored = config.headwiseSelection() && config.profile() == Profile.UPSTREAM;
            if (config.sliding() && !ignored) {
                return IntStream.range(past - count, past).boxed().toList();
            }
            IntStream together = !config.headwiseSelection() ? IntStream.range(0, heads)
                    : config.profile() == Profile.UPSTREAM ? IntStream.of(head)
                    : IntStream.range(head / groups * groups, (head / groups + 1) * groups);
            double[] sum = new double[past];
            together.forEach(h -> Arrays.setAll(sum, j -> sum[j] + scores[h][j]));
            return Ranking.top(sum, count);
        }).toList();
    }

    /// The same positions for every query head.
    static List<List<Integer>> everyHead(int heads, IntStream positions) {
        List<Integer> kept = positions.boxed().toList();
        return IntStream.range(0, heads).mapToObj(h -> kept).toList();
    }

    static Output gather(Input in, List<List<Integer>> keptByHead) {
        return new Output(gather(in.key().toDouble(), keptByHead), gather(in.value().toDouble(), keptByHead), keptByHead);
    }

    private static DoubleTensor gather(DoubleTensor rows, List<List<Integer>> keptByHead) {
        int kvHeads = rows.shape().extent("kvHeads");
        int headDim = rows.shape().extent("headDim");
        int groups = keptByHead.size() / kvHeads;
        int kept = keptByHead.getFirst().size();
        DoubleTensor out = DoubleTensor.zeros(Shape.of("kvHeads", kvHeads, "keyLen", kept, "headDim", headDim));
        for (int head = 0; head < keptByHead.size(); head++) {
            for (int n = 0; n < kept; n++) {
                int to = (head / groups * kept + n) * headDim;
                int from = (head / groups * rows.shape().extent("keyLen") + keptByHead.get(head).get(n)) * headDim;
                for (int d = 0; d < headDim; d++) {
                    out.data()[to + d] += rows.data()[from + d] / groups;
                }
            }
        }
        return out;
    }
}
