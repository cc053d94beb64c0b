package org.dhsa.eval.cost;

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
///     per block    rows whose block ends within the budget read all they see; a later row reads its own block up to itself, and
///                  budget − block earlier keys:  budget − block + (row in block) + 1
///
/// For policies that position alone decides, and on global layers, this is exact. On local layers it is an upper bound: a chosen key may
/// leave the window before the block ends. The dense tail of a setting is not counted.
public final class PairModel {

    private PairModel() {}

    /// @param window keys a row of a local layer sees; 0 on global layers
    /// @throws IllegalArgumentException if the number depends on what is in the text (a top-p oracle)
    public static long pairs(SelectionPolicy policy, int length, int window) {
        if (length <= 0) {
            throw new IllegalArgumentException("length must be positive, was " + length);
        }
        return switch (policy) {
            case DensePolicy d -> rows(length, window, Integer.MAX_VALUE);
            case CachePolicy c -> rows(length, window, Integer.MAX_VALUE);
            case StreamingPolicy s -> streaming(s, length, window);
            case OraclePolicy o when o.mass() > 0 -> throw new IllegalArgumentException(o.name() + " reads as many keys as the text asks for: measure it");
            case OraclePolicy o -> blocks(length, window, o.budget(), o.block(), false);
            case BlockTopKPolicy b -> blocks(length, window, Math.max(b.block(), b.budget() / b.block() * b.block()), b.block(), true);
            case DhsaPolicy d -> blocks(length, window, d.config().budget(), d.config().blockSize(), true);
            default -> throw new IllegalArgumentException("no cost is known for the policy " + policy.name());
        };
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

    /// @param ownForced the block's own keys are in its list; otherwise a row is taken to see its whole list
    private static long blocks(int length, int window, int budget, int block, boolean ownForced) {
        long pairs = 0;
        for (int start = 0; start < length; start += block) {
            int end = Math.min(length, start + block);
            for (int row = start; row < end; row++) {
                long visible = window == 0 ? row + 1 : Math.min(row + 1, window);
                long listed = end <= budget ? visible : ownForced ? budget - (end - start) + (row - start) + 1 : budget;
                pairs += Math.min(visible, listed);
            }
        }
        return pairs;
    }
}
