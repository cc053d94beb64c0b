package org.dhsa.policy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.dhsa.reference.baseline.CascadingCache;
import org.dhsa.reference.labels.MeanAttention;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;

/// Cascading KV Cache, as far as a mask can say it: a row reads what such a cache would hold when the row comes.
///
///     keys(i) = positions in the cache at the start of row i's stride ∪ the stride's own rows up to i            ([CascadingCache])
///
/// Every key head has a cache of its own; the weights that move its scores are the mean over the query heads of the group.
///
/// **Source** Cascading KV Cache (arXiv 2406.17808) and its code (jeffwillette/cascading_kv_cache). **Defaults** 4 sub-caches, 4 sinks and beta 0.9999 as in its first submission; the later code
/// has 0.9999999, 64 sinks in its longest tests, and strides of 512 to 1024 rows, which would swallow the prompts of small models whole: here a stride is 1 row.
/// The code's class takes the mean over heads by default, as here; the scripts of its experiments take the maximum. **Unit** a key. **Budget** keys in the cache; a row reads those of its own stride besides. **Cost of selecting** the weights
/// are those of attention itself; beyond it one operation per pair read, and three per key and key head to move the scores.
/// **Where it rules** prompt and decoding, which comes with strides of one token.
/// **Simplified** the paper numbers positions anew inside the cache, so that a model reads texts longer than it was made for: no mask can do
/// that, here the rotary embedding stays as it is. What the cache has lost stays lost for this policy, but the memory is not freed. Rows of the dense
/// tail feed the cache as if they were sparse. On local layers a held key that has left the window is not read.
///
/// @param budget   keys in the cache, sinks included
/// @param sinks    first keys, always held
/// @param cascades sub-caches
/// @param stride   rows of the prompt that share a cache
/// @param beta     how slowly scores change, in [0, 1)
public record CascadePolicy(int budget, int sinks, int cascades, int stride, double beta) implements SelectionPolicy {

    public CascadePolicy {
        Lists.notNegative("sinks", sinks);
        Lists.positive("cascades", cascades);
        Lists.positive("stride", stride);
        if (budget < sinks + cascades) {
            throw new IllegalArgumentException("budget must hold the sinks and one key per cascade, were budget " + budget + ", sinks " + sinks
                    + ", cascades " + cascades);
        }
        if (!(beta >= 0 && beta < 1)) {
            throw new IllegalArgumentException("beta must be at least 0 and below 1, was " + beta);
        }
    }

    @Override
    public String name() {
        return "cascade:budget=" + budget + ",sinks=" + sinks + ",cascades=" + cascades + ",stride=" + stride + ",beta=" + beta;
    }

    @Override
    public Selector open(int[] promptIds) {
        Map<Integer, List<CascadingCache>> byLayer = new HashMap<>();
        return layer -> {
            if (!layer.decoding()) {
                byLayer.put(layer.layer(), IntStream.range(0, layer.kvHeads()).mapToObj(g -> new CascadingCache(budget, sinks, cascades, beta)).toList());
            }
            HeadStates states = new HeadStates(layer);
            List<KeySelection> perHead = new ArrayList<>();
            long[] flops = new long[1];
            for (int g = 0; g < layer.kvHeads(); g++) {
                KeySelection lists = walk(layer, g, byLayer.get(layer.layer()).get(g), states, flops);
                IntStream.range(0, layer.heads() / layer.kvHeads()).forEach(h -> perHead.add(lists));
            }
            return new LayerSelection(perHead, layer.heads(), flops[0]);
        };
    }

    /// All rows in order; those of the dense tail change the cache and get no list.
    private KeySelection walk(LayerState layer, int keyHead, CascadingCache cache, HeadStates states, long[] flops) {
        QueryBlocks sparse = layer.blocks(stride);
        KeySelection lists = Lists.each(sparse, block -> Lists.byPosition(pass(block.start(), block.end(), layer, keyHead, cache, states, flops)));
        if (!layer.decoding()) {
            for (int start = layer.denseFrom(); start < layer.end(); start += stride) {
                pass(start, Math.min(start + stride, layer.end()), layer, keyHead, cache, states, flops);
            }
        }
        return lists;
    }

    /// The keys that rows `[start, end)` read; afterwards the cache has seen them.
    private static int[] pass(int start, int end, LayerState layer, int keyHead, CascadingCache cache, HeadStates states, long[] flops) {
        int first = layer.firstVisible(start);
        int[] keys = IntStream.concat(IntStream.of(cache.positions()).filter(j -> j >= first), IntStream.range(start, end)).toArray();
        int group = layer.heads() / layer.kvHeads();
        for (int row = start; row < end; row++) {
            int position = row;
            int[] read = IntStream.of(keys).filter(j -> j <= position && j >= layer.firstVisible(position)).toArray();
            Map<Integer, Double> mean = new HashMap<>();
            for (int h = keyHead * group; h < (keyHead + 1) * group; h++) {
                double[] query = states.query(h, row);
                double[] weights = IntStream.of(read).mapToDouble(j -> layer.rule().logit(HeadStates.dot(query, states.key(keyHead, j)))).toArray();
                MeanAttention.softmax(weights);
                IntStream.range(0, read.length).forEach(n -> mean.merge(read[n], weights[n] / group, Double::sum));
            }
            cache.look(read, mean::get);
            flops[0] += (long) read.length * (group + 3);
        }
        for (int row = start; row < end; row++) {
            cache.add();
        }
        return keys;
    }
}
