package org.dhsa.eval.cost;

import org.dhsa.policy.BlockTopKPolicy;
import org.dhsa.policy.ChunkScoring;
import org.dhsa.policy.ChunkSource;
import org.dhsa.policy.DensePolicy;
import org.dhsa.policy.DhsaPolicy;
import org.dhsa.policy.OraclePolicy;
import org.dhsa.policy.PredictorCost;
import org.dhsa.policy.SelectionPolicy;

/// Operations, bytes and memory of a prompt and of a decoded token, from shapes alone. A multiply-add counts two operations.
///
///     matrices   2 · weights · tokens           (the head: last token only)
///     attention  4 · headDim · heads · pairs    (dot product and weighted sum)
///     selection  scoring of the policy, and the boundary predictor once (layer 0)
///
/// Norms, rotations, soft cap, softmax, gates and sorting are left out: together they are below one per cent of the operations.
public final class CostModel {

    private CostModel() {}

    /// Operations of a prompt.
    public record Flops(long matrices, long attention, long selection) {
        public long total() {
            return Math.addExact(matrices, Math.addExact(attention, selection));
        }

        /// Part of all operations that attention is.
        public double attentionShare() {
            return (double) attention / total();
        }
    }

    /// Memory while a prompt is read, in bytes.
    ///
    /// @param weights   all matrices in BF16, mapped from the file
    /// @param cache     keys and values of every token in every layer
    /// @param trimmed   the same where local layers keep only their window
    /// @param selection lists of keys, and chunk vectors and scores, of one layer
    /// @param eager     the score matrix of one layer that an implementation without tiles makes; not part of the total
    public record Memory(long weights, long cache, long trimmed, long selection, long eager) {
        public long total() {
            return weights + trimmed + selection;
        }
    }

    /// One decoded token: operations, and bytes that must come from memory.
    public record Decode(long flops, long bytes) {}

    /// A prompt of `length` tokens, every layer under the policy.
    public static Flops prefill(ModelShape shape, int length, SelectionPolicy policy) {
        long matrices = Math.addExact(Math.multiplyExact(2L * shape.layers() * shape.matrixWeightsPerLayer(), (long) length), 2L * shape.vocab() * shape.hidden());
        return new Flops(matrices, attention(shape, length, policy), selection(shape, length, policy));
    }

    /// Dense time over sparse time if every operation took the same time: the best that a policy can give to a whole prompt.
    ///
    /// @param freeSelection leave the cost of selecting out
    public static double gain(ModelShape shape, int length, SelectionPolicy policy, boolean freeSelection) {
        Flops sparse = prefill(shape, length, policy);
        return (double) prefill(shape, length, new DensePolicy()).total() / (sparse.total() - (freeSelection ? sparse.selection() : 0));
    }

    /// The same for attention alone, selection left out.
    public static double attentionGain(ModelShape shape, int length, SelectionPolicy policy) {
        return (double) attention(shape, length, new DensePolicy()) / attention(shape, length, policy);
    }

    private static long attention(ModelShape shape, int length, SelectionPolicy policy) {
        long pairs = Math.addExact(shape.globalLayers() * PairModel.pairs(policy, length, 0), shape.localLayers() * PairModel.pairs(policy, length, shape.window()));
        return Math.multiplyExact(pairs, 4L * shape.headDim() * shape.heads());
    }

    /// Chunks of a prompt: the largest number that suppression accepts, and one.
    static long chunks(DhsaPolicy policy, int length) {
        return policy.chunks() instanceof ChunkSource.Fixed fixed ? (length + fixed.size() - 1) / fixed.size() : policy.config().chunkBudget(length) + 1;
    }

    private static long selection(ModelShape shape, int length, SelectionPolicy policy) {
        return selection(shape, length, policy, policy instanceof DhsaPolicy d ? chunks(d, length) : 0);
    }

