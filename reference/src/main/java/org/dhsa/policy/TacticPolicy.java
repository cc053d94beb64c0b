package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.dhsa.reference.baseline.KMeans;
import org.dhsa.reference.baseline.KMeans.Clusters;
import org.dhsa.reference.baseline.TailFit;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;

/// Tactic: keys ranked by the centroid of their cluster, and as many of them as are thought to hold a share of the attention.
///
///     clusters of the prompt's keys, per key head: ⌈L / clusterSize⌉, by squared distance, seed + g        ([KMeans])
///     ranking(h, q) = keys by falling q · centroid of their cluster, equal ones by position
///     count(h, q)   = fewest ranks that are estimated to hold the share p            ([TailFit])
///     keys(q)       = ∪ over the query heads h of a group of the first count(h, q) keys of ranking(h, q), and every key since the prompt
///
/// **Source** after Tactic (arXiv 2502.12216): clusters, ranking by centroid, the fit y = a/x + b and the target share are the paper's; its full text
/// was not at hand, so the sampling of the fit, the start of k-means and its rounds are our reading. **Unit** a key, ranked by its cluster.
/// **Budget** none: p says how much attention, and every row, head and layer takes what it needs. **Cost of selecting** k-means once; 2 · headDim per
/// cluster, and per key that the fit looks at, for every row and query head (the few operations of the fit itself are not counted).
/// **Decoding only**, as in the paper: the prompt stays dense. With `sparsePrompt` its rows choose too, which is ours; their clusters
/// then know the whole prompt, but a row ranks only what it sees.
/// **Simplified** keys that come after the prompt are always read and never clustered. Logits are Gemma 2's, soft cap included. On local
/// layers the ranking holds what the row sees.
///
/// @param p            share of the attention to hold, above 0 and at most 1
/// @param clusterSize  keys per cluster on average
/// @param sampling     which ranks the fit looks at
/// @param iterations   rounds of k-means at most
/// @param seed         of k-means
/// @param sparsePrompt the rows of the prompt choose too
/// @param rule         how the pairs of the union are shared out among rows, a whole cluster at a time; the mass of a cluster is what its keys would hold if they were its centroid,
///                     summed over the query heads of the group, as a share of the clustered keys
public record TacticPolicy(double p, int clusterSize, TailFit.Sampling sampling, int iterations, long seed, boolean sparsePrompt, BudgetRule rule) implements SelectionPolicy {

    public TacticPolicy(double p, int clusterSize, TailFit.Sampling sampling, int iterations, long seed, boolean sparsePrompt) {
        this(p, clusterSize, sampling, iterations, seed, sparsePrompt, BudgetRule.STATIC);
    }

    public TacticPolicy {
        Lists.share("p", p);
        Lists.positive("clusterSize", clusterSize);
        Lists.positive("iterations", iterations);
    }

    @Override
    public String name() {
        return "tactic:p=" + p + ",cluster=" + clusterSize + ",exact=" + sampling.exact() + ",first=" + sampling.first() + ",second=" + sampling.second()
                + ",width=" + sampling.width() + ",iterations=" + iterations + ",seed=" + seed + ",prompt=" + (sparsePrompt ? "sparse" : "dense") + rule.suffix();
    }

    @Override
    public Selector open(int[] promptIds) {
        Map<Integer, List<Clusters>> byLayer = new HashMap<>();
        BudgetRule.Ledger ledger = rule.open();
        return layer -> {
            if (layer.decoding()) {
                return choose(layer, byLayer.get(layer.layer()), ledger, 0);
            }
            HeadStates states = new HeadStates(layer);
            List<Clusters> clusters = IntStream.range(0, layer.kvHeads()).mapToObj(g -> KMeans.fit(states.keys(g, 0, layer.end()),
                    Math.ceilDiv(layer.end(), clusterSize), false, iterations, seed + g)).toList();
            byLayer.put(layer.layer(), clusters);
            long flops = clusters.stream().mapToLong(Clusters::flops).sum();
            return sparsePrompt ? choose(layer, clusters, ledger, flops) : new LayerSelection(DensePolicy.everything(layer).perHead(), layer.heads(), flops);
        };
    }

