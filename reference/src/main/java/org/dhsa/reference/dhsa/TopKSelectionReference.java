package org.dhsa.reference.dhsa;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.model.Quirk;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.TopKSelection;
import org.dhsa.stage.Visibility;
import org.dhsa.tensor.DoubleTensor;

/// Budgeted top-k: forced keys first, then the best scores until the budget is spent.
///
///     keys(block) = forced ∪ top_{budget − |forced|}( S_t[block, j] : j allowed, not forced )
///
/// **Shapes** tokenScores `[queryBlocks, keyLen]` (read), result one list of positions per block.
/// **Reading** allowed keys are a range; forced keys are the block's own positions, the tokens just before it and the first
/// of the range; the others are sorted by score, equal scores lowest position first, and cut.
/// **Golden** `dhsa_mask/random_0` (ties), `dhsa_mask/tiefree_0` (none), `dhsa_quirk/*` (the authors' way).
/// **Pitfall** forced keys are part of the budget, and no key is listed twice.
public final class TopKSelectionReference implements TopKSelection {

    @Override
    public Output apply(Input in) {
        DoubleTensor scores = in.tokenScores().toDouble();
        int keyLen = scores.shape().extent("keyLen");
        List<BlockSelection> lists = new ArrayList<>();
        for (QueryBlocks.Block block : in.queryBlocks().blocks()) {
            double[] row = Arrays.copyOfRange(scores.data(), block.segment() * keyLen, (block.segment() + 1) * keyLen);
            lists.add(select(row, block, in.visibility(), in.budget(), in.config()));
        }
        return new Output(new KeySelection(in.queryBlocks(), lists));
    }

    private static BlockSelection select(double[] scores, QueryBlocks.Block block, Visibility visibility, int budget, DhsaConfig config) {
        int keyLen = scores.length;
        int cut = cut(budget, keyLen, visibility, config);
        int start = allowedStart(block, visibility, config);
        int end = allowedEnd(block, keyLen, config);

        Set<Integer> forced = forced(block, start, end, cut, config);
        int[] candidates = IntStream.range(start, end).filter(j -> !forced.contains(j)).toArray();
        int[] ranked = rank(candidates, scores, config.tieOrder());
        int taken = Math.min(cut - forced.size(), ranked.length);

        double threshold = taken > 0 ? scores[ranked[taken - 1]] : Double.NaN;
        double margin = taken > 0 && taken < ranked.length ? threshold - scores[ranked[taken]] : Double.POSITIVE_INFINITY;
        int greater = (int) Arrays.stream(ranked, 0, taken).filter(j -> scores[j] > threshold).count();
        int[] tieGroup = Arrays.stream(candidates).filter(j -> scores[j] == threshold).toArray();

        int[] keys = IntStream.concat(forced.stream().mapToInt(Integer::intValue), Arrays.stream(ranked, 0, taken)).sorted().toArray();
        return new BlockSelection(finish(keys, block, visibility, cut, keyLen, config), forced.size(), taken, threshold, margin, greater, tieGroup);
    }

    /// Keys in a block's list, at most.
    public static int cut(int budget, int keyLen, Visibility visibility, DhsaConfig config) {
        int cut = Math.min(budget, keyLen);
        return visibility.isLocal() && config.has(Quirk.BUDGET_CUT_TO_WINDOW) ? Math.min(cut, visibility.window()) : cut;
    }

    /// One past the last key a block may read.
    public static int allowedEnd(QueryBlocks.Block block, int keyLen, DhsaConfig config) {
        return Math.min(keyLen, config.has(Quirk.ALLOWED_TO_FULL_BLOCK) ? block.nominalEnd() : block.end());
    }

    /// The positions among which a block's keys are chosen, ascending: a range.
    public static int[] allowed(QueryBlocks.Block block, Visibility visibility, int keyLen, DhsaConfig config) {
        return IntStream.range(allowedStart(block, visibility, config), allowedEnd(block, keyLen, config)).toArray();
    }

