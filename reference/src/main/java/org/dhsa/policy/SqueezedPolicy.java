package org.dhsa.policy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.dhsa.policy.SqueezedPrefix.Thresholds;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;

/// Squeezed Attention: the keys of a fixed prefix in clusters, of which a query reads those whose centroid it likes well enough.
///
///     S(q, c)  = exp(logit(q, centroid c)) / Σ_c' N(c') · exp(logit(q, centroid c'))        N = keys in a cluster
///     keys(q)  = keys of the clusters with S(q, c) > T ∪ the last `window` keys of the prefix ∪ every key after the prefix
///     T        = the threshold above which the share `keep` of the prefix's keys lies, scored by the prefix's last `window` queries on average
///     hierarchical: the centroids are clustered again; S₁ > T₁ says which coarse clusters are opened, S₂ > T as above inside them
///
/// **Source** Squeezed Attention (arXiv 2411.09688): cosine k-means of every key head, centroids as means of the keys themselves, a threshold
/// calibrated to a share. What decides (centroids, scores, the quantile, window and rounds) was compared with a public copy of the authors' code (Duc-Haui/SqueezedAttention).
/// **Unit** a cluster of keys. **Budget** nominal: the share `keep` of the clustered keys, over
/// all heads, for a query that scores as the calibrating ones do on average. A single query scores more unevenly and mostly reads less.
/// **Cost of selecting** k-means and calibration once; 2 · headDim per centroid, row and query head, with a hierarchy only for those that are opened.
/// **Where it rules** the prefix stays dense, it is prepared offline in the paper; the last `input` tokens of the prompt are the user's input and
/// choose, and so do decoded tokens.
/// **Clusters** the last `window` tokens of the prefix are not clustered. Of n clustered keys there are max(1, ⌊share · n⌋) clusters, seed + g for key head g on both levels.
/// **Threshold** the mean score of each key, over those of the last `window` queries that see it, for every query head; of all these numbers the quantile 1 − `keep`, between two of them
/// in proportion. The scores of coarse clusters, calibrated alike with `keepCoarse`, are softmax weights of coarse logits, each counted as often as the coarse cluster has keys.
/// **Pitfall** a single cluster always scores 1 / N, which is also what its threshold is: it does not exceed it, so nothing is opened (coarse) or kept. Prefixes of fewer than 2 / `coarse` keys
/// have a single coarse cluster.
/// **Simplified** the paper has one threshold for all layers; here each layer has its own, because the layers of a prompt come one after the
/// other. With a hierarchy, what is not opened enters the sum below the line by its coarse estimate: our reading. Logits are Gemma 2's,
/// soft cap included. On local layers N counts what the row sees.
///
/// @param keep         share of the clustered keys to read, above 0 and at most 1
/// @param centroids    clusters per clustered key (0.05 in the paper)
/// @param input        tokens at the prompt's end that are not prefix
/// @param window       last tokens of the prefix that calibrate and are always read (100 in the official code)
/// @param hierarchical two levels
/// @param keepCoarse   share of the keys whose coarse cluster is opened
/// @param coarse       coarse clusters per clustered key (0.01 in the paper)
/// @param iterations   rounds of k-means at most (150 in the official code)
/// @param seed         of k-means
/// @param rule         how the pairs of the clusters above the threshold are shared out among rows; the mass of a cluster is N · S, a share of the clustered keys' attention. One
///                     threshold on S for all rows is `water-filling` already, which therefore changes nothing here with one level. With two, a row may take only clusters that it opened
public record SqueezedPolicy(double keep, double centroids, int input, int window, boolean hierarchical, double keepCoarse, double coarse,
                             int iterations, long seed, BudgetRule rule) implements SelectionPolicy {

    public SqueezedPolicy(double keep, double centroids, int input, int window, boolean hierarchical, double keepCoarse, double coarse, int iterations, long seed) {
        this(keep, centroids, input, window, hierarchical, keepCoarse, coarse, iterations, seed, BudgetRule.STATIC);
    }

    public SqueezedPolicy {
        Lists.share("keep", keep);
        Lists.share("centroids", centroids);
        Lists.share("keepCoarse", keepCoarse);
        Lists.share("coarse", coarse);
        Lists.notNegative("input", input);
        Lists.positive("window", window);
        Lists.positive("iterations", iterations);
        if (hierarchical && coarse > centroids) {
            throw new IllegalArgumentException("there must be fewer coarse clusters than fine ones, were " + coarse + " and " + centroids + " per key");
        }
    }

    @Override
    public String name() {
        return "squeezed:keep=" + keep + ",centroids=" + centroids + ",input=" + input + ",window=" + window + ",levels=" + (hierarchical ? 2 : 1)
                + ",keep-coarse=" + keepCoarse + ",coarse=" + coarse + ",iterations=" + iterations + ",seed=" + seed + rule.suffix();
    }

    @Override
    public Selector open(int[] promptIds) {
        Map<Integer, Prepared> byLayer = new HashMap<>();
        BudgetRule.Ledger ledger = rule.open();
        return layer -> {
            long[] flops = new long[1];
            if (!layer.decoding()) {
                byLayer.put(layer.layer(), prepare(layer, flops));
            }
            return choose(layer, byLayer.get(layer.layer()), ledger, flops);
        };
    }

    /// What is known of a layer's prefix before any input comes; no heads if the prefix is all window.
    private record Prepared(int prefix, int clustered, List<SqueezedPrefix> keyHeads, Thresholds thresholds) {}

    private Prepared prepare(LayerState layer, long[] flops) {
        int prefix = Math.max(0, layer.end() - input);
        int clustered = prefix - window;
        if (clustered <= 0 || keep == 1 && rule.isStatic()) {
            return new Prepared(prefix, Math.max(0, clustered), List.of(), null);
        }
        HeadStates states = new HeadStates(layer);
        List<SqueezedPrefix> keyHeads = IntStream.range(0, layer.kvHeads()).mapToObj(g -> SqueezedPrefix.of(states.keys(g, 0, clustered),
                share(centroids, clustered), hierarchical ? share(coarse, clustered) : 0, iterations, seed + g)).toList();
        keyHeads.forEach(k -> flops[0] += k.flops());
        List<double[]> fine = new ArrayList<>();
        List<double[]> rough = new ArrayList<>();
        for (int h = 0; h < layer.heads(); h++) {
            SqueezedPrefix own = keyHeads.get(states.keyHead(h));
            for (int position = clustered; position < prefix; position++) {
                double[] query = states.query(h, position);
                int first = layer.firstVisible(position);
                fine.add(own.keyScores(query, first, layer.rule(), false));
                flops[0] += 2L * layer.headDim() * own.fine().count();
                if (hierarchical) {
                    rough.add(own.keyScores(query, first, layer.rule(), true));
                    flops[0] += 2L * layer.headDim() * own.coarse().count();
                }
            }
        }
        Thresholds thresholds = new Thresholds(SqueezedPrefix.threshold(fine, window, keep),
                hierarchical && keep < 1 ? SqueezedPrefix.threshold(rough, window, keepCoarse) : Double.NEGATIVE_INFINITY);
        return new Prepared(prefix, clustered, keyHeads, thresholds);
    }

    private static int share(double share, int keys) {
        return Math.max(1, (int) (share * keys));
    }

    private LayerSelection choose(LayerState layer, Prepared prepared, BudgetRule.Ledger ledger, long[] flops) {
        if (prepared.keyHeads().isEmpty()) {
            return DensePolicy.everything(layer);
        }
        QueryBlocks rows = rows(layer, prepared.prefix());
        HeadStates states = new HeadStates(layer);
        List<KeySelection> perHead = new ArrayList<>();
        for (int h = 0; h < layer.heads(); h++) {
            int head = h;
            SqueezedPrefix own = prepared.keyHeads().get(states.keyHead(h));
            Map<QueryBlocks.Block, SqueezedPrefix.Lookup> lookups = new HashMap<>();
            KeySelection chosen = Lists.each(rows, row -> {
                if (row.start() < prepared.prefix()) {
                    return Lists.byPosition(IntStream.range(0, row.end()).toArray());
                }
                int first = layer.firstVisible(row.start());
                SqueezedPrefix.Lookup lookup = own.lookup(states.query(head, row.start()), first, layer.rule(), prepared.thresholds());
                lookups.put(row, lookup);
                flops[0] += 2L * layer.headDim() * lookup.centroids();
                return Lists.byPosition(IntStream.rangeClosed(first, row.start()).filter(j -> j >= prepared.clustered() || lookup.keeps(j)).toArray());
            });
            perHead.add(rule.isStatic() ? chosen : UnitBudget.share(ledger, layer, head, rows, j -> j < prepared.clustered() ? own.fine().labels()[j] : -1,
                    row -> candidates(chosen.blocks().get(row.segment()).keys(), lookups.get(row), prepared.clustered(), own.fine().count())));
        }
        return new LayerSelection(perHead, layer.heads(), flops[0]);
    }

    /// @param lookup null in the prefix, which reads all it sees
    private static UnitBudget.Candidates candidates(int[] keys, SqueezedPrefix.Lookup lookup, int clustered, int clusters) {
        return lookup == null ? new UnitBudget.Candidates(keys, j -> true, new double[clusters], new double[clusters])
                : new UnitBudget.Candidates(keys, j -> j >= clustered, lookup.ranks(), lookup.shares());
    }

    /// The prefix as one block that reads all it sees, then row by row.
    private static QueryBlocks rows(LayerState layer, int prefix) {
        if (layer.decoding()) {
            return layer.blocks(1);
        }
        int dense = Math.min(prefix, layer.denseFrom());
        List<QueryBlocks.Block> blocks = new ArrayList<>();
        if (dense > 0) {
            blocks.add(new QueryBlocks.Block(0, dense, dense, 0));
        }
        IntStream.range(dense, layer.denseFrom()).forEach(i -> blocks.add(new QueryBlocks.Block(i, i + 1, i + 1, blocks.size())));
        return new QueryBlocks(blocks, layer.denseFrom(), layer.end());
    }
}
