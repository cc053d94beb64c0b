package org.dhsa.reference.baseline;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// Vertical-slash selection as MInference's code does it, with what its paper does not say.
///
///     columns   = top_max(vertical_size, 30)( vertical, columns 0 to 29 first of all )
///     distances = top_max(slash_size, 50)( slash, distances 0 to 99 first of all )
///
/// **Quirks** the floors and the forced lines above; and the kernel reads more than it was asked for: a diagonal is read as
/// ranges of 64 keys per 64 rows ([#ranges]), and ranges that touch are lengthened by whole 64s.
/// **Source** microsoft/MInference, `gather_last_q_vertical_slash_topk_v4` and `csrc/vertical_slash_index.cu`.
/// **Golden** `minference_vertical_slash/*`: columns, distances, ranges, single columns, and the pairs of both readings.
/// **Pitfall** with a slash size below 100 the forced distances tie, and which of them stay is nobody's decision; here the shortest.
public final class VerticalSlashIndex {

    /// Rows that share ranges, and keys of a range.
    public static final int BLOCK = 64;
    private static final int FORCED_COLUMNS = 30;
    private static final int FORCED_DISTANCES = 100;
    private static final int FEWEST_COLUMNS = 30;
    private static final int FEWEST_DISTANCES = 50;

    /// What the kernel reads for one block of rows: ranges of [#BLOCK] keys by their first key, and single columns.
    public record Ranges(int[] starts, int[] columns) {

        /// True if a row of the block may read this key, as far as it sees it.
        public boolean read(int key) {
            return Arrays.stream(starts).anyMatch(start -> key >= start && key < start + BLOCK) || Arrays.binarySearch(columns, key) >= 0;
        }
    }

    private VerticalSlashIndex() {}

    /// Kept columns, ascending.
    public static int[] columns(double[] vertical, int size) {
        return best(vertical, Math.max(size, FEWEST_COLUMNS), FORCED_COLUMNS);
    }

    /// Kept distances, ascending.
    public static int[] distances(double[] slash, int size) {
        return best(slash, Math.max(size, FEWEST_DISTANCES), FORCED_DISTANCES);
    }

    private static int[] best(double[] scores, int count, int forced) {
        double[] changed = scores.clone();
        Arrays.fill(changed, 0, Math.min(forced, changed.length), Double.POSITIVE_INFINITY);
        return Ranking.top(changed, count).stream().mapToInt(Integer::intValue).sorted().toArray();
    }

    /// Per block of 64 rows, whose last ends at `e`: every kept distance d < e, longest first, asks for the keys up to x = max(e − d, 64).
    /// The first opens the range [x − 64, x). A later x beyond the range's end by more than 64 closes it and opens another; by 64 or
    /// less, it lengthens the range by a full 64; otherwise the range holds it already. Columns outside all ranges are read singly.
    ///
    /// @param columns   ascending
    /// @param distances ascending
    public static List<Ranges> ranges(int[] columns, int[] distances, int length) {
        List<Ranges> blocks = new ArrayList<>();
        for (int end = BLOCK; end < length + BLOCK; end += BLOCK) {
            List<Integer> starts = new ArrayList<>();
            int rangeEnd = 0;
            for (int d = distances.length - 1; d >= 0; d--) {
                if (distances[d] >= end) {
                    continue;
                }
                int asked = Math.max(end - distances[d], BLOCK);
                if (starts.isEmpty() || asked > rangeEnd + BLOCK) {
                    starts.add(asked - BLOCK);
                    rangeEnd = asked;
                } else if (asked > rangeEnd) {
                    starts.add(rangeEnd);
                    rangeEnd += BLOCK;
                }
            }
            int covered = rangeEnd;
            Ranges ranges = new Ranges(starts.stream().mapToInt(Integer::intValue).toArray(), new int[0]);
            blocks.add(new Ranges(ranges.starts, IntStream.of(columns).filter(c -> c < covered && !ranges.read(c)).toArray()));
        }
        return blocks;
    }
}
