package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.stage.AttentionRule;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Tensor;

/// The block masks of the authors' ICML 2026 code: fixed blocks on both sides, every query head for itself.
///
///     topk       S(i, j) = mean(queries of block i) · mean(keys of block j)
///     a          the same, with the first and the diagonal blocks forced
///     vs         the Z · ratio columns and the Z · (1 − ratio) distances with the most attention of the last queries, Z = budget · keyBlock;
///                S(i, j) = mass of the chosen columns in block j + mass of the chosen distances that lead from block i into block j
///     vs-sample  vs from a few of the last queries
///     vsb        vs on block means: z(j) = mean(last queries) · mean(keys of block j)
///
/// Rows that fit the budget are dense. In the others the forced blocks are kept, and the best by S up to the budget.
///
/// **Shapes** query `[heads, queryLen, headDim]`, key `[kvHeads, keyLen, headDim]` (read); masks `[query blocks][key blocks]` per head (new).
/// **Golden** `icml_masks/*`, with all of [IcmlQuirk]. **Source** the later version of DHSA (arXiv 2510.24606v2), its code's mask builders.
/// **Pitfall** `topk` reads no causal mask upstream: its own future eats its budget.
public final class IcmlBlockMask {

    /// Which mask.
    public enum Kind {
        TOPK("topk"), A("a"), VS("vs"), VSB("vsb"), VS_SAMPLE("vs-sample");

        private final String slug;

        Kind(String slug) {
            this.slug = slug;
        }

        public String slug() {
            return slug;
        }

        boolean verticalSlash() {
            return this == VS || this == VSB || this == VS_SAMPLE;
        }
    }

    private IcmlBlockMask() {}

    /// @param rule    scale, soft cap, window and place of the queries among the keys
    /// @param rows    queries, from the first, that are cut into blocks; all of them unless a tail is dense
    /// @param budget  key blocks per query block
    /// @param ratio   share of the token budget that goes to columns (`vertical_slash_ratio`, 0.5 in the paper's runs)
    /// @param samples last queries that are looked at by vs-sample
    /// @param ties    which of equal scores goes first
    public record Input(Kind kind, Tensor query, Tensor key, AttentionRule rule, int rows, int queryBlock, int keyBlock, int budget, double ratio,
                        int samples, Set<IcmlQuirk> quirks, TieOrder ties) {
        public Input {
            quirks = Set.copyOf(quirks);
            if (!(ratio >= 0 && ratio <= 1)) {
                throw new IllegalArgumentException("ratio must be between 0 and 1, was " + ratio);
            }
            boolean served = quirks.contains(IcmlQuirk.EMPTY_BUDGET_SERVED);
            if (budget < 0 && (!served || kind == Kind.TOPK) || budget == 0 && !served) {
                throw new IllegalArgumentException("budget must be positive, was " + budget);
            }
            IcmlBlocks blocks = new IcmlBlocks(0, rows, key.shape().extent(1), queryBlock, keyBlock, rule);
            if (quirks.contains(IcmlQuirk.ZERO_PADDED) && (rows % blocks.queryBlock() != 0 || blocks.keyLen() % blocks.keyBlock() != 0)) {
                throw new IllegalArgumentException("the published masks take whole blocks: " + rows + " queries in blocks of " + queryBlock + ", "
                        + blocks.keyLen() + " keys in blocks of " + keyBlock + "; pad them first");
            }
            if (samples <= 0) {
                throw new IllegalArgumentException("samples must be positive, was " + samples);
            }
        }

        boolean has(IcmlQuirk quirk) {
            return quirks.contains(quirk);
        }

        public IcmlBlocks blocks() {
            return new IcmlBlocks(has(IcmlQuirk.ROWS_FROM_KEY_ZERO) ? 0 : rule.queryStart() - rule.keyStart(), rows, key.shape().extent(1), queryBlock, keyBlock, rule);
        }

        /// T, the budget that rows are cut to.
        int budgetCut() {
            return Math.min(Math.max(budget, 0), blocks().keyBlocks());
        }
    }

    /// What the scores of one head are made of; absent parts are empty.
    ///
    /// @param columnMass   weight that each key got from the last queries (vs)
    /// @param distanceMass weight at each distance (vs)
    /// @param columns      chosen columns, ascending: keys (vs) or key blocks (vsb)
    /// @param distances    chosen distances, ascending: in keys (vs) or key blocks (vsb)
    /// @param columnScores `[key blocks]` sum of the chosen columns in each block
    /// @param lastScores   `[key blocks]` z of vsb
    /// @param rowScores    `[query blocks][key blocks]` before anything is masked
    /// @param products     pairs of vectors whose dot product was taken
    public record Estimate(double[] columnMass, double[] distanceMass, int[] columns, int[] distances, double[] columnScores, double[] lastScores,
                           double[][] rowScores, long products) {}

    /// One head.
    ///
    /// @param candidates `[query blocks][key blocks]` scores that a row was filled by, −∞ where a block is no candidate
    /// @param always     kept under every order of equal scores
    /// @param possible   kept under at least one
    public record Head(Estimate estimate, double[][] candidates, boolean[][] mask, boolean[][] always, boolean[][] possible) {}

