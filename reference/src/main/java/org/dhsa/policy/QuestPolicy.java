package org.dhsa.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
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
public record QuestPolicy(int budget, int page, int minPages, int denseLayers, boolean sparsePrompt, Optional<ChunkSource> chunks) implements SelectionPolicy {

    public QuestPolicy {
        Lists.positive("budget", budget);
        Lists.positive("page", page);
        Lists.positive("minPages", minPages);
        Lists.notNegative("denseLayers", denseLayers);
    }

    @Override
    public String name() {
        return "quest:budget=" + budget + ",page=" + page + ",min-pages=" + minPages + ",dense-layers=" + denseLayers
                + ",prompt=" + (sparsePrompt ? "sparse" : "dense") + ",chunking=" + chunks.map(ChunkSource::name).orElse("pages");
    }

    @Override
    public Selector open(int[] promptIds) {
        Optional<ChunkTrack> track = chunks.map(source -> new ChunkTrack(source, promptIds));
        return new Selector() {
            @Override
            public LayerSelection select(LayerState layer) {
                observe(layer);
                boolean dense = layer.layer() < denseLayers || !layer.decoding() && !sparsePrompt;
                return dense ? DensePolicy.everything(layer) : choose(layer, track.map(t -> new KeyUnits(layer, layer.blocks(1), t.of(layer)))
                        .orElseGet(() -> KeyUnits.fixed(layer, 1, page)));
            }

            @Override
            public void observe(LayerState layer) {
                track.ifPresent(t -> t.see(layer));
            }
        };
    }

    private LayerSelection choose(LayerState layer, KeyUnits units) {
        HeadStates states = new HeadStates(layer);
        List<PageBounds> bounds = IntStream.range(0, layer.kvHeads())
                .mapToObj(g -> new PageBounds(layer.backend().rows(layer.key(), g, g + 1).toDouble(), units.bounds())).toList();
        List<KeySelection> perHead = new ArrayList<>();
        for (int h = 0; h < layer.heads(); h++) {
            int head = h;
            perHead.add(Lists.each(units.rows(), row -> list(row, units, bounds.get(states.keyHead(head)), states.query(head, row.start()))));
        }
        long scored = units.rows().blocks().stream().mapToLong(row -> units.last(row) - units.first(row) + 1).sum();
        long newKeys = layer.decoding() ? 1 : layer.end();
        return new LayerSelection(perHead, layer.heads(), (4 * scored * layer.heads() + 2 * newKeys * layer.kvHeads()) * layer.headDim());
    }

    private BlockSelection list(QueryBlocks.Block row, KeyUnits units, PageBounds bounds, double[] query) {
        int first = units.first(row);
        int end = row.end() - units.layer().rule().keyStart();
        double[] scores = IntStream.rangeClosed(first, units.last(row)).mapToDouble(u -> bounds.score(query, u, end)).toArray();
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
