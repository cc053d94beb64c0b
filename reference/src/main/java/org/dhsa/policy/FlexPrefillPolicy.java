package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.dhsa.model.Profile;
import org.dhsa.reference.baseline.FlexPrefillBlocks;
import org.dhsa.reference.labels.MeanAttention;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.ChunkRepresentation;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// FlexPrefill: every head looks how well block means predict its last rows, and takes whole blocks or whole lines accordingly.
///
///     p = softmax_b( logit( mean of the last block_size queries · mean of key block b ) )
///     q = weights of these queries, averaged, summed by key block b
///     js(p, q) < tau    query-aware:     the fewest blocks with Σ ≥ gamma · all, over all rows of the pooled map together
///     otherwise         vertical-slash:  the fewest columns, and the fewest diagonals, with Σ ≥ gamma of these queries' weights
///
/// **Source** FlexPrefill (arXiv 2502.20766), algorithms 1 to 4. **Unit** a block of keys, or a column and a diagonal; every query head for itself.
/// **Budget** adaptive: a share of the estimated mass, with at least min_budget and at most max_budget columns, and as many diagonals. A query-aware head reads its
/// min_budget best columns and diagonals beside its blocks; max_budget does not bound its blocks. The first key block and the own block are always read.
/// **Cost of selecting** the logits of block_size rows, the means, and in query-aware heads a dot product per pair of blocks.
/// **Defaults** gamma 0.9, tau 0.1, min_budget 1024, no max_budget, block_size 128: what the official code (ByteDance-Seed/FlexPrefill) sets when it patches a model without
/// a configuration. Its README has min_budget 512 in the examples; its bare function has tau 0 and a budget of one token, rounded up to a block.
/// **Simplified** scale, soft cap and window are the model's own, for means too. The last rows of the prompt judge also where they attend densely
/// themselves. Rows of a block share a list, so each diagonal is a band of block_size keys. Decoding is dense, as in the paper.
/// **With a rule** ([BudgetRule]) the units are the blocks of query-aware heads: their lines, first and own blocks stay, and the pairs of what the pooled map adds are shared out again,
/// by its weights. A vertical-slash head keeps its static lists under any rule. Its static budget is the pairs that its columns, its bands and the first and own block read together:
/// each once, so that a pair on a column and on a band belongs to no line alone; and one choice of lines serves all rows, so that there is nothing to move from row to row.
/// With the profile `upstream` whole blocks of lines are kept, as in the official code ([FlexPrefillBlocks.Official]); a short prompt is dense there.
///
/// @param gamma     share of the mass to keep, above 0 and at most 1
/// @param tau       below this distance a head is query-aware; 0 for never
/// @param minBudget fewest columns, and fewest diagonals
/// @param maxBudget most columns, and most diagonals; 0 for no bound
/// @param blockSize queries, and keys, per block
/// @param profile   the paper, or the code
/// @param rule      how the blocks of query-aware heads are shared out among query blocks
public record FlexPrefillPolicy(double gamma, double tau, int minBudget, int maxBudget, int blockSize, Profile profile, BudgetRule rule) implements SelectionPolicy {

    public FlexPrefillPolicy(double gamma, double tau, int minBudget, int maxBudget, int blockSize, Profile profile) {
        this(gamma, tau, minBudget, maxBudget, blockSize, profile, BudgetRule.STATIC);
    }

    /// What one head's last rows show.
    ///
    /// @param lines     mass by column and by distance, averaged over the rows
    /// @param estimated by key block, from the means: p
    /// @param observed  by key block, exact: q
    public record HeadView(LineScores lines, double[] estimated, double[] observed) {

        /// How far the two are from each other.
        public double distance() {
            return FlexPrefillBlocks.distance(estimated, observed);
        }
    }

    public FlexPrefillPolicy {
        Lists.share("gamma", gamma);
        if (!(tau >= 0)) {
            throw new IllegalArgumentException("tau must be at least 0, was " + tau);
        }
        Lists.positive("min_budget", minBudget);
        if (maxBudget < 0 || maxBudget > 0 && maxBudget < minBudget) {
            throw new IllegalArgumentException("max_budget must be none or at least min_budget, were " + maxBudget + " and " + minBudget);
        }
        Lists.positive("block_size", blockSize);
    }