    /// What [org.dhsa.policy.LayerSelection] counts, summed over the layers.
    ///
    /// @param chunks of the prompt, for DHSA
    static long selection(ModelShape shape, int length, SelectionPolicy policy, long chunks) {
        return switch (policy) {
            case BlockTopKPolicy b -> {
                long blocks = (length + b.block() - 1) / b.block();
                yield shape.layers() * (means(shape, length, b.sharedHeads()) + 2 * blocks * blocks * shape.headDim() * (b.sharedHeads() ? 1 : shape.heads()));
            }
            case DhsaPolicy d -> {
                long blocks = (length + d.config().blockSize() - 1) / d.config().blockSize();
                long perPair = d.scoring() == ChunkScoring.MIN_MAX ? 4 : 2;
                long dots = blocks * chunks * perPair * shape.headDim() * (d.sharedHeads() ? 1 : shape.heads());
                long scored = d.config().shareMasks() ? Math.min(2, shape.layers()) : shape.layers();
                yield scored * (means(shape, length, d.sharedHeads()) + dots) + (d.config().shareBoundaries() ? 1 : shape.layers()) * boundaries(shape, length, d.chunks());
            }
            // the logits of dense attention: half of its operations
            case OraclePolicy o -> attention(shape, length, new DensePolicy()) / 2;
            default -> 0;
        };
    }

    /// Means of queries and keys. Where every head scores for itself, each reads the means of its own key head.
    private static long means(ModelShape shape, int length, boolean sharedHeads) {
        return (long) length * (shape.heads() + (sharedHeads ? shape.kvHeads() : shape.heads())) * shape.headDim();
    }

    /// The boundary predictor on one layer. A predictor made for another model counts as the same architecture on this one's channels.
    private static long boundaries(ModelShape shape, int length, ChunkSource source) {
        return switch (source) {
            case ChunkSource.Predicted p -> PredictorCost.flops(p.predictor(), shape.kvHeads() * shape.headDim(), length, length);
            case ChunkSource.Shuffled s -> boundaries(shape, length, s.lengths());
            case ChunkSource.Labels l -> Math.multiplyExact(PairModel.pairs(new DensePolicy(), length, shape.window()), 2L * shape.headDim() * shape.heads());
            default -> 0;
        };
    }

    /// Bytes of K and V that attention loads for a prompt: each list once per KV head, or once per query head where heads choose for
    /// themselves; dense rows in tiles. See [org.dhsa.eval.measure.AttentionWork].
    ///
    /// @param kvBytes bytes of one number in the cache: 4 or 2
    public static long kvLoaded(ModelShape shape, int length, SelectionPolicy policy, int kvBytes) {
        long rows = Math.addExact(shape.globalLayers() * PairModel.listed(policy, length, 0), shape.localLayers() * PairModel.listed(policy, length, shape.window()));
        return Math.multiplyExact(rows, 2L * shape.headDim() * kvBytes * (PairModel.sharedHeads(policy) ? shape.kvHeads() : shape.heads()));
    }

    /// @param kvBytes bytes of one number in the cache: 4 or 2
    public static Memory memory(ModelShape shape, int length, SelectionPolicy policy, int kvBytes) {
        long perToken = 2L * shape.kvHeads() * shape.headDim() * kvBytes;
        long cache = shape.layers() * length * perToken;
        long trimmed = (shape.globalLayers() * (long) length + shape.localLayers() * (long) Math.min(length, shape.window())) * perToken;
        long lists = switch (policy) {
            case BlockTopKPolicy b -> 4L * Math.ceilDiv(length, b.block()) * (Math.min(length, b.budget()) + Math.ceilDiv(length, b.block())) * (b.sharedHeads() ? 1 : shape.heads());
            case DhsaPolicy d -> 4L * (d.sharedHeads() ? 1 : shape.heads()) * (Math.ceilDiv(length, d.config().blockSize()) * (Math.min(length, d.config().budget()) + chunks(d, length))
                    + chunks(d, length) * shape.headDim());
            default -> 0;
        };
        return new Memory(2 * shape.matrixWeights(), cache, trimmed, lists, 4L * shape.heads() * length * length);
    }

    /// The token after `length` others.
    ///
    /// @param keysRead keys that it reads in a global layer, itself included; dense: length + 1
    /// @param kvBytes  bytes of one number in the cache
    public static Decode decode(ModelShape shape, int length, int keysRead, int kvBytes) {
        if (keysRead <= 0 || keysRead > length + 1) {
            throw new IllegalArgumentException("keysRead must lie in [1, " + (length + 1) + "], was " + keysRead);
        }
        long keys = shape.globalLayers() * (long) keysRead + shape.localLayers() * (long) Math.min(keysRead, shape.window());
        return new Decode(2 * shape.matrixWeights() + 4L * shape.headDim() * shape.heads() * keys,
                2 * shape.matrixWeights() + keys * 2 * shape.kvHeads() * shape.headDim() * kvBytes);
    }
}
