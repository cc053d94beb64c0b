package org.dhsa.golden;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.dhsa.forward.Probe;
import org.dhsa.model.Profile;
import org.dhsa.policy.AttentionWeights;
import org.dhsa.policy.FlexPrefillPolicy;
import org.dhsa.policy.LayerSelection;
import org.dhsa.policy.LayerState;
import org.dhsa.reference.baseline.FlexPrefillBlocks;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// FlexPrefill: what the last rows show, the kind of each head, kept lines and blocks.
final class FlexPrefillCheck extends SelectionRecordingCheck {

    private static final String NAME = "flexprefill";

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        LayerState layer = layer(check, query(check), golden.booleanOf("gqa_interleave") ? interleaved(key(check), golden.intOf("H")) : key(check));
        int heads = layer.heads();
        int length = layer.end();
        int block = golden.intOf("block_size");
        int minBudget = golden.optionalInt("min_budget").orElse(1);
        OptionalInt maxBudget = golden.optionalInt("max_budget");
        double gamma = golden.doubleOf("gamma");
        double tau = golden.doubleOf("tau");
        FlexPrefillBlocks.Official official = new FlexPrefillBlocks.Official(gamma, minBudget, maxBudget.orElse(length), block, length);
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        List<FlexPrefillPolicy.HeadView> views = new ArrayList<>();
        int[][] columns = new int[heads][];
        int[][] distances = new int[heads][];
        int[] covered = new int[heads];
        int[] diagonals = new int[heads];
        for (int h = 0; h < heads; h++) {
            FlexPrefillPolicy.HeadView view = FlexPrefillPolicy.view(layer, weights, h, block);
            views.add(view);
            boolean queryAware = view.distance() < tau;
            covered[h] = official.cover(view.lines().vertical());
            diagonals[h] = official.cover(view.lines().slash());
            columns[h] = official.verticalBlocks(view.lines().vertical(), official.wanted(covered[h], queryAware));
            distances[h] = official.slashBlocks(view.lines().slash(), official.wanted(diagonals[h], queryAware));
        }
        matrix(check, "vertical_scores", "keyLen", views.stream().map(v -> v.lines().vertical()));
        matrix(check, "slash_scores", "keyLen", views.stream().map(v -> IntStream.range(0, length).mapToDouble(t -> v.lines().slash()[length - 1 - t]).toArray()));
        matrix(check, "estimated_last_row", "chunks", views.stream().map(FlexPrefillPolicy.HeadView::estimated));
        matrix(check, "true_last_row", "chunks", views.stream().map(FlexPrefillPolicy.HeadView::observed));
        check.close(NAME, Probe.NO_LAYER, "js_distance", golden.tensor("js_distance").named("heads"),
                vector("heads", views.stream().mapToDouble(FlexPrefillPolicy.HeadView::distance).toArray()));
        check.exact(NAME, Probe.NO_LAYER, "query_aware", "heads", golden.tensor("query_aware").ints(), views.stream().mapToInt(v -> v.distance() < tau ? 1 : 0).toArray());
        check.exact(NAME, Probe.NO_LAYER, "vertical_cover_count", "heads", golden.tensor("vertical_cover_count").ints(), covered);
        check.exact(NAME, Probe.NO_LAYER, "slash_cover_count", "heads", golden.tensor("slash_cover_count").ints(), diagonals);
        lines(check, "vertical_blocks", columns);
        lines(check, "slash_blocks", distances);

        LayerSelection selection = check.call(NAME, Probe.NO_LAYER, "block_mask", () -> select(
                new FlexPrefillPolicy(gamma, tau, minBudget, maxBudget.orElse(0), block, Profile.UPSTREAM), layer));
        List<boolean[][]> kept = IntStream.range(0, heads).mapToObj(h -> blocks(selection, h, block, length)).toList();
        GoldenTensor mask = golden.tensor("block_mask");
        sets(check, NAME, "block_mask", maskRows(mask), maskRows(kept, mask), (set, c) -> c);
        int[] blocks = kept.stream().mapToInt(SelectionRecordingCheck::blocks).toArray();
        numbers(check, NAME, "blocks_kept", blocks);
        numbers(check, NAME, "causal_pairs_kept", pairs(selection, layer));
        numbers(check, NAME, "non_causal_blocks", (int) kept.stream().mapToLong(m -> IntStream.range(0, m.length)
                .mapToLong(r -> IntStream.range(r + 1, m.length).filter(c -> m[r][c]).count()).sum()).sum());
        check.close(NAME, "official_computational_ratio", golden.results().path("official_computational_ratio").asDouble(),
                Arrays.stream(blocks).sum() / ((double) heads * official.blocks() * official.blocks()));
        total(check, NAME, 0, length);
    }

    /// What a backend computes of it: the last rows as the means of blocks have them.
    static void estimated(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        LayerState layer = layer(check, query(check), golden.booleanOf("gqa_interleave") ? interleaved(key(check), golden.intOf("H")) : key(check));
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        int block = golden.intOf("block_size");
        double[][] rows = check.call(NAME, Probe.NO_LAYER, "estimated_last_row", () -> IntStream.range(0, layer.heads())
                .mapToObj(h -> FlexPrefillPolicy.view(layer, weights, h, block).estimated()).toArray(double[][]::new));
        matrix(check, "estimated_last_row", "chunks", Arrays.stream(rows));
    }

    /// Kept blocks of lines; 0 is both a block that is always kept and the padding.
    private static void lines(CaseCheck check, String tensor, int[][] actual) throws GoldenFormatException {
        int[][] recorded = Arrays.stream(rows(check.golden().tensor(tensor), -1)).map(row -> Arrays.stream(row).sorted().distinct().toArray()).toArray(int[][]::new);
        sets(check, NAME, tensor, recorded, actual, (set, entry) -> entry);
    }

    private static void matrix(CaseCheck check, String tensor, String axis, java.util.stream.Stream<double[]> rows) throws GoldenFormatException {
        double[][] all = rows.toArray(double[][]::new);
        check.close(NAME, Probe.NO_LAYER, tensor, check.golden().tensor(tensor).named("heads", axis),
                DoubleTensor.of(Shape.of("heads", all.length, axis, all[0].length), Arrays.stream(all).flatMapToDouble(Arrays::stream).toArray()));
    }

    /// A key head for every query head: query head h reads key head h mod kvHeads.
    static DoubleTensor interleaved(DoubleTensor key, int heads) {
        int kvHeads = key.shape().extent("kvHeads");
        int size = key.data().length / kvHeads;
        double[] repeated = new double[heads * size];
        for (int h = 0; h < heads; h++) {
            System.arraycopy(key.data(), h % kvHeads * size, repeated, h * size, size);
        }
        return DoubleTensor.of(Shape.of("kvHeads", heads, "keyLen", key.shape().extent("keyLen"), "headDim", key.shape().extent("headDim")), repeated);
    }
}