    /// @param dense     rows that read everything before them
    /// @param forced    blocks that a row keeps whatever their score; all of a dense row
    /// @param remaining blocks that scores may add to a row
    public record Output(IcmlBlocks blocks, boolean[] dense, boolean[][] forced, int[] remaining, List<Head> heads) {}

    public static Output apply(Input in) {
        IcmlBlocks blocks = in.blocks();
        int rows = blocks.queryBlocks();
        boolean[] dense = new boolean[rows];
        boolean[][] forced = new boolean[rows][];
        boolean[][] candidate = new boolean[rows][];
        int[] remaining = new int[rows];
        for (int i = 0; i < rows; i++) {
            dense[i] = dense(in, blocks, i);
            boolean[] kept = forced(in, blocks, i);
            candidate[i] = candidates(in, blocks, i, kept);
            remaining[i] = dense[i] ? 0 : Math.min(Math.max(0, in.budgetCut() - count(kept)), count(candidate[i]));
            forced[i] = dense[i] ? IcmlBlocks.range(blocks.keyBlocks(), blocks.oldest(i), blocks.recent(i)) : kept;
        }
        IcmlEstimate estimates = new IcmlEstimate(in, blocks);
        List<Head> heads = new ArrayList<>();
        for (int h = 0; h < in.query.shape().extent("heads"); h++) {
            Estimate estimate = estimates.head(h);
            double[][] scores = new double[rows][];
            boolean[][] mask = new boolean[rows][];
            boolean[][] always = new boolean[rows][];
            boolean[][] possible = new boolean[rows][];
            for (int i = 0; i < rows; i++) {
                scores[i] = masked(estimate.rowScores()[i], candidate[i]);
                IcmlCut cut = IcmlCut.of(scores[i], remaining[i], in.ties);
                mask[i] = or(forced[i], cut.picked());
                always[i] = or(forced[i], cut.always());
                possible[i] = or(forced[i], cut.possible());
            }
            heads.add(new Head(estimate, scores, mask, always, possible));
        }
        return new Output(blocks, dense, forced, remaining, heads);
    }

    private static boolean dense(Input in, IcmlBlocks blocks, int i) {
        if (in.kind == Kind.TOPK && in.has(IcmlQuirk.FUTURE_BLOCKS_COMPETE)) {
            return false;
        }
        boolean fits = blocks.recent(i) - blocks.oldest(i) + 1 <= in.budgetCut();
        int tokens = Math.min(blocks.keyLen(), in.budgetCut() * in.keyBlock);
        boolean prefix = in.kind.verticalSlash() && in.has(IcmlQuirk.DENSE_PREFIX_AND_LAST_ROW)
                && (i < (tokens + in.queryBlock - 1) / in.queryBlock || i == blocks.queryBlocks() - 1);
        return fits || prefix;
    }

    private static boolean[] forced(Input in, IcmlBlocks blocks, int i) {
        boolean[] forced = new boolean[blocks.keyBlocks()];
        if (in.kind == Kind.TOPK && in.has(IcmlQuirk.FUTURE_BLOCKS_COMPETE)) {
            return forced;
        }
        boolean lastOnly = in.kind != Kind.TOPK && in.kind != Kind.VSB && in.has(IcmlQuirk.ONLY_LAST_DIAGONAL_BLOCK);
        Arrays.fill(forced, lastOnly ? blocks.recent(i) : blocks.start(i), blocks.recent(i) + 1, true);
        if (in.kind != Kind.TOPK && (in.has(IcmlQuirk.SINK_EXCEEDS_BUDGET) || count(forced) < in.budgetCut())) {
            forced[blocks.oldest(i)] = true;
        }
        return forced;
    }

    private static boolean[] candidates(Input in, IcmlBlocks blocks, int i, boolean[] forced) {
        boolean[] candidates = new boolean[blocks.keyBlocks()];
        if (in.kind == Kind.TOPK && in.has(IcmlQuirk.FUTURE_BLOCKS_COMPETE)) {
            Arrays.fill(candidates, true);
            return candidates;
        }
        boolean again = in.kind == Kind.VSB && in.has(IcmlQuirk.FORCED_BLOCKS_PICKED_AGAIN);
        for (int j = blocks.oldest(i); j < blocks.recent(i); j++) {
            candidates[j] = !forced[j] || again && j > blocks.oldest(i);
        }
        return candidates;
    }

    private static double[] masked(double[] scores, boolean[] candidate) {
        return IntStream.range(0, scores.length).mapToDouble(j -> candidate[j] ? scores[j] : Double.NEGATIVE_INFINITY).toArray();
    }

    private static boolean[] or(boolean[] a, boolean[] b) {
        boolean[] or = a.clone();
        for (int j = 0; j < b.length; j++) {
            or[j] |= b[j];
        }
        return or;
    }

    private static int count(boolean[] flags) {
        int count = 0;
        for (boolean flag : flags) {
            count += flag ? 1 : 0;
        }
        return count;
    }
}