    @Override
    public String name() {
        return "flexprefill:gamma=" + gamma + ",tau=" + tau + ",min_budget=" + minBudget + ",max_budget=" + (maxBudget == 0 ? "none" : maxBudget)
                + ",block_size=" + blockSize + ",profile=" + profile.name().toLowerCase(Locale.ROOT) + rule.suffix();
    }

    @Override
    public Selector open(int[] promptIds) {
        BudgetRule.Ledger ledger = rule.open();
        return layer -> layer.decoding() || layer.denseFrom() == 0 || profile == Profile.UPSTREAM && official(layer).dense()
                ? DensePolicy.everything(layer) : select(layer, ledger);
    }

    private LayerSelection select(LayerState layer, BudgetRule.Ledger ledger) {
        KeyUnits units = KeyUnits.fixed(layer, blockSize, blockSize);
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        int judging = Math.min(blockSize, layer.end());
        int mapped = profile == Profile.UPSTREAM ? layer.end() : layer.denseFrom();
        int mapRows = Boundaries.uniform(mapped, blockSize).chunks();
        long flops = LineScores.flops(layer, layer.end() - judging) + ChunkCost.means(layer, judging, layer.end(), false)
                + 2L * units.units() * layer.headDim() * layer.heads();
        List<KeySelection> perHead = new ArrayList<>();
        for (int h = 0; h < layer.heads(); h++) {
            HeadView view = view(layer, weights, h, blockSize);
            boolean queryAware = view.distance() < tau;
            List<double[]> map = queryAware ? map(layer, h, mapped, blockSize) : List.of();
            perHead.add(profile == Profile.UPSTREAM ? upstream(ledger, h, units, view, map) : corrected(ledger, h, units, view, map));
            if (!queryAware) {
                ledger.skip(layer.layer(), h);
            }
            flops += queryAware ? ((long) mapped + 2L * mapRows * units.units()) * layer.headDim() : 0;
        }
        return new LayerSelection(perHead, layer.heads(), flops);
    }

    private KeySelection corrected(BudgetRule.Ledger ledger, int head, KeyUnits units, HeadView view, List<double[]> map) {
        LayerState layer = units.layer();
        boolean queryAware = !map.isEmpty();
        Lines lines = new Lines(lines(view.lines().vertical(), queryAware), lines(view.lines().slash(), queryAware));
        double[] flat = map.stream().flatMapToDouble(Arrays::stream).toArray();
        boolean[] blocks = Lines.flags(Lists.best(flat, 0, queryAware ? OraclePolicy.countFor(flat, gamma) : 0), flat.length);
        Function<QueryBlocks.Block, IntPredicate> forced = rows -> j -> units.unitOf(j) == 0 || units.unitOf(j) == rows.segment() || lines.read(rows, j);
        Function<QueryBlocks.Block, BlockSelection> chosen = rows -> Lines.where(layer, rows,
                j -> forced.apply(rows).test(j) || queryAware && blocks[rows.segment() * units.units() + units.unitOf(j)]);
        return rule.isStatic() || !queryAware ? Lists.each(units.rows(), chosen)
                : UnitBudget.share(ledger, layer, head, units.rows(), units::unitOf, rows -> new UnitBudget.Candidates(chosen.apply(rows).keys(), forced.apply(rows),
                        map.get(rows.segment()), perKey(map.get(rows.segment()), units, rows)));
    }

    /// Weights of blocks, divided evenly among their visible keys.
    private static double[] perKey(double[] weights, KeyUnits units, QueryBlocks.Block rows) {
        return IntStream.range(0, units.units()).mapToDouble(u -> weights[u] / Math.max(1, units.visible(u, rows).count())).toArray();
    }

    private boolean[] lines(double[] scores, boolean queryAware) {
        int wanted = Math.max(minBudget, queryAware ? 0 : OraclePolicy.countFor(scores, gamma));
        return Lines.flags(Lists.best(scores, 0, maxBudget == 0 ? wanted : Math.min(maxBudget, wanted)), scores.length);
    }

