package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.dhsa.reference.baseline.PageBounds;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;

/// Quest: whole pages of keys, ranked by how large a dot product with the query could be.
///
///     S(q, u) = Σ_d max( q[d] · min k[d], q[d] · max k[d] )     over the keys k of page u ([PageBounds])
///     keys(q) = the ⌊budget / page⌋ best pages by S(q, ·)
///     keys(q) = the best chunks by S(q, ·), as many as fit into the budget, at least one        on dynamic chunks
///
/// **Source** Quest (arXiv 2406.10774), section 3. **Unit** a page. **Budget** keys per row and query head, in whole pages; a partial last
/// page counts as one, so a list may be shorter. **Cost of selecting** a minimum and a maximum per channel, key and key head; 4 · headDim
/// per page, row and query head.
/// **Decoding only**, as in the paper: the prompt stays dense. With `sparsePrompt` every row of the prompt chooses as a decoded token
/// would; that is ours, and what the prompt's measures need.
/// **Simplified** nothing is forced, neither the first nor the newest page. On local layers a page's bound is over what the cache still has
/// of it, also where the oldest of these keys have left the row's window. The official evaluation code never takes fewer than 3 pages
/// (`minPages`); where the budget holds the whole context it drops a partial last page, which is not repeated here.
///
/// @param budget       keys per row
/// @param page         keys per page (16 in the paper)
/// @param minPages     fewest pages: 1 keeps the budget, the official code has 3
/// @param denseLayers  first layers that stay dense (2 in the paper)
/// @param sparsePrompt the rows of the prompt choose too
/// @param chunks       dynamic chunks instead of pages of one size
/// @param rule         how the budget is shared out among rows; the mass of a page is estimated by its bound
public record QuestPolicy(int budget, int page, int minPages, int denseLayers, boolean sparsePrompt, Optional<ChunkSource> chunks, BudgetRule rule)
        implements SelectionPolicy {

    public QuestPolicy(int budget, int page, int minPages, int denseLayers, boolean sparsePrompt, Optional<ChunkSource> chunks) {
        this(budget, page, minPages, denseLayers, sparsePrompt, chunks, BudgetRule.STATIC);
    }

    public QuestPolicy {
        Lists.positive("budget", budget);
        Lists.positive("page", page);
        Lists.positive("minPages", minPages);
        Lists.notNegative("denseLayers", denseLayers);
    }

    @Override
    public String name() {
        return "quest:budget=" + budget + ",page=" + page + ",min-pages=" + minPages + ",dense-layers=" + denseLayers
                + ",prompt=" + (sparsePrompt ? "sparse" : "dense") + ",chunking=" + chunks.map(ChunkSource::name).orElse("pages") + rule.suffix();
    }

    @Override
    public Selector open(int[] promptIds) {
        BudgetRule.Ledger ledger = rule.open();
        Optional<ChunkTrack> track = chunks.map(source -> new ChunkTrack(source, promptIds));
        return new Selector() {
            @Override
            public LayerSelection select(LayerState layer) {
                observe(layer);
                boolean dense = layer.layer() < denseLayers || !layer.decoding() && !sparsePrompt;
                return dense ? DensePolicy.everything(layer) : choose(layer, track.map(t -> new KeyUnits(layer, layer.blocks(1), t.of(layer)))
                        .orElseGet(() -> KeyUnits.fixed(layer, 1, page)), ledger);
            }

            @Override
            public void observe(LayerState layer) {
                track.ifPresent(t -> t.see(layer));
            }
        };
    }

    private LayerSelection choose(LayerState layer, KeyUnits units, BudgetRule.Ledger ledger) {
        HeadStates states = new HeadStates(layer);
        List<PageBounds> bounds = IntStream.range(0, layer.kvHeads())
                .mapToObj(g -> new PageBounds(layer.backend().rows(layer.key(), g, g + 1).toDouble(), units.bounds())).toList();
        List<KeySelection> perHead = new ArrayList<>();
        for (int h = 0; h < layer.heads(); h++) {
            int head = h;
            PageBounds own = bounds.get(states.keyHead(head));
            KeySelection chosen = Lists.each(units.rows(), row -> list(row, units, own, states.query(head, row.start())));
            perHead.add(rule.isStatic() ? chosen : share(chosen, units, ledger, head, row -> scores(row, units, own, states.query(head, row.start()))));
        }
        long scored = units.rows().blocks().stream().mapToLong(row -> units.last(row) - units.first(row) + 1).sum();
        long newKeys = layer.decoding() ? 1 : layer.end();
        return new LayerSelection(perHead, layer.heads(), (4 * scored * layer.heads() + 2 * newKeys * layer.kvHeads()) * layer.headDim());
    }

    /// The pairs of the chosen pages, shared out by the rule.
    private static KeySelection share(KeySelection chosen, KeyUnits units, BudgetRule.Ledger ledger, int head, Function<QueryBlocks.Block, double[]> scores) {
        List<QueryBlocks.Block> rows = units.rows().blocks();
        boolean[][] kept = new boolean[rows.size()][units.units()];
        double[][] rank = new double[rows.size()][units.units()];
        double[][] mass = new double[rows.size()][];
        for (int b = 0; b < kept.length; b++) {
            for (int key : chosen.blocks().get(b).keys()) {
                kept[b][units.unitOf(key)] = true;
            }
            double[] seen = scores.apply(rows.get(b));
            Arrays.fill(rank[b], Double.NEGATIVE_INFINITY);
            System.arraycopy(seen, 0, rank[b], units.first(rows.get(b)), seen.length);
            mass[b] = units.massOf(Arrays.stream(rank[b]).map(units.layer().rule()::logit).toArray(), rows.get(b));
        }
        return units.keep(ledger, head, kept, new boolean[kept.length][units.units()], rank, mass);
    }

    /// Of the pages that a row sees.
    private static double[] scores(QueryBlocks.Block row, KeyUnits units, PageBounds bounds, double[] query) {
        int end = row.end() - units.layer().rule().keyStart();
        return IntStream.rangeClosed(units.first(row), units.last(row)).mapToDouble(u -> bounds.score(query, u, end)).toArray();
    }

    private BlockSelection list(QueryBlocks.Block row, KeyUnits units, PageBounds bounds, double[] query) {
        int first = units.first(row);
        double[] scores = scores(row, units, bounds, query);
        int[] visible = IntStream.rangeClosed(first, units.last(row)).map(u -> (int) units.visible(u, row).count()).toArray();
        int keys = Arrays.stream(visible).sum();
        int count = chunks.isEmpty() ? PageBounds.count(scores.length, keys, page, budget, minPages) : fitting(scores, visible);
        BlockSelection best = Lists.best(scores, first, count);
        int[] list = Arrays.stream(best.keys()).flatMap(u -> units.visible(u, row)).toArray();
        return new BlockSelection(list, 0, list.length, best.threshold(), best.margin(), 0, new int[0]);
    }

    /// How many of the best chunks fit into the budget; at least one.
    private int fitting(double[] scores, int[] visible) {
        int count = 0;
        int keys = 0;
        for (int u : Lists.ranked(scores)) {
            keys += visible[u];
            if (keys > budget && count >= minPages) {
                break;
            }
            count++;
        }
        return count;
    }
}