    private LayerSelection choose(LayerState layer, List<Clusters> clusters, BudgetRule.Ledger ledger, long spent) {
        HeadStates states = new HeadStates(layer);
        int group = layer.heads() / layer.kvHeads();
        long[] flops = {spent};
        List<KeySelection> perHead = new ArrayList<>();
        for (int g = 0; g < layer.kvHeads(); g++) {
            int keyHead = g;
            Clusters own = clusters.get(keyHead);
            KeySelection chosen = Lists.each(layer.blocks(1), row -> union(keyHead, row.start(), own, states, layer, flops));
            KeySelection lists = rule.isStatic() ? chosen : UnitBudget.share(ledger, layer, keyHead, chosen.queryBlocks(), j -> j < own.labels().length ? own.labels()[j] : -1,
                    row -> candidates(chosen.blocks().get(row.segment()).keys(), keyHead, row.start(), own, states, layer));
            IntStream.range(0, group).forEach(h -> perHead.add(lists));
        }
        return new LayerSelection(perHead, layer.heads(), flops[0]);
    }

    private static UnitBudget.Candidates candidates(int[] keys, int keyHead, int position, Clusters clusters, HeadStates states, LayerState layer) {
        int first = layer.firstVisible(position);
        int end = Math.min(position + 1, clusters.labels().length);
        int[] sizes = clusters.sizes(Math.min(first, end), end);
        double[] shares = new double[sizes.length];
        int group = layer.heads() / layer.kvHeads();
        for (int h = keyHead * group; h < (keyHead + 1) * group; h++) {
            double[] query = states.query(h, position);
            double[] own = CentroidSoftmax.shares(CentroidSoftmax.logits(query, clusters, layer.rule()), sizes);
            Arrays.setAll(shares, c -> shares[c] + (sizes[c] == 0 ? 0 : own[c]));
        }
        return new UnitBudget.Candidates(keys, j -> j >= clusters.labels().length, shares, shares);
    }

    /// What the query heads of one key head want together.
    private BlockSelection union(int keyHead, int position, Clusters clusters, HeadStates states, LayerState layer, long[] flops) {
        int first = layer.firstVisible(position);
        int end = Math.min(position + 1, clusters.labels().length);
        if (first >= end) {
            return Lists.byPosition(IntStream.rangeClosed(first, position).toArray());
        }
        int group = layer.heads() / layer.kvHeads();
        boolean[] wanted = new boolean[end - first];
        int[] sizes = clusters.sizes(first, end);
        for (int h = keyHead * group; h < (keyHead + 1) * group; h++) {
            double[] query = states.query(h, position);
            int[] ranking = ranking(query, clusters, first, end);
            TailFit.Estimate estimate = TailFit.count(ranking.length,
                    x -> layer.rule().logit(HeadStates.dot(query, states.key(keyHead, ranking[x]))), p, sampling);
            IntStream.range(0, estimate.count()).forEach(x -> wanted[ranking[x] - first] = true);
            flops[0] += 2L * layer.headDim() * (Arrays.stream(sizes).filter(s -> s > 0).count() + estimate.looked());
        }
        return Lists.byPosition(IntStream.rangeClosed(first, position).filter(j -> j >= end || wanted[j - first]).toArray());
    }

    /// Positions `[first, end)`, those of the best cluster first.
    private static int[] ranking(double[] query, Clusters clusters, int first, int end) {
        double[] scores = Arrays.stream(clusters.centroids()).mapToDouble(c -> HeadStates.dot(query, c)).toArray();
        double[] byKey = IntStream.range(first, end).mapToDouble(j -> scores[clusters.labels()[j]]).toArray();
        return Lists.ranked(byKey).stream().mapToInt(n -> first + n).toArray();
    }
}
