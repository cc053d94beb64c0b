package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.policy.IcmlBlockMask.Kind;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// The block masks of the authors' ICML 2026 code as policies; formulas in [IcmlBlockMask].
///
///     keys(i) = forced blocks of i ∪ the best others by S(i, ·), T blocks together
///     T = ⌊budget / keyBlock⌋, or max(1, ⌊density · key blocks⌋)
///
/// **Source** DHSA (arXiv 2510.24606v2), the code of its later version. It has neither dynamic chunks nor a boundary predictor: two versions of one paper, two methods.
/// **Unit** a block of keys. **Budget** T key blocks per query block, every query head for itself; `density` is the paper's way to say it, 0.125 in its runs.
/// **Cost of selecting** topk, a: means and one dot product per pair of blocks; vs: the logits of the last query block; vs-sample: those of `samples` of its
/// queries; vsb: means and one dot product per key block. Softmax and sums are not counted.
/// **Simplified** the corrected profile has none of [IcmlQuirk]; the diagonal is always read, even where it alone exceeds the budget. vs-sample takes its queries at
/// equal distances, the last one among them, in full precision (the code: bf16 products, f32 softmax). For Gemma 2 the scale and the soft cap of the layer hold in
/// vs and vsb; on a local layer the oldest block that the first query sees stands for block 0. Query heads read their group's keys. With a dense tail the last
/// queries of the whole prompt are looked at. The method is for prompts: new tokens attend densely.
///
/// @param budget   keys per query block, or 0 with a density
/// @param density  share of the key blocks, or 0 with a budget
/// @param block    queries per block
/// @param keyBlock keys per block
/// @param ratio    share of T · keyBlock that goes to columns, the rest to distances (vs, vs-sample, vsb)
/// @param samples  last queries that vs-sample looks at
/// @param quirks   of the published code
/// @param rule     how the budget is shared out among query blocks
public record IcmlMaskPolicy(Kind kind, int budget, double density, int block, int keyBlock, double ratio, int samples, Set<IcmlQuirk> quirks,
                             BudgetRule rule) implements SelectionPolicy {

    public IcmlMaskPolicy {
        Lists.positive("block", block);
        Lists.positive("key-block", keyBlock);
        Lists.positive("samples", samples);
        quirks = Set.copyOf(quirks);
        if (budget < 0 || !(density >= 0 && density <= 1) || budget == 0 == (density == 0)) {
            throw new IllegalArgumentException("either a positive budget or a density above 0 and at most 1, was budget " + budget + ", density " + density);
        }
        if (!(ratio >= 0 && ratio <= 1)) {
            throw new IllegalArgumentException("ratio must be between 0 and 1, was " + ratio);
        }
    }

    @Override
    public String name() {
        return String.format(Locale.ROOT, "icml-%s:%s,block=%d,key-block=%d%s%s,profile=%s%s", kind.slug(), budget > 0 ? "budget=" + budget : "density=" + density,
                block, keyBlock, kind.verticalSlash() ? ",ratio=" + ratio : "", kind == Kind.VS_SAMPLE ? ",samples=" + samples : "",
                quirks.isEmpty() ? "corrected" : quirks.equals(IcmlQuirk.UPSTREAM) ? "upstream" : "mixed", rule.suffix());
    }

    @Override
    public Selector open(int[] promptIds) {
        BudgetRule.Ledger ledger = rule.open();
        return layer -> select(layer, ledger);
    }

    private LayerSelection select(LayerState layer, BudgetRule.Ledger ledger) {
        if (layer.decoding() || layer.blocks(block).blocks().isEmpty()) {
            return DensePolicy.everything(layer);
        }
        boolean padded = quirks.contains(IcmlQuirk.ZERO_PADDED);
        int length = padded ? IcmlBlocks.paddedLength(layer.end(), block, keyBlock) : layer.end();
        int keyBlocks = (length + keyBlock - 1) / keyBlock;
        int most = budget > 0 ? Math.max(1, budget / keyBlock) : IcmlBlocks.budget(density, keyBlocks, quirks);
        DoubleTensor query = layer.query().toDouble();
        DoubleTensor key = layer.key().toDouble();
        IcmlBlockMask.Output out = IcmlBlockMask.apply(new IcmlBlockMask.Input(kind, padded ? zeroPadded(query, length) : query, padded ? zeroPadded(key, length) : key,
                layer.rule(), padded ? length : layer.denseFrom(), block, keyBlock, most, ratio, samples, quirks, TieOrder.LOW_POSITION_FIRST));
        KeyUnits units = KeyUnits.fixed(layer, block, keyBlock);
        boolean[][] forced = cut(out.forced(), units);
        List<KeySelection> perHead = new ArrayList<>();
        long products = 0;
        for (int h = 0; h < layer.heads(); h++) {
            IcmlBlockMask.Head head = out.heads().get(h);
            products += head.estimate().products();
            perHead.add(units.keep(ledger, h, cut(head.mask(), units), forced, head.candidates(), rule.isStatic() ? null : mass(head, units)));
        }
        return new LayerSelection(perHead, layer.heads(), products * 2 * layer.headDim() + switch (kind) {
            case TOPK, A -> ChunkCost.means(layer, out.blocks().rows(), length, false);
            case VSB -> ChunkCost.means(layer, Math.min(block, length), length, false);
            case VS, VS_SAMPLE -> 0;
        });
    }

    /// What the scores say of the attention: means are logits of a whole block, masses are masses.
    private double[][] mass(IcmlBlockMask.Head head, KeyUnits units) {
        List<double[]> mass = new ArrayList<>();
        for (QueryBlocks.Block block : units.rows().blocks()) {
            double[] scores = Arrays.copyOf(head.estimate().rowScores()[mass.size()], units.units());
            mass.add(kind.verticalSlash() ? Arrays.stream(scores).map(s -> Math.max(0, s)).toArray()
                    : units.massOf(Arrays.stream(scores).map(units.layer().rule()::logit).toArray(), block));
        }
        return mass.toArray(double[][]::new);
    }

    /// Without the rows and blocks that are padding, or dense.
    private static boolean[][] cut(boolean[][] mask, KeyUnits units) {
        return Arrays.stream(mask).limit(units.rows().blocks().size()).map(row -> Arrays.copyOf(row, units.units())).toArray(boolean[][]::new);
    }

    private static DoubleTensor zeroPadded(DoubleTensor states, int length) {
        return IcmlBlocks.padded(states, length, DoubleTensor.zeros(Shape.of("heads", states.shape().extent(0), "headDim", states.shape().extent(2))));
    }
}
