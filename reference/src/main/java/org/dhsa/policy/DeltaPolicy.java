package org.dhsa.policy;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dhsa.model.LayerKind;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;

/// DELTA: a few layers attend densely and choose pages; the layers after them read these pages and choose nothing.
///
///     s(t) = max over the query heads h of a(h, t)                     weights of the choosing layer
///     S(u) = Σ s(t) over the tokens t of page u that the row sees                  pages by absolute position
///     pages = the last `recent` pages ∪ the ⌊budget / page⌋ − `recent` best of the others by S
///
/// A layer is one of three: one of the first, dense; a Δ-layer, dense, which chooses anew for every token; or sparse, with the pages of the Δ-layer
/// before it. One list serves all heads. `recent` counts at most ⌊budget / page⌋, which is at least 1; a row that sees no more keys than `budget` reads them all.
///
/// **Source** DELTA (arXiv 2510.09883) and its code (hoenza/DELTA): its page scores, its 8 last pages and its dense layers 0 and 1 with Δ-layers 2, 14 and 22 of 28. The code takes
/// 1e-7 times its index from the score of a page, so that ties go to the earlier page; here only equal scores do that. **Unit** a page, for all heads. **Budget** keys per row of a sparse layer, in whole pages. **Cost of selecting** the
/// weights are those of a Δ-layer's own dense attention; beyond it one operation per key and query head, for the maximum and the sum.
/// **Decoding only**, as in the paper: the prompt stays dense. With `sparsePrompt` every row of the prompt is treated as a decoded token
/// would be; that is ours.
/// **Simplified** Δ-layers are given, or spread evenly; the paper places them where the attention of neighbouring layers differs most
/// on calibration texts, which needs the real model. **Gemma 2** a local layer cannot choose for a global one: at each Δ the first layer of either kind
/// from there on chooses for its own kind, and before that its kind stays dense.
///
/// @param budget       keys per row
/// @param page         keys per page (16 in the paper)
/// @param recent       last pages, always read (8 in the paper)
/// @param denseLayers  first layers, dense (2 in the paper)
/// @param deltas       layers where choosing begins, ascending; empty for three, evenly spread from `denseLayers` on
/// @param sparsePrompt the rows of the prompt choose too
/// @param rule         how the pairs of the chosen pages are shared out among rows, the recent pages staying; not `per-layer`, because one choice serves all layers up to the next Δ
public record DeltaPolicy(int budget, int page, int recent, int denseLayers, List<Integer> deltas, boolean sparsePrompt, BudgetRule rule) implements SelectionPolicy {

    public DeltaPolicy(int budget, int page, int recent, int denseLayers, List<Integer> deltas, boolean sparsePrompt) {
        this(budget, page, recent, denseLayers, deltas, sparsePrompt, BudgetRule.STATIC);
    }

    public DeltaPolicy {
        if (rule.kind() == BudgetRule.Kind.PER_LAYER) {
            throw new IllegalArgumentException("delta takes no rule=per-layer: one choice of pages serves several layers, so none of them has pairs of its own to leave to the next; "
                    + "take rule=top-p or rule=water-filling");
        }
        Lists.positive("budget", budget);
        Lists.positive("page", page);
        Lists.notNegative("recent", recent);
        Lists.notNegative("denseLayers", denseLayers);
        deltas = List.copyOf(deltas);
        for (int n = 0; n < deltas.size(); n++) {
            if (deltas.get(n) < (n == 0 ? denseLayers : deltas.get(n - 1) + 1)) {
                throw new IllegalArgumentException("deltas must rise, from " + denseLayers + " on, were " + deltas);
            }
        }
    }

    @Override
    public String name() {
        return "delta:budget=" + budget + ",page=" + page + ",recent=" + recent + ",dense-layers=" + denseLayers + ",deltas="
                + (deltas.isEmpty() ? "spread" : deltas.stream().map(String::valueOf).collect(Collectors.joining("+"))) + ",prompt=" + (sparsePrompt ? "sparse" : "dense") + rule.suffix();
    }

    @Override
    public Selector open(int[] promptIds) {
        return new Sequence();
    }

    /// Layers at which choosing begins, in a model of so many layers.
    Set<Integer> deltas(int layers) {
        return deltas.isEmpty() ? IntStream.range(0, 3).map(n -> denseLayers + n * Math.max(0, layers - denseLayers) / 3).boxed().collect(Collectors.toSet())
                : new HashSet<>(deltas);
    }

