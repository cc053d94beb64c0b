package org.dhsa.optimized;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.DhsaConfig.TieOrder;
import org.dhsa.reference.dhsa.TopKSelectionReference;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.TopKSelection;
import org.dhsa.tensor.Tensor;

/// Budgeted top-k over runs of equal scores instead of tokens. Twin: `TopKSelectionReference`, whose rules for allowed and
/// forced keys and for upstream's padding and splicing are used as they are.
///
/// All tokens of a chunk share a score, so a few hundred runs are sorted where there are a hundred thousand tokens. Runs of
/// equal score stand in order of position, and so do their tokens: the same order as sorting tokens one by one.
final class OptimizedTopKSelection implements TopKSelection {

    private final Workers workers;

    OptimizedTopKSelection(Workers workers) {
        this.workers = workers;
    }

    /// Tokens `[start, end)` with one score.
    private record Run(int start, int end, double score) {}

    @Override
    public Output apply(Input in) {
        List<QueryBlocks.Block> blocks = in.queryBlocks().blocks();
        BlockSelection[] lists = new BlockSelection[blocks.size()];
        int keyLen = in.tokenScores().shape().extent("keyLen");
        workers.run(lists.length, (b, worker) ->
                lists[b] = select(sorted(runs(in.tokenScores(), blocks.get(b).segment()), in.config().tieOrder()), keyLen, blocks.get(b), in));
        return new Output(new KeySelection(in.queryBlocks(), Arrays.asList(lists)));
    }

    private static List<Run> runs(Tensor scores, int row) {
        List<Run> runs = new ArrayList<>();
        if (scores instanceof UpsampledScores upsampled) {
            for (int c = 0; c < upsampled.boundaries().chunks(); c++) {
                runs.add(new Run(upsampled.boundaries().start(c), upsampled.boundaries().end(c), upsampled.score(row, c)));
            }
            return runs;
        }
        double[] wide = scores.toDouble().data();
        int keyLen = scores.shape().extent("keyLen");
        for (int start = 0, end; start < keyLen; start = end) {
            double score = wide[row * keyLen + start];
            end = start + 1;
            while (end < keyLen && wide[row * keyLen + end] == score) {
                end++;
            }
            runs.add(new Run(start, end, score));
        }
        return runs;
    }

    /// Score descending, NaN last; equal scores by position.
    private static List<Run> sorted(List<Run> runs, TieOrder tieOrder) {
        Comparator<Run> byPosition = Comparator.comparingInt(Run::start);
        runs.sort(Comparator.<Run, Boolean>comparing(r -> Double.isNaN(r.score()))
                .thenComparingDouble(r -> 0.0 - r.score())
                .thenComparing(tieOrder == TieOrder.LOW_POSITION_FIRST ? byPosition : byPosition.reversed()));
        return runs;
    }

    private static BlockSelection select(List<Run> runs, int keyLen, QueryBlocks.Block block, Input in) {
        DhsaConfig config = in.config();
        int cut = TopKSelectionReference.cut(in.budget(), keyLen, in.visibility(), config);
        int start = TopKSelectionReference.allowedStart(block, in.visibility(), config);
        int end = TopKSelectionReference.allowedEnd(block, keyLen, config);
        Set<Integer> forced = TopKSelectionReference.forced(block, start, end, cut, config);

        int[] keys = Arrays.copyOf(forced.stream().mapToInt(Integer::intValue).toArray(), cut);
        int wanted = cut - forced.size();
        int taken = 0;
        double threshold = Double.NaN;
        double next = Double.NaN;
        boolean anyLeft = false;
        for (Run run : runs) {
            int[] candidates = candidates(run, start, end, forced, config.tieOrder());
            if (candidates.length == 0) {
                continue;
            }
            int take = Math.min(wanted - taken, candidates.length);
            System.arraycopy(candidates, 0, keys, forced.size() + taken, take);
            taken += take;
            if (take > 0) {
                threshold = run.score();
            }
            if (take < candidates.length) {
                next = run.score();
                anyLeft = true;
                break;
            }
        }
        double cutScore = threshold;
        int[] tieGroup = runs.stream().filter(r -> r.score() == cutScore)
                .flatMapToInt(r -> Arrays.stream(candidates(r, start, end, forced, config.tieOrder()))).sorted().toArray();
        int greater = runs.stream().filter(r -> r.score() > cutScore)
                .mapToInt(r -> candidates(r, start, end, forced, config.tieOrder()).length).sum();
        int[] list = Arrays.copyOf(keys, forced.size() + taken);
        Arrays.sort(list);
        double margin = taken > 0 && anyLeft ? threshold - next : Double.POSITIVE_INFINITY;
        return new BlockSelection(TopKSelectionReference.finish(list, block, in.visibility(), cut, keyLen, config),
                forced.size(), taken, threshold, margin, greater, tieGroup);
    }

    private static int[] candidates(Run run, int start, int end, Set<Integer> forced, TieOrder tieOrder) {
        int from = Math.max(run.start(), start);
        int to = Math.min(run.end(), end);
        IntStream positions = tieOrder == TieOrder.LOW_POSITION_FIRST
                ? IntStream.range(from, Math.max(from, to)) : IntStream.range(from, Math.max(from, to)).map(p -> from + to - 1 - p);
        return positions.filter(p -> !forced.contains(p)).toArray();
    }
}
