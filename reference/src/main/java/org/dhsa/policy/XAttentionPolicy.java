package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.IntUnaryOperator;
import org.dhsa.model.Profile;
import org.dhsa.reference.baseline.XAttentionBlocks;
import org.dhsa.stage.ChunkSimilarity;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.DoubleTensor;

/// XAttention: blocks of keys by the sums of their antidiagonals, as many as hold a share of the mass.
///
///     S(r, ·) = block sums of the softmax over groups of stride tokens ([XAttentionBlocks])
///     keys(r) = the fewest blocks c ≤ r with Σ S(r, c) ≥ threshold · Σ S(r, ·), best first
///
/// **Source** XAttention (arXiv 2503.16428), sections 2.1 and 2.2, algorithm 1. **Unit** a block of keys; every query head for itself.
/// **Budget** adaptive: a share of the estimated mass of each block of queries. **Cost of selecting** a dot product of stride · headDim channels per pair
/// of groups, 1 / stride of the cost of all logits. **Defaults** block_size 128, stride 16, threshold 0.9.
/// **Simplified** the paper's search of a threshold per head (section 2.3) is left out. The scale is the model's own; its soft cap is applied to the mean of an
/// antidiagonal, since the single products are never seen. A group of a local layer sees the groups in which its first token sees a key. A row of a local layer whose chosen blocks have left its
/// window reads nothing. Decoding is dense, as in the paper.
/// With the profile `upstream` blocks are chosen as the official code's torch path does: block 0 and the own block forced, and its slips
/// ([XAttentionBlocks.Official]).
///
/// @param blockSize queries, and keys, per block
/// @param stride    tokens of a group; divides blockSize
/// @param threshold share of the mass to keep, above 0 and at most 1
/// @param profile   the paper, or the code
public record XAttentionPolicy(int blockSize, int stride, double threshold, Profile profile) implements SelectionPolicy {

    public XAttentionPolicy {
        Lists.positive("block_size", blockSize);
        Lists.positive("stride", stride);
        Lists.share("threshold", threshold);
        if (blockSize % stride != 0) {
            throw new IllegalArgumentException("stride must divide block_size, were " + stride + " and " + blockSize);
        }
        if (profile == Profile.UPSTREAM && 2048 % blockSize != 0) {
            throw new IllegalArgumentException("block_size must divide 2048 with profile=upstream, was " + blockSize);
        }
    }

    @Override
    public String name() {
        return "xattention:block_size=" + blockSize + ",stride=" + stride + ",threshold=" + threshold + ",profile=" + profile.name().toLowerCase(Locale.ROOT);
    }

    @Override
    public Selector open(int[] promptIds) {
        return layer -> layer.decoding() || layer.denseFrom() == 0 ? DensePolicy.everything(layer) : select(layer);
    }

    private LayerSelection select(LayerState layer) {
        int queryGroups = (layer.denseFrom() + stride - 1) / stride;
        int keyGroups = (layer.end() + stride - 1) / stride;
        DoubleTensor query = layer.query().toDouble();
        DoubleTensor key = layer.key().toDouble();
        KeyUnits units = KeyUnits.fixed(layer, blockSize, blockSize);
        XAttentionBlocks.Official official = new XAttentionBlocks.Official(layer.end(), blockSize, stride,
                XAttentionBlocks.Official.defaultChunkSize(layer.end()), false, false);
        boolean upstream = profile == Profile.UPSTREAM;
        IntUnaryOperator visible = a -> layer.firstVisible(a * stride) / stride;
        IntUnaryOperator oldest = upstream ? a -> Math.max(official.oldest(a), visible.applyAsInt(a)) : visible;
        List<KeySelection> perHead = new ArrayList<>();
        for (int h = 0; h < layer.heads(); h++) {
            DoubleTensor dots = layer.backend().chunkSimilarity().apply(new ChunkSimilarity.Input(
                    XAttentionBlocks.groups(query, h, queryGroups, stride, true),
                    XAttentionBlocks.groups(key, h * layer.kvHeads() / layer.heads(), keyGroups, stride, false))).chunkScores().toDouble();
            double[][] scores = XAttentionBlocks.scores(dots, layer.rule(), blockSize, stride, oldest);
            perHead.add(units.keep(upstream ? official.keep(scores, 0, threshold) : fewest(scores, units)));
        }
        return new LayerSelection(perHead, layer.heads(), 2L * queryGroups * keyGroups * stride * layer.headDim() * layer.heads());
    }

    private boolean[][] fewest(double[][] scores, KeyUnits units) {
        boolean[][] kept = new boolean[scores.length][];
        for (QueryBlocks.Block rows : units.rows().blocks()) {
            int first = units.first(rows);
            double[] seen = Arrays.copyOfRange(scores[rows.segment()], first, units.last(rows) + 1);
            kept[rows.segment()] = Lines.flags(Lists.best(seen, first, OraclePolicy.countFor(seen, threshold)), units.units());
        }
        return kept;
    }
}
