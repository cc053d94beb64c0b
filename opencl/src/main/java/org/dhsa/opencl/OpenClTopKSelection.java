package org.dhsa.opencl;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.dhsa.model.DhsaConfig;
import org.dhsa.reference.dhsa.TopKSelectionReference;
import org.dhsa.stage.Boundaries;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.KeySelection.BlockSelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.stage.TopKSelection;
import org.dhsa.tensor.Tensor;

/// Budgeted top-k on the device over chunks instead of tokens. Kernel: `top-k-selection.cl`. Twin: `TopKSelectionReference`, whose
/// rules for allowed and forced keys and for upstream's padding and splicing are used as they are.
///
/// The host reads back the lists themselves and eight numbers per block, because a selection is a host value; token scores are
/// never written down and chunk scores are not read back (but for a block whose cut falls among several chunks of one score, whose
/// names the output asks for).
final class OpenClTopKSelection implements TopKSelection {

    static final String PROGRAM = "top-k-selection";
    private static final int BLOCK_INTS = 12;
    private static final int FOUND_INTS = 8;
    private static final int RANGES = 3;

    private final OpenClContext context;
    private final DeviceBoundaries boundaries;

    OpenClTopKSelection(OpenClContext context, DeviceBoundaries boundaries) {
        this.context = context;
        this.boundaries = boundaries;
    }

    /// What is allowed and forced in a block.
    private record Rules(int row, int start, int end, int cut, int forced, int[] ranges) {

        static Rules of(QueryBlocks.Block block, int keyLen, Input in) {
            int cut = TopKSelectionReference.cut(in.budget(), keyLen, in.visibility(), in.config());
            int start = TopKSelectionReference.allowedStart(block, in.visibility(), in.config());
            int end = TopKSelectionReference.allowedEnd(block, keyLen, in.config());
            Set<Integer> forced = TopKSelectionReference.forced(block, start, end, cut, in.config());
            return new Rules(block.segment(), start, end, cut, forced.size(), ranges(forced));
        }

        /// Forced tokens are the union of at most three ranges: the block's own, those before it, the first ones.
        private static int[] ranges(Set<Integer> forced) {
            int[] sorted = forced.stream().mapToInt(Integer::intValue).sorted().toArray();
            int[] ranges = new int[2 * RANGES];
            int count = 0;
            for (int from = 0, to; from < sorted.length; from = to) {
                to = from + 1;
                while (to < sorted.length && sorted[to] == sorted[to - 1] + 1) {
                    to++;
                }
                if (count == RANGES) {
                    throw new IllegalStateException("forced keys form more than " + RANGES + " ranges: " + Arrays.toString(sorted));
                }
                ranges[2 * count] = sorted[from];
                ranges[2 * count + 1] = sorted[to - 1] + 1;
                count++;
            }
            return ranges;
        }

        boolean forces(int position) {
            return IntStream.range(0, RANGES).anyMatch(r -> position >= ranges[2 * r] && position < ranges[2 * r + 1]);
        }
    }

