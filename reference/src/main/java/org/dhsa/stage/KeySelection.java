package org.dhsa.stage;

import java.util.Arrays;
import java.util.List;

/// The keys that each query block may read, with how clear the cut was.
public record KeySelection(QueryBlocks queryBlocks, List<BlockSelection> blocks) {

    /// One block's list.
    ///
    /// `keys` are absolute positions; ascending and unique in the corrected profile, as upstream leaves them otherwise
    /// (spliced, padded, with repetitions that count several times in the softmax).
    ///
    /// @param forced    how many keys were kept whatever their score
    /// @param selected  how many keys were taken by score
    /// @param threshold lowest score taken, NaN if none was taken by score
    /// @param margin    threshold minus the best score left out: 0 when the cut falls among equals, +infinity when nothing
    ///                  was left out or nothing was taken by score
    /// @param greater   how many taken keys score strictly above the threshold
    /// @param tieGroup  candidates whose score equals the threshold, ascending, taken or not
    public record BlockSelection(int[] keys, int forced, int selected, double threshold, double margin, int greater, int[] tieGroup) {

        /// Candidates at the threshold that were taken.
        public int tiesTaken() {
            return selected - greater;
        }

        /// True when another order of equal scores would have taken other keys.
        public boolean ambiguous() {
            return tiesTaken() < tieGroup.length;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof BlockSelection that && Arrays.equals(keys, that.keys) && forced == that.forced
                    && selected == that.selected && Double.compare(threshold, that.threshold) == 0
                    && Double.compare(margin, that.margin) == 0 && greater == that.greater && Arrays.equals(tieGroup, that.tieGroup);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(keys);
        }

        @Override
        public String toString() {
            return "BlockSelection" + Arrays.toString(keys);
        }
    }

    public KeySelection {
        blocks = List.copyOf(blocks);
        if (blocks.size() != queryBlocks.blocks().size()) {
            throw new IllegalArgumentException(queryBlocks.blocks().size() + " query blocks, but " + blocks.size() + " lists of keys");
        }
    }

    /// Smallest margin of all blocks.
    public double margin() {
        return blocks.stream().mapToDouble(BlockSelection::margin).min().orElse(Double.POSITIVE_INFINITY);
    }

    /// Blocks whose cut falls among equal scores.
    public long ambiguousBlocks() {
        return blocks.stream().filter(BlockSelection::ambiguous).count();
    }
}
