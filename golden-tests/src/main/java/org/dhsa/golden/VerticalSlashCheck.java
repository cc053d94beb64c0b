package org.dhsa.golden;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dhsa.forward.Probe;
import org.dhsa.model.Profile;
import org.dhsa.policy.AttentionWeights;
import org.dhsa.policy.LayerState;
import org.dhsa.policy.LineScores;
import org.dhsa.policy.MInferenceVerticalSlashPolicy;
import org.dhsa.reference.baseline.VerticalSlashIndex;

/// MInference's vertical-slash pattern: kept lines, what its kernel reads of them, and how many pairs either is.
final class VerticalSlashCheck extends SelectionRecordingCheck {

    private static final String NAME = "minference-vertical-slash";

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        LayerState layer = layer(check, query(check), key(check));
        int length = layer.end();
        int verticalSize = golden.intOf("vertical_size");
        int slashSize = golden.intOf("slash_size");
        int lastQ = golden.intOf("last_q");
        AttentionWeights weights = new AttentionWeights(layer.query(), layer.key(), layer.rule());
        List<LineScores> scores = new ArrayList<>();
        int[][] columns = new int[layer.heads()][];
        int[][] distances = new int[layer.heads()][];
        List<List<VerticalSlashIndex.Ranges>> ranges = new ArrayList<>();
        int[] ideal = new int[layer.heads()];
        for (int h = 0; h < layer.heads(); h++) {
            LineScores lines = LineScores.of(weights, h, Math.max(0, length - lastQ), length);
            scores.add(lines);
            columns[h] = VerticalSlashIndex.columns(lines.vertical(), verticalSize);
            distances[h] = VerticalSlashIndex.distances(lines.slash(), slashSize);
            ranges.add(VerticalSlashIndex.ranges(columns[h], distances[h], length));
            ideal[h] = ideal(columns[h], distances[h], length);
        }
        sets(check, NAME, "vertical_idx", rows(golden.tensor("vertical_idx"), -1), columns, (h, j) -> scores.get(h).vertical()[j]);
        sets(check, NAME, "slash_idx", rows(golden.tensor("slash_idx"), -1), distances, (h, d) -> scores.get(h).slash()[d]);
        exactly(check, "block_offset", ranges.stream().flatMap(List::stream).map(VerticalSlashIndex.Ranges::starts).toArray(int[][]::new));
        exactly(check, "column_index", ranges.stream().flatMap(List::stream).map(VerticalSlashIndex.Ranges::columns).toArray(int[][]::new));
        counts(check, "block_count", ranges.stream().flatMap(List::stream).mapToInt(r -> r.starts().length).toArray());
        counts(check, "column_count", ranges.stream().flatMap(List::stream).mapToInt(r -> r.columns().length).toArray());
        numbers(check, NAME, "causal_pairs_kept_ideal", ideal);
        numbers(check, NAME, "causal_pairs_kept_kernel", check.call(NAME, Probe.NO_LAYER, "results.causal_pairs_kept_kernel", () -> pairs(
                select(new MInferenceVerticalSlashPolicy(verticalSize, slashSize, lastQ, VerticalSlashIndex.BLOCK, Profile.UPSTREAM), layer), layer)));
        total(check, NAME, 0, length);
    }

    private static int ideal(int[] columns, int[] distances, int length) {
        return IntStream.range(0, length).map(i -> (int) IntStream.concat(Arrays.stream(columns).filter(j -> j <= i), Arrays.stream(distances).map(d -> i - d).filter(j -> j >= 0))
                .distinct().count()).sum();
    }

    private static void exactly(CaseCheck check, String tensor, int[][] actual) throws GoldenFormatException {
        sets(check, NAME, tensor, rows(check.golden().tensor(tensor), -1), actual, (set, entry) -> entry);
    }

    private static void counts(CaseCheck check, String tensor, int[] actual) throws GoldenFormatException {
        check.exact(NAME, Probe.NO_LAYER, tensor, "heads*queryBlocks", check.golden().tensor(tensor).ints(), actual);
    }
}
