package org.dhsa.stage;

import java.util.ArrayList;
import java.util.List;

/// The sparse query rows cut into blocks that share one list of keys. Rows from `denseFrom` on attend densely.
///
/// Positions are absolute. `nominalEnd` is where a block would end if it were full; only upstream quirks look at it.
///
/// @param blocks    the blocks, adjoining, in order
/// @param denseFrom first position that attends densely (the instruction tail); equal to the end when there is none
/// @param end       one past the last query position
public record QueryBlocks(List<Block> blocks, int denseFrom, int end) {

    /// Queries `[start, end)`, whose representation is segment `segment` of the query side.
    public record Block(int start, int end, int nominalEnd, int segment) {
        public Block {
            if (start < 0 || end <= start || nominalEnd < end) {
                throw new IllegalArgumentException("not a query block: [" + start + ", " + end + ") of [" + start + ", " + nominalEnd + ")");
            }
        }

        public int length() {
            return end - start;
        }
    }

    public QueryBlocks {
        blocks = List.copyOf(blocks);
        for (int b = 1; b < blocks.size(); b++) {
            if (blocks.get(b).start() != blocks.get(b - 1).end()) {
                throw new IllegalArgumentException("query blocks must adjoin, block " + b + " starts at " + blocks.get(b).start());
            }
        }
        if (!blocks.isEmpty() && blocks.getLast().end() != denseFrom) {
            throw new IllegalArgumentException("the blocks end at " + blocks.getLast().end() + ", the dense rows start at " + denseFrom);
        }
        if (denseFrom > end) {
            throw new IllegalArgumentException("dense rows start at " + denseFrom + ", after the end " + end);
        }
    }

    /// Blocks of `size` queries over `[0, denseFrom)`, the last one shorter if need be.
    public static QueryBlocks fixed(int denseFrom, int end, int size) {
        List<Block> blocks = new ArrayList<>();
        for (int start = 0; start < denseFrom; start += size) {
            blocks.add(new Block(start, Math.min(denseFrom, start + size), start + size, blocks.size()));
        }
        return new QueryBlocks(blocks, denseFrom, end);
    }

    /// Dynamic chunks on the query side: every chunk is one segment, cut into blocks of at most `size` queries.
    public static QueryBlocks dynamic(Boundaries chunks, int denseFrom, int end, int size) {
        List<Block> blocks = new ArrayList<>();
        for (int c = 0; c < chunks.chunks() && chunks.start(c) < denseFrom; c++) {
            int chunkEnd = Math.min(denseFrom, chunks.end(c));
            for (int start = chunks.start(c); start < chunkEnd; start += size) {
                int blockEnd = Math.min(chunkEnd, start + size);
                blocks.add(new Block(start, blockEnd, blockEnd, c));
            }
        }
        return new QueryBlocks(blocks, denseFrom, end);
    }

    /// One query alone, as in decoding.
    public static QueryBlocks single(int position) {
        return new QueryBlocks(List.of(new Block(position, position + 1, position + 1, 0)), position + 1, position + 1);
    }
}
