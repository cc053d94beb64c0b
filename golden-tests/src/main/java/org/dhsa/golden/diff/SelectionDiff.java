package org.dhsa.golden.diff;

import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.dhsa.golden.Verdict;
import org.dhsa.stage.KeySelection;
import org.dhsa.stage.QueryBlocks;
import org.dhsa.tensor.DoubleTensor;

/// Lists of keys, exactly or up to ties at the cut.
///
/// A row that is not the expected list is a near-tie when it has as many keys, and every key that is in one list only lies in
/// the group of candidates whose score equals the cut (within `slack`, where the scores themselves carry rounding). Forced keys and
/// keys outside the allowed range are in no such group.
final class SelectionDiff {

    private SelectionDiff() {}

    /// @param expected   `[queryBlocks, budget]`, padded with -1
    /// @param actual     `[queryBlocks, budget]`, its own width
    /// @param reselected what the reference selects from the scores, for the groups of equals
    /// @param scores     `[segments, keyLen]`
    /// @param slack      how far apart two scores may be and still count as equal
    static TensorDiff compare(String name, DoubleTensor expected, DoubleTensor actual, KeySelection reselected, DoubleTensor scores, double slack) {
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
            KeySelection.BlockSelection block = reselected.blocks().get(b);
            QueryBlocks.Block rowsOf = reselected.queryBlocks().blocks().get(b);
            boolean exchanged = want.length == have.length && missing.size() == extra.size() && !missing.isEmpty()
                    && missing.stream().allMatch(k -> tied(k, block, rowsOf, scores, slack)) && extra.stream().allMatch(k -> tied(k, block, rowsOf, scores, slack));
            if (!exchanged) {
                String at = "[queryBlocks=" + b + "]";
                return wrong(name, at, want.length == have.length && missing.isEmpty() ? "block " + b + " has the same keys in another order, or one of them twice"
                        : "block " + b + ": " + have.length + " keys where " + want.length + " are expected; missing " + some(missing) + ", too many " + some(extra));
            }
            ties++;
        }
        return new TensorDiff(name, ties == 0 ? Verdict.PASS : Verdict.NEAR_TIE, 0, 0, 1, 0, Budget.EXACT, "", 0, 0, List.of(),
                ties == 0 ? "" : ties + " of " + rows + " lists exchange keys of equal score at the cut");
    }

    private static boolean tied(int key, KeySelection.BlockSelection block, QueryBlocks.Block rowsOf, DoubleTensor scores, double slack) {
        if (Arrays.binarySearch(block.tieGroup(), key) >= 0) {
            return true;
        }
        return slack > 0 && key >= 0 && key < rowsOf.end() && key < scores.shape().extent(1) && Math.abs(scores.at(rowsOf.segment(), key) - block.threshold()) <= slack;
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
