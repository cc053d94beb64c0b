package org.dhsa.policy;

/// Exact operation counts of what policies score with.
final class ChunkCost {

    private ChunkCost() {}

    /// Means of query rows and key rows: one addition per channel, head and row.
    ///
    /// @param sharedHeads the heads are averaged; otherwise every query head reads the means of its own key head
    static long means(LayerState layer, int queryRows, int keyRows, boolean sharedHeads) {
        long keyHeads = sharedHeads ? layer.kvHeads() : layer.heads();
        return ((long) queryRows * layer.heads() + keyRows * keyHeads) * layer.headDim();
    }
}