    /// What was chosen in this pass through the layers, by kind of layer, and which kinds are to choose next.
    private final class Sequence implements Selector {

        private final Map<Class<? extends LayerKind>, KeySelection> chosen = new HashMap<>();
        private final Set<Class<? extends LayerKind>> due = new HashSet<>();

        @Override
        public LayerSelection select(LayerState layer) {
            observe(layer);
            if (!layer.decoding() && !sparsePrompt) {
                return DensePolicy.everything(layer);
            }
            Class<? extends LayerKind> kind = layer.kind().getClass();
            if (due.remove(kind)) {
                AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
                KeyUnits pages = KeyUnits.fixed(layer, 1, page);
                chosen.put(kind, rule.isStatic() ? Lists.each(pages.rows(), row -> choose(row, pages, weights)) : share(pages, weights));
                long keys = pages.rows().blocks().stream().mapToLong(row -> row.end() - layer.firstVisible(row.start())).sum();
                return new LayerSelection(DensePolicy.everything(layer).perHead(), layer.heads(), keys * layer.heads());
            }
            KeySelection reused = chosen.get(kind);
            return reused == null ? DensePolicy.everything(layer) : LayerSelection.shared(reused, layer.heads(), 0);
        }

        @Override
        public void observe(LayerState layer) {
            if (layer.layer() == 0) {
                chosen.clear();
                due.clear();
            }
            if (deltas(layer.layers()).contains(layer.layer())) {
                due.add(LayerKind.Local.class);
                due.add(LayerKind.Global.class);
            }
        }
    }

    /// The same pairs shared out by the rule. Sums of the largest weights over the heads stand for mass.
    private KeySelection share(KeyUnits pages, AttentionWeights weights) {
        int rows = pages.rows().blocks().size();
        boolean[][] kept = new boolean[rows][pages.units()];
        boolean[][] forced = new boolean[rows][pages.units()];
        double[][] scores = new double[rows][pages.units()];
        for (int b = 0; b < rows; b++) {
            QueryBlocks.Block row = pages.rows().blocks().get(b);
            for (int j : choose(row, pages, weights).keys()) {
                kept[b][pages.unitOf(j)] = true;
            }
            int from = pages.first(row);
            Arrays.fill(forced[b], forcedFrom(row, pages), pages.last(row) + 1, true);
            System.arraycopy(scores(row, pages, weights, pages.last(row) + 1), 0, scores[b], from, pages.last(row) + 1 - from);
        }
        return pages.keep(rule.open(), 0, kept, forced, scores, scores);
    }

    /// First of the last pages, which are always read.
    private int forcedFrom(QueryBlocks.Block row, KeyUnits pages) {
        return Math.max(pages.first(row), pages.last(row) + 1 - Math.min(recent, Math.max(1, budget / page)));
    }

    /// Scores of the visible pages before page `end`.
    private static double[] scores(QueryBlocks.Block row, KeyUnits pages, AttentionWeights weights, int end) {
        int first = pages.layer().firstVisible(row.start());
        double[] largest = new double[row.start() - first + 1];
        for (int h = 0; h < pages.layer().heads(); h++) {
            double[] one = weights.row(h, row.start());
            Arrays.setAll(largest, n -> Math.max(largest[n], one[n]));
        }
        return IntStream.range(pages.first(row), end).mapToDouble(u -> pages.visible(u, row).mapToDouble(j -> largest[j - first]).sum()).toArray();
    }

    private BlockSelection choose(QueryBlocks.Block row, KeyUnits pages, AttentionWeights weights) {
        int position = row.start();
        int first = pages.layer().firstVisible(position);
        if (budget > position - first) {
            return Lists.byPosition(IntStream.rangeClosed(first, position).toArray());
        }
        int from = pages.first(row);
        int count = Math.max(1, budget / page);
        int forced = forcedFrom(row, pages);
        double[] scores = scores(row, pages, weights, forced);
        BlockSelection best = Lists.best(scores, from, count - (pages.last(row) + 1 - forced));
        int[] scored = Arrays.stream(best.keys()).flatMap(u -> pages.visible(u, row)).toArray();
        int[] keys = IntStream.concat(Arrays.stream(scored), IntStream.rangeClosed(forced, pages.last(row)).flatMap(u -> pages.visible(u, row))).toArray();
        return new BlockSelection(keys, keys.length - scored.length, scored.length, best.threshold(), best.margin(), 0, new int[0]);
    }
}