    private FlexPrefillBlocks.Official official(LayerState layer) {
        return new FlexPrefillBlocks.Official(gamma, minBudget, maxBudget == 0 ? layer.end() : maxBudget, blockSize, layer.end());
    }

    private KeySelection upstream(BudgetRule.Ledger ledger, int head, KeyUnits units, HeadView view, List<double[]> map) {
        FlexPrefillBlocks.Official official = official(units.layer());
        int columns = official.wanted(official.cover(view.lines().vertical()), !map.isEmpty());
        int diagonals = official.wanted(official.cover(view.lines().slash()), !map.isEmpty());
        int[] vertical = official.verticalBlocks(view.lines().vertical(), columns);
        int[] slash = official.slashBlocks(view.lines().slash(), diagonals);
        boolean[][] kept = official.keep(vertical, slash, map);
        if (rule.isStatic() || map.isEmpty()) {
            return units.keep(kept);
        }
        int rows = units.rows().blocks().size();
        double[][] weights = map.subList(0, rows).toArray(double[][]::new);
        return units.keep(ledger, head, Arrays.copyOf(kept, rows), Arrays.copyOf(official.keep(vertical, slash, List.of()), rows), weights, weights);
    }

    /// The last rows of one head, looked at twice.
    public static HeadView view(LayerState layer, AttentionWeights weights, int head, int blockSize) {
        int end = layer.end();
        int from = Math.max(0, end - blockSize);
        Boundaries keyBlocks = Boundaries.uniform(end, blockSize);
        LineScores lines = LineScores.of(weights, head, from, end);
        double[] observed = new double[keyBlocks.chunks()];
        for (int n = 0; n < end; n++) {
            lines.vertical()[n] /= end - from;
            lines.slash()[n] /= end - from;
            observed[n / blockSize] += lines.vertical()[n];
        }
        Boundaries lastRows = from == 0 ? Boundaries.of(0, end) : Boundaries.of(0, from, end);
        DoubleTensor dots = dots(layer, head, lastRows, keyBlocks);
        int last = lastRows.chunks() - 1;
        return new HeadView(lines, row(layer, dots, last, layer.firstVisible(from) / blockSize, keyBlocks.chunks() - 1), observed);
    }

    /// Weights of pooled queries and pooled keys, `[query blocks][key blocks]`: every row sums to 1.
    ///
    /// @param end queries that take part, from position 0
    public static List<double[]> map(LayerState layer, int head, int end, int blockSize) {
        Boundaries rows = Boundaries.uniform(end, blockSize);
        DoubleTensor dots = dots(layer, head, rows, Boundaries.uniform(layer.end(), blockSize));
        List<double[]> map = new ArrayList<>();
        for (QueryBlocks.Block block : QueryBlocks.fixed(end, end, blockSize).blocks()) {
            map.add(row(layer, dots, block.segment(), layer.firstVisible(block.start()) / blockSize, block.segment()));
        }
        return map;
    }

    private static double[] row(LayerState layer, DoubleTensor dots, int row, int first, int last) {
        double[] weights = new double[dots.shape().extent(1)];
        Arrays.fill(weights, Double.NEGATIVE_INFINITY);
        for (int b = first; b <= last; b++) {
            weights[b] = layer.rule().logit(dots.at(row, b));
        }
        MeanAttention.softmax(weights);
        return weights;
    }

    private static DoubleTensor dots(LayerState layer, int head, Boundaries rows, Boundaries keyBlocks) {
        int kvHead = head * layer.kvHeads() / layer.heads();
        return layer.backend().chunkSimilarity().apply(new ChunkSimilarity.Input(means(layer, layer.backend().rows(layer.query(), head, head + 1), rows),
                means(layer, layer.backend().rows(layer.key(), kvHead, kvHead + 1), keyBlocks))).chunkScores().toDouble();
    }

    private static Tensor means(LayerState layer, Tensor states, Boundaries segments) {
        return layer.backend().chunkRepresentation().apply(
                new ChunkRepresentation.Input(states, segments, ChunkRepresentation.Pooling.MEAN, 0)).chunks();
    }
}
