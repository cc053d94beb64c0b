package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.dhsa.model.GateWeights;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.DoubleTensor;

/// SeerAttention: a small trained gate scores blocks, and a threshold, a ratio or a budget cuts them.
///
///     threshold   keys(i) = { blocks j ≤ i : softmax(S(i, ·))(j) > threshold }
///     nz-ratio    keys(i) = top_k( S(i, ·) ), k = max(1, ⌊(1 − √(1 − nzRatio)) · blocks⌋)
///     budget      keys(i) = top_k( S(i, ·) ), k = max(1, ⌊budget / block⌋), the own block one of them
///
/// `blocks` are those of the whole prompt. With `own=forced` the own block is read under any cut, and is one of the k. The softmax is over the blocks that the first row of a block sees.
/// `S` is [SeerGate]'s. **Source** SeerAttention (arXiv 2410.13276), sections 3 and 4, and its public code. **Unit** a block of `gate.block()` keys, every query
/// head for itself. **Cost of selecting** pooling, the linear maps of the pooled vectors, one dot product per causal pair of blocks.
/// **Simplified** the gate's linear maps and block are given, nothing is trained here. It was made for queries and keys before the rotary embedding: a policy sees them
/// after, so they are turned back, which a rotation allows exactly; that is not counted, since a model has them at hand. The published code does not force the
/// diagonal, so that rows may be left without a key (`own=gate`); here the own block is read (`own=forced`). No gate was published for Gemma 2. On local
/// layers blocks outside the window are no candidates. The gate for decoding (SeerAttention-R, arXiv 2506.08889) has other weights: new tokens attend densely.
///
/// @param threshold    softmax weight of a block, 0 with another cut
/// @param nzRatio      share of the causal blocks, 0 with another cut
/// @param budget       keys per query block, 0 with another cut
/// @param ownForced    the own block is read whatever its score
/// @param lastDense    the last two blocks of the prompt are dense (`last_block_dense`)
/// @param rule         how what the cut gives is shared out among query blocks
public record SeerAttentionPolicy(GateWeights.SeerAttention gate, double threshold, double nzRatio, int budget, boolean ownForced, boolean lastDense,
                                  BudgetRule rule) implements SelectionPolicy {

    public SeerAttentionPolicy {
        if ((threshold != 0 ? 1 : 0) + (nzRatio != 0 ? 1 : 0) + (budget != 0 ? 1 : 0) != 1 || !(threshold >= 0 && threshold < 1) || !(nzRatio >= 0 && nzRatio <= 1)
                || budget < 0) {
            throw new IllegalArgumentException("one of a threshold below 1, an nz-ratio up to 1 and a positive budget, was threshold " + threshold + ", nz-ratio "
                    + nzRatio + ", budget " + budget);
        }
    }

    @Override
    public String name() {
        String cut = threshold > 0 ? "threshold=" + threshold : nzRatio > 0 ? "nz-ratio=" + nzRatio : "budget=" + budget;
        return String.format(Locale.ROOT, "seerattention:%s,own=%s,last=%s%s", cut, ownForced ? "forced" : "gate", lastDense ? "dense" : "sparse", rule.suffix());
    }

    @Override
    public Selector open(int[] promptIds) {
        BudgetRule.Ledger ledger = rule.open();
        return layer -> select(layer, ledger);
    }

    private LayerSelection select(LayerState layer, BudgetRule.Ledger ledger) {
        int block = gate.block();
        if (layer.decoding() || layer.blocks(block).blocks().isEmpty()) {
            return DensePolicy.everything(layer);
        }
        DoubleTensor query = Rotation.undone(layer.query().toDouble(), layer.start(), layer.ropeTheta());
        DoubleTensor key = Rotation.undone(layer.key().toDouble(), layer.rule().keyStart(), layer.ropeTheta());
        KeyUnits units = KeyUnits.fixed(layer, block, block);
        List<KeySelection> perHead = new ArrayList<>();
        for (int h = 0; h < layer.heads(); h++) {
            double[][] logits = SeerGate.logits(gate, layer.layer(), query, key, h);
            for (QueryBlocks.Block rows : units.rows().blocks()) {
                Arrays.fill(logits[rows.segment()], 0, units.first(rows), Double.NEGATIVE_INFINITY);
            }
            boolean[][] kept = cut(logits);
            boolean[][] forced = forced(kept);
            int sparse = units.rows().blocks().size();
            perHead.add(units.keep(ledger, h, Arrays.copyOf(kept, sparse), Arrays.copyOf(forced, sparse), logits, SeerGate.weights(logits)));
        }
        return new LayerSelection(perHead, layer.heads(), flops(layer, units.units()));
    }

    private boolean[][] cut(double[][] logits) {
        if (threshold > 0) {
            return SeerGate.above(logits, threshold);
        }
        int count = nzRatio > 0 ? SeerGate.blocksFor(nzRatio, logits.length) : Math.max(1, budget / gate.block());
        if (!ownForced) {
            return SeerGate.best(logits, count);
        }
        double[][] ownFirst = Arrays.stream(logits).map(double[]::clone).toArray(double[][]::new);
        for (int i = 0; i < logits.length; i++) {
            ownFirst[i][i] = Double.POSITIVE_INFINITY;
        }
        return SeerGate.best(ownFirst, count);
    }

    /// Own blocks and dense rows, which are added to what is kept.
    private boolean[][] forced(boolean[][] kept) {
        boolean[][] forced = new boolean[kept.length][kept.length];
        for (int i = 0; i < kept.length; i++) {
            forced[i][i] = ownForced;
            if (lastDense && i >= kept.length - 2) {
                Arrays.fill(forced[i], 0, i + 1, true);
            }
            for (int j = 0; j <= i; j++) {
                kept[i][j] |= forced[i][j];
            }
        }
        return forced;
    }

    private long flops(LayerState layer, int blocks) {
        GateWeights.SeerAttention.Layer weights = gate.layers().get(layer.layer());
        long hidden = weights.key().dim(2);
        long pooling = (long) layer.end() * layer.headDim() * (layer.heads() * gate.queryPools().size() + layer.kvHeads() * gate.keyPools().size());
        long maps = 2L * blocks * weights.key().elements() + weights.query().map(w -> 2L * blocks * w.elements()).orElse(0L);
        long turning = gate.rotate() ? 3L * blocks * hidden * (layer.heads() + weights.key().dim(0)) : 0;
        return pooling + maps + turning + (long) blocks * (blocks + 1) / 2 * 2 * hidden * layer.heads();
    }
}
