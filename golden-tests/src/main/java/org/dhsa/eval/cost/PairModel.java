package org.dhsa.eval.cost;

import java.util.function.IntUnaryOperator;
import org.dhsa.eval.measure.AttentionWork;
import org.dhsa.model.DhsaConfig;
import org.dhsa.policy.BlockTopKPolicy;
import org.dhsa.policy.CachePolicy;
import org.dhsa.policy.DensePolicy;
import org.dhsa.policy.DhsaPolicy;
import org.dhsa.policy.OraclePolicy;
import org.dhsa.policy.SelectionPolicy;
import org.dhsa.policy.StreamingPolicy;

/// Query-key pairs of one head that a policy reads in a prompt, by length alone.
///
///     dense        Σ_i min(i + 1, window)
///     per row      Σ_i min(i + 1, budget, window)
///     per block    Σ_i min( visible(i), (row in block) + 1 + min(start of block, budget − block) )
///
/// A block's own keys are always in its list, so a row reads them up to itself, and budget − block earlier ones. For policies that position
/// alone decides, and on global layers, this is exact in the corrected profile. Two kinds are upper bounds: local layers, where a chosen key may
/// leave the window before its block ends, and oracles of several rows, where a row may not see all of its list. The dense tail of a setting
/// is not counted.
public final class PairModel {

    private PairModel() {}

    /// @param window keys a row of a local layer sees; 0 on global layers
    /// @throws IllegalArgumentException if the number depends on what is in the text: a top-p oracle, dynamic chunks of queries
    public static long pairs(SelectionPolicy policy, int length, int window) {
        if (length <= 0) {
            throw new IllegalArgumentException("length must be positive, was " + length);
        }
        return switch (policy) {
            case DensePolicy d -> rows(length, window, Integer.MAX_VALUE);
            case CachePolicy c -> rows(length, window, Integer.MAX_VALUE);
            case StreamingPolicy s -> streaming(s, length, window);
            case OraclePolicy o when o.mass() > 0 -> throw new IllegalArgumentException(o.name() + " reads as many keys as the text asks for: measure it");
            case OraclePolicy o -> rows(length, window, o.budget());
            case BlockTopKPolicy b -> blocks(length, window, b.block(), rows -> (Math.max(1, b.budget() / b.block()) - 1) * b.block());
            case DhsaPolicy d when d.config().queryChunking() == DhsaConfig.QueryChunking.DYNAMIC_CHUNKS -> throw new IllegalArgumentException(
                    "with queries=chunks the blocks are as long as the chunks of the text: measure it");
            case DhsaPolicy d -> blocks(length, window, d.config().blockSize(), rows -> d.config().budget() - rows);
            default -> throw new IllegalArgumentException("no cost is known for the policy " + policy.name());
        };
    }

    /// Keys in all lists of one head, or of all heads where they share: what a kernel loads that reads each list once. Rows without a list
    /// are read in tiles of [AttentionWork#DENSE_TILE]. Exact and bounded as [#pairs] is.
    ///
    /// @param window keys a row of a local layer sees; 0 on global layers
    public static long listed(SelectionPolicy policy, int length, int window) {
        return switch (policy) {
            case DensePolicy d -> tiles(length, window);
            case CachePolicy c -> tiles(length, window);
            case StreamingPolicy s -> streamed(s, length, window);
            case OraclePolicy o when o.mass() > 0 -> throw new IllegalArgumentException(o.name() + " reads as many keys as the text asks for: measure it");
            case OraclePolicy o -> lists(length, window, o.block(), rows -> o.budget() - rows);
            case BlockTopKPolicy b -> lists(length, window, b.block(), rows -> (Math.max(1, b.budget() / b.block()) - 1) * b.block());
            case DhsaPolicy d when d.config().queryChunking() == DhsaConfig.QueryChunking.DYNAMIC_CHUNKS -> throw new IllegalArgumentException(
                    "with queries=chunks the blocks are as long as the chunks of the text: measure it");
            case DhsaPolicy d -> lists(length, window, d.config().blockSize(), rows -> d.config().budget() - rows);
            default -> throw new IllegalArgumentException("no cost is known for the policy " + policy.name());
        };
    }

    /// True when one list serves all heads.
    static boolean sharedHeads(SelectionPolicy policy) {
        return switch (policy) {
            case BlockTopKPolicy b -> b.sharedHeads();
            case DhsaPolicy d -> d.sharedHeads();
            case OraclePolicy o -> o.sharedHeads();
            default -> true;
        };
    }

    private static long tiles(int length, int window) {
        long keys = 0;
        for (int start = 0; start < length; start += AttentionWork.DENSE_TILE) {
            keys += Math.min(length, start + AttentionWork.DENSE_TILE) - (window == 0 ? 0 : Math.max(0, start - window + 1));
        }
        return keys;
    }

    /// @param earlier keys before a block, by the number of its rows
    private static long lists(int length, int window, int block, IntUnaryOperator earlier) {
        long keys = 0;
        for (int start = 0; start < length; start += block) {
            int end = Math.min(length, start + block);
            keys += Math.min(Math.min(start, earlier.applyAsInt(end - start)) + end - start, end - (window == 0 ? 0 : Math.max(0, start - window + 1)));
        }
        return keys;
    }

    private static long streamed(StreamingPolicy policy, int length, int window) {
        long keys = 0;
        for (int start = 0; start < length; start += policy.block()) {
            int first = window == 0 ? 0 : Math.max(0, start - window + 1);
            int recent = Math.max(0, start - policy.window() + 1);
            keys += Math.max(0, Math.min(policy.sinks(), recent) - first) + Math.min(length, start + policy.block()) - Math.max(first, recent);
        }
        return keys;
    }

    private static long rows(int length, int window, int budget) {
        long most = Math.min(budget, window == 0 ? Integer.MAX_VALUE : window);
        long growing = Math.min(length, most);
        return growing * (growing + 1) / 2 + (length - growing) * most;
    }

    private static long streaming(StreamingPolicy policy, int length, int window) {
        long pairs = 0;
        for (int start = 0; start < length; start += policy.block()) {
            int end = Math.min(length, start + policy.block());
            for (int row = start; row < end; row++) {
                int first = window == 0 ? 0 : Math.max(0, row - window + 1);
                int recent = Math.max(0, start - policy.window() + 1);
                pairs += Math.max(0, Math.min(policy.sinks(), recent) - first) + row - Math.max(first, recent) + 1;
            }
        }
        return pairs;
    }

    /// A block's own keys are in its list, up to the row itself; so are `earlier` keys before it, if there are as many.
    ///
    /// @param earlier by the number of rows in a block
    private static long blocks(int length, int window, int block, IntUnaryOperator earlier) {
        long pairs = 0;
        for (int start = 0; start < length; start += block) {
            int end = Math.min(length, start + block);
            long before = Math.min(start, earlier.applyAsInt(end - start));
            for (int row = start; row < end; row++) {
                long visible = window == 0 ? row + 1 : Math.min(row + 1, window);
                pairs += Math.min(visible, before + row - start + 1);
            }
        }
        return pairs;
    }
}