    /// First key a block may read: on local layers the oldest one that its first query sees.
    public static int allowedStart(QueryBlocks.Block block, Visibility visibility, DhsaConfig config) {
        if (!visibility.isLocal()) {
            return 0;
        }
        if (config.has(Quirk.WINDOW_FROM_BLOCK_END)) {
            return Math.max(0, block.nominalEnd() - visibility.window());
        }
        return new Visibility(visibility.window(), config.has(Quirk.WINDOW_PLUS_ONE)).first(block.start());
    }

    /// Keys kept whatever their score, at most `cut`, the most important first.
    public static Set<Integer> forced(QueryBlocks.Block block, int start, int end, int cut, DhsaConfig config) {
        IntStream local = config.has(Quirk.LOCAL_TOKENS_AT_BLOCK_END)
                ? IntStream.range(Math.max(start, end - config.localTokens()), end)
                : IntStream.concat(IntStream.range(block.start(), block.end()),
                        IntStream.iterate(block.start() - 1, j -> j - 1).limit(config.localTokens()));
        IntStream global = config.has(Quirk.GLOBAL_TOKENS_SPLICED) ? IntStream.empty() : IntStream.range(start, start + config.globalTokens());
        Set<Integer> forced = new LinkedHashSet<>();
        int[] inOrder = IntStream.concat(config.has(Quirk.LOCAL_TOKENS_AT_BLOCK_END) ? reversed(local) : local, global)
                .filter(j -> j >= start && j < end).toArray();
        for (int j : inOrder) {
            if (forced.size() < cut) {
                forced.add(j);
            }
        }
        return forced;
    }

    /// What upstream does to a sorted list afterwards: padding and splicing; the list itself in the corrected profile.
    public static int[] finish(int[] sorted, QueryBlocks.Block block, Visibility visibility, int cut, int keyLen, DhsaConfig config) {
        int[] keys = sorted;
        if (config.has(Quirk.PADDED_WITH_LAST_KEY)) {
            keys = Arrays.copyOf(sorted, cut);
            // a block that may read nothing, its window lying behind the last key, lists the first position instead
            boolean nothing = allowedStart(block, visibility, config) >= allowedEnd(block, keyLen, config);
            Arrays.fill(keys, sorted.length, cut, nothing ? 0 : keyLen - 1);
        }
        if (config.has(Quirk.GLOBAL_TOKENS_SPLICED)) {
            spliceGlobalTokens(keys, block, visibility, config.globalTokens(), keyLen);
        }
        return keys;
    }

    private static IntStream reversed(IntStream positions) {
        int[] ascending = positions.toArray();
        return IntStream.range(0, ascending.length).map(i -> ascending[ascending.length - 1 - i]);
    }

    /// Score descending; equal scores in tie order, 0 and −0 being equal. NaN ranks last.
    private static int[] rank(int[] candidates, double[] scores, TieOrder tieOrder) {
        Comparator<Integer> byPosition = tieOrder == TieOrder.LOW_POSITION_FIRST ? Comparator.naturalOrder() : Comparator.reverseOrder();
        return Arrays.stream(candidates).boxed()
                .sorted(Comparator.<Integer, Boolean>comparing(j -> Double.isNaN(scores[j]))
                        .thenComparingDouble(j -> 0.0 - scores[j])
                        .thenComparing(byPosition))
                .mapToInt(Integer::intValue).toArray();
    }

    /// The authors' way: the first entries of the sorted list, whatever they are, become the oldest keys of the window.
    private static void spliceGlobalTokens(int[] keys, QueryBlocks.Block block, Visibility visibility, int globalTokens, int keyLen) {
        int first = visibility.isLocal() ? Math.max(0, block.start() - visibility.window()) : 0;
        int last = Math.min(keyLen, block.nominalEnd()) - 1;
        for (int g = 0; g < Math.min(globalTokens, keys.length); g++) {
            keys[g] = Math.min(first + g, last);
        }
    }
}
