package org.dhsa.golden;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.dhsa.forward.Probe;
import org.dhsa.model.Profile;
import org.dhsa.reference.baseline.KvCompression;
import org.dhsa.reference.baseline.PyramidKvCache;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// SnapKV: smoothed scores of the keys before the window, and what is kept of them, head by head.
///
/// With a maximum as smoothing, neighbours have equal scores. Which of them are kept is not part of the method: of the keys at the cut only the
/// number is compared, and that they are at the cut.
final class SnapKvCheck extends ReferenceFunctionCheck {

    private static final String NAME = "snapkv";

    @Override
    public void check(CaseCheck check) throws GoldenFormatException {
        GoldenCase golden = check.golden();
        check.input("query", "key");
        DoubleTensor key = golden.tensor("key").row(0, "kvHeads", "keyLen", "headDim");
        int window = golden.intOf("window_size");
        int capacity = golden.intOf("max_capacity_prompt");
        KvCompression.Input in = new KvCompression.Input(golden.tensor("query").row(0, "heads", "queryLen", "headDim"), key, key);
        PyramidKvCache.Pyramid oneLayer = new PyramidKvCache.Pyramid(new KvCompression.Config(window, capacity, true, false, false, Profile.CORRECTED), 1, 0,
                golden.intOf("kernel_size"), golden.textOf("pooling").equals("maxpool") ? PyramidKvCache.Pooling.MAX : PyramidKvCache.Pooling.AVERAGE, 1);
        List<List<Integer>> kept = check.call(NAME, Probe.NO_LAYER, "kept_positions", () -> PyramidKvCache.apply(in, oneLayer).keptByHead());
        GoldenTensor recorded = golden.tensor("kept_positions");
        if (!golden.has("pooled_scores")) {
            for (int h = 0; h < kept.size(); h++) {
                check.batch(h, kept.size());
                check.exact(NAME, Probe.NO_LAYER, "kept_positions", "keyLen", recorded.rowInts(h), ascending(kept.get(h)));
            }
            return;
        }
        double[][] pooled = check.call(NAME, Probe.NO_LAYER, "pooled_scores", () -> PyramidKvCache.pooledScores(in, oneLayer));
        check.close(NAME, Probe.NO_LAYER, "pooled_scores", golden.tensor("pooled_scores").named("heads", "keyLen"),
                DoubleTensor.of(Shape.of("heads", pooled.length, "keyLen", pooled[0].length), Arrays.stream(pooled).flatMapToDouble(Arrays::stream).toArray()));
        for (int h = 0; h < kept.size(); h++) {
            check.batch(h, kept.size());
            double[] scores = pooled[h];
            double cut = Arrays.stream(scores).sorted().skip(scores.length - (capacity - window)).findFirst().orElseThrow();
            int[] certain = IntStream.range(0, scores.length).filter(j -> scores[j] > cut).toArray();
            int[] tied = IntStream.range(0, scores.length).filter(j -> scores[j] == cut).toArray();
            check.exact(NAME, Probe.NO_LAYER, "certain_prefix", "keyLen", marked(golden.tensor("certain_prefix"), h), certain);
            check.exact(NAME, Probe.NO_LAYER, "tied_prefix", "keyLen", marked(golden.tensor("tied_prefix"), h), tied);
            check.exact(NAME, Probe.NO_LAYER, "results.ambiguous_ties_at_cut", "value",
                    new int[] {golden.results().path("ambiguous_ties_at_cut").path(h).asBoolean() ? 1 : 0},
                    new int[] {certain.length + tied.length > capacity - window ? 1 : 0});
            check.exact(NAME, Probe.NO_LAYER, "kept_positions", "keyLen", upToTies(recorded.rowInts(h), tied), upToTies(ascending(kept.get(h)), tied));
        }
    }

    private static int[] ascending(List<Integer> positions) {
        return positions.stream().mapToInt(Integer::intValue).sorted().toArray();
    }

    private static int[] marked(GoldenTensor booleans, int head) throws GoldenFormatException {
        int[] row = booleans.rowInts(head);
        return IntStream.range(0, row.length).filter(j -> row[j] != 0).toArray();
    }

    /// Every kept key at the cut becomes −1: how many there are is left, not which.
    private static int[] upToTies(int[] kept, int[] tied) {
        return Arrays.stream(kept).map(j -> Arrays.binarySearch(tied, j) >= 0 ? -1 : j).sorted().toArray();
    }
}
