package org.dhsa.golden.diff;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.dhsa.golden.Verdict;
import org.dhsa.tensor.DoubleTensor;

/// Lists of keys, exactly or up to ties at the cut.
///
/// A row that is not the expected list is a near-tie when it has as many keys, and every key that is in one list only has a
/// score equal to the row's threshold (within `slack`, where the scores themselves carry rounding) and is neither forced nor
/// outside the allowed range.
final class SelectionDiff {

    private SelectionDiff() {}

    /// @param expected `[queryBlocks, budget]`, padded with -1
    /// @param actual   `[queryBlocks, budget]`, its own width
    /// @param evidence what the reference says about the selection: `threshold`, `forcedKeys`, `allowed`; and the `blocks`
    /// @param scores   `[segments, keyLen]`
    /// @param slack    how far apart two scores may be and still count as equal
    static TensorDiff compare(String name, DoubleTensor expected, DoubleTensor actual, Map<String, DoubleTensor> evidence, DoubleTensor scores, double slack) {
        int rows = expected.shape().extent(0);
        if (actual.shape().extent(0) != rows) {
            return wrong(name, "", "has " + actual.shape().extent(0) + " lists where " + rows + " query blocks are expected");
        }
        int ties = 0;
        for (int b = 0; b < rows; b++) {
            int[] want = row(expected, b);
            int[] have = row(actual, b);
            if (Arrays.equals(want, have)) {
                continue;
            }
            TreeSet<Integer> missing = difference(want, have);
            TreeSet<Integer> extra = difference(have, want);
            TreeSet<Integer> exchanged = new TreeSet<>(missing);
            exchanged.addAll(extra);
            int block = b;
            boolean tie = want.length == have.length && missing.size() == extra.size() && !missing.isEmpty()
                    && exchanged.stream().allMatch(key -> tied(key, block, evidence, scores, slack));
            if (!tie) {
                return wrong(name, "[queryBlocks=" + b + "]", want.length == have.length && exchanged.isEmpty()
                        ? "block " + b + " has the same keys in another order, or one of them twice"
                        : "block " + b + ": " + have.length + " keys where " + want.length + " are expected; missing " + some(missing) + "; too many " + some(extra));
            }
            ties++;
        }
        return new TensorDiff(name, ties == 0 ? Verdict.PASS : Verdict.NEAR_TIE, 0, 0, 1, 0, Budget.EXACT, "", 0, 0, List.of(),
                ties == 0 ? "" : ties + " of " + rows + " lists exchange keys of equal score at the cut");
    }

    private static boolean tied(int key, int block, Map<String, DoubleTensor> evidence, DoubleTensor scores, double slack) {
        DoubleTensor allowed = evidence.get("allowed");
        boolean free = key >= allowed.at(block, 0) && key < allowed.at(block, 1)
                && Arrays.stream(row(evidence.get("forcedKeys"), block)).noneMatch(forced -> forced == key);
        int segment = (int) evidence.get("blocks").at(block, 3);
        return free && Math.abs(scores.at(segment, key) - evidence.get("threshold").at(block)) <= slack;
    }

    private static int[] row(DoubleTensor lists, int b) {
        return Arrays.stream(lists.rows(b, b + 1).data()).filter(k -> k >= 0).mapToInt(k -> (int) k).toArray();
    }

    private static TreeSet<Integer> difference(int[] from, int[] without) {
        TreeSet<Integer> set = new TreeSet<>(Arrays.stream(from).boxed().toList());
        Arrays.stream(without).forEach(set::remove);
        return set;
    }

    private static String some(TreeSet<Integer> keys) {
        return keys.isEmpty() ? "none" : keys.stream().limit(8).map(String::valueOf).collect(Collectors.joining(", ")) + (keys.size() > 8 ? " and " + (keys.size() - 8) + " more" : "");
    }

    private static TensorDiff wrong(String name, String index, String note) {
        return new TensorDiff(name, Verdict.FAIL, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, Double.NaN, 1, Budget.EXACT, index, Double.NaN, Double.NaN, List.of(), note);
    }
}