    @Override
    public Output apply(Input in) {
        List<QueryBlocks.Block> blocks = in.queryBlocks().blocks();
        if (blocks.isEmpty()) {
            return new Output(new KeySelection(in.queryBlocks(), List.of()));
        }
        int keyLen = in.tokenScores().shape().extent("keyLen");
        Scores scores = scores(in.tokenScores(), keyLen);
        int chunks = scores.boundaries.chunks();
        List<Rules> rules = new ArrayList<>();
        int[] table = new int[blocks.size() * BLOCK_INTS];
        int maxCut = 1;
        for (int b = 0; b < blocks.size(); b++) {
            Rules r = Rules.of(blocks.get(b), keyLen, in);
            rules.add(r);
            int[] line = {r.row, r.start, r.end, r.cut, r.forced};
            System.arraycopy(line, 0, table, b * BLOCK_INTS, line.length);
            System.arraycopy(r.ranges, 0, table, b * BLOCK_INTS + line.length, r.ranges.length);
            maxCut = Math.max(maxCut, r.cut);
        }
        OpenClBuffer ranks = context.allocateFloats((long) blocks.size() * chunks);
        OpenClBuffer weights = context.allocateFloats((long) blocks.size() * chunks);
        OpenClBuffer keys = context.allocateFloats((long) blocks.size() * maxCut);
        OpenClBuffer found = context.allocateFloats((long) blocks.size() * FOUND_INTS);
        OpenClBuffer lines = context.upload(table);
        Map<String, Integer> tunables = new HashMap<>(context.tuning().of(PROGRAM));
        int group = tunables.getOrDefault("WG", 1);
        tunables.put("HIGH_FIRST", in.config().tieOrder() == DhsaConfig.TieOrder.HIGH_POSITION_FIRST ? 1 : 0);
        context.program(PROGRAM, tunables).kernel("top_k_selection")
                .args(scores.chunkScores.buffer(), scores.chunkScores.offset(), scores.chunkScores.stride(), boundaries.starts(scores.boundaries), chunks,
                        lines, ranks, weights, keys, maxCut, found)
                .run(new long[] {(long) blocks.size() * group}, new long[] {group});
        int[] stats = context.readInts(found, 0, blocks.size() * FOUND_INTS);
        int[] all = context.readInts(keys, 0, blocks.size() * maxCut);
        List.of(ranks, weights, keys, found, lines).forEach(OpenClBuffer::release);
        List<BlockSelection> lists = new ArrayList<>();
        for (int b = 0; b < blocks.size(); b++) {
            int[] f = Arrays.copyOfRange(stats, b * FOUND_INTS, (b + 1) * FOUND_INTS);
            int[] list = Arrays.copyOfRange(all, b * maxCut, b * maxCut + rules.get(b).forced + f[3]);
            lists.add(selection(list, f, rules.get(b), scores, blocks.get(b), keyLen, in));
        }
        return new Output(new KeySelection(in.queryBlocks(), lists));
    }

    private record Scores(DeviceTensor chunkScores, Boundaries boundaries) {}

    /// Scores that nobody upsampled have chunks of one token each.
    private Scores scores(Tensor tokenScores, int keyLen) {
        return tokenScores instanceof UpsampledScores upsampled ? new Scores(upsampled.chunkScores(), upsampled.boundaries())
                : new Scores(DeviceTensor.of(context, tokenScores), Boundaries.uniform(keyLen, 1));
    }

    private BlockSelection selection(int[] list, int[] found, Rules rules, Scores scores, QueryBlocks.Block block, int keyLen, Input in) {
        int taken = found[3];
        double threshold = taken > 0 ? score(found[0]) : Double.NaN;
        double margin = taken > 0 && found[4] != 0 ? threshold - score(found[1]) : Double.POSITIVE_INFINITY;
        boolean number = !Double.isNaN(threshold);
        int[] ties = number ? chunksAt(found, rules, scores) : new int[0];
        int[] tieGroup = Arrays.stream(ties).flatMap(c -> IntStream.range(Math.max(rules.start, scores.boundaries.start(c)),
                Math.max(Math.max(rules.start, scores.boundaries.start(c)), Math.min(rules.end, scores.boundaries.end(c)))))
                .filter(t -> !rules.forces(t)).toArray();
        return new BlockSelection(TopKSelectionReference.finish(list, block, in.visibility(), rules.cut, keyLen, in.config()),
                rules.forced, taken, threshold, margin, number ? found[2] : 0, tieGroup);
    }

    /// Chunks whose score is that at the cut. With several the block's row of chunk scores is looked at.
    private int[] chunksAt(int[] found, Rules rules, Scores scores) {
        if (found[5] <= 1) {
            return found[5] == 0 ? new int[0] : new int[] {found[6]};
        }
        DeviceTensor rows = scores.chunkScores;
        float cut = score(found[0]);
        float[] row = context.readFloats(rows.buffer(), rows.offset() + rules.row * rows.stride(), scores.boundaries.chunks());
        return IntStream.range(0, row.length).filter(c -> row[c] == cut).toArray();
    }

    /// The score that the kernel's rank stands for.
    private static float score(int rank) {
        return rank == 0 ? Float.NaN : Float.intBitsToFloat(rank < 0 ? rank & Integer.MAX_VALUE : ~rank);
    }
}
