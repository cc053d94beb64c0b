package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;

/// After the idea of TCA-Attention: every head keeps of each block of keys those that say what the others do not, as many as its calibrated share.
///
///     redundancy(j) = cosine of key j and the mean of its block
///     need(g)       = mean over the last `window` rows and the query heads of group g of the share of keys that hold `mass` of the attention
///     share(g)      ∝ need(g), their mean over the key heads (budget − 2 · block) / (L − 2 · block), clamped to [0, 1]; 1 for all if budget ≥ L
///     keys(i)       = first block ∪ own block ∪ the ⌊share(g) · block⌋ least redundant keys (at least one) of each block between
///
/// **Source** TCA-Attention (arXiv 2512.09238). Its abstract and the beginning of a review (themoonlight.io) were at hand: a share per head from one calibrating pass, and tokens
/// kept by a light measure of redundancy, in the prompt and while decoding. The measure, the forced blocks and the rule of shares are our reading. In the review a head's
/// calibrated configuration says which share of its blocks keeps 1, 2, 4, … tokens, so blocks of one head differ; here each keeps the same number. **Unit** a key inside a block.
/// **Budget** keys that the last row of the prompt reads, on average over the key heads; earlier rows read the same share of what they see.
/// **Cost of selecting** the logits of `window` rows; 5 · headDim per key and key head, 2 · headDim per block.
/// **Where it rules** prompt and decoding. A decoded token reads the prompt at the shares of the prompt; a block is thinned when it is full.
/// **Shares** a share that would exceed 1 is 1, one after the other, and what it leaves goes to the others in proportion.
/// Products share · block within 1e-9 of the next whole number count as that; a vector of length 0 is the most redundant.
/// **Simplified** the calibrating pass is over the prompt itself, not over other texts. On local layers a kept key that has left the window is not read.
///
/// @param budget keys of the last row
/// @param block  keys, and rows, per block
/// @param window last rows of the prompt that calibrate
/// @param mass   share of the attention by which heads are compared, above 0 and at most 1
public record TcaPolicy(int budget, int block, int window, double mass) implements SelectionPolicy {

    public TcaPolicy {
        Lists.positive("budget", budget);
        Lists.positive("block", block);
        Lists.positive("window", window);
        Lists.share("mass", mass);
    }

    @Override
    public String name() {
        return "tca:budget=" + budget + ",block=" + block + ",window=" + window + ",mass=" + mass;
    }

    @Override
    public Selector open(int[] promptIds) {
        Map<Integer, Core> byLayer = new HashMap<>();
        return layer -> {
            long[] flops = new long[1];
            if (!layer.decoding()) {
                byLayer.put(layer.layer(), new Core(shares(layer, flops), layer.kvHeads()));
            }
            Core core = byLayer.get(layer.layer());
            core.thin(layer, flops);
            List<KeySelection> perHead = new ArrayList<>();
            for (int h = 0; h < layer.heads(); h++) {
                int g = h * layer.kvHeads() / layer.heads();
                perHead.add(Lists.each(layer.blocks(block), rows -> list(rows, core.kept.get(g), layer)));
            }
            return new LayerSelection(perHead, layer.heads(), flops[0]);
        };
    }

    private BlockSelection list(QueryBlocks.Block rows, List<int[]> kept, LayerState layer) {
        int own = rows.start() / block;
        int first = layer.firstVisible(rows.start());
        IntStream between = IntStream.range(Math.min(1, own), own).boxed().flatMapToInt(b -> Arrays.stream(kept.get(b)));
        int[] keys = IntStream.concat(IntStream.concat(IntStream.range(0, own == 0 ? 0 : block), between), IntStream.range(own * block, rows.end()))
                .filter(j -> j >= first).toArray();
        return Lists.byPosition(keys);
    }

    /// Share of each key head.
    private double[] shares(LayerState layer, long[] flops) {
        int length = layer.end();
        double mean = budget >= length ? 1 : Math.clamp((double) (budget - 2 * block) / Math.max(1, length - 2 * block), 0, 1);
        double[] need = new double[layer.kvHeads()];
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        for (int h = 0; h < layer.heads(); h++) {
            for (int row = Math.max(0, length - window); row < length; row++) {
                double[] one = weights.row(h, row);
                need[h * layer.kvHeads() / layer.heads()] += (double) OraclePolicy.countFor(one, mass) / one.length;
                flops[0] += 2L * layer.headDim() * one.length;
            }
        }
        return inProportion(need, mean);
    }

    /// Shares in proportion to `need`, none above 1, with this mean: what one cannot take goes to the others.
    static double[] inProportion(double[] need, double mean) {
        double[] shares = new double[need.length];
        double left = mean * need.length;
        boolean[] full = new boolean[need.length];
        while (true) {
            double open = IntStream.range(0, need.length).filter(g -> !full[g]).mapToDouble(g -> need[g]).sum();
            if (open == 0) {
                return shares;
            }
            double factor = left / open;
            int most = IntStream.range(0, need.length).filter(g -> !full[g] && need[g] * factor >= 1).findFirst().orElse(-1);
            if (most < 0) {
                IntStream.range(0, need.length).filter(g -> !full[g]).forEach(g -> shares[g] = need[g] * factor);
                return shares;
            }
            full[most] = true;
            shares[most] = 1;
            left -= 1;
        }
    }

    /// What is kept of the full blocks of one layer, key head by key head.
    private final class Core {

        private final double[] shares;
        private final List<List<int[]>> kept = new ArrayList<>();

        Core(double[] shares, int kvHeads) {
            this.shares = shares;
            IntStream.range(0, kvHeads).forEach(g -> kept.add(new ArrayList<>()));
        }

        /// Thins the blocks that have become full.
        void thin(LayerState layer, long[] flops) {
            HeadStates states = new HeadStates(layer);
            for (int g = 0; g < kept.size(); g++) {
                for (int b = kept.get(g).size(); (b + 1) * block <= layer.end(); b++) {
                    int start = Math.max(b * block, layer.rule().keyStart());
                    double[][] keys = states.keys(g, start, (b + 1) * block);
                    int count = Math.clamp((int) Math.floor(shares[g] * block + 1e-9), 1, block);
                    kept.get(g).add(Lists.best(novelty(keys), start, count).keys());
                    flops[0] += (5L * keys.length + 2) * layer.headDim();
                }
            }
        }
    }

    /// 1 − redundancy of every key of a block.
    static double[] novelty(double[][] keys) {
        double[] mean = new double[keys[0].length];
        for (double[] key : keys) {
            Arrays.setAll(mean, d -> mean[d] + key[d] / keys.length);
        }
        double norm = Math.sqrt(HeadStates.dot(mean, mean));
        return Arrays.stream(keys).mapToDouble(key -> {
            double lengths = norm * Math.sqrt(HeadStates.dot(key, key));
            return lengths == 0 ? 0 : 1 - HeadStates.dot(key, mean) / lengths;
        }).toArray();
    }
}
