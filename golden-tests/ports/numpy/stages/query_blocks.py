"""Query blocks: which queries share one list of keys. Each is (start, end, nominalEnd, segment)."""
import numpy as np

from stages import quirks as q


def dense_from(length, instruction_tokens, quirks=frozenset()):
    """Queries from here on are the instruction and attend densely."""
    if instruction_tokens is None:
        return length
    if instruction_tokens == 0:
        return 0 if q.ZERO_INSTRUCTION_IS_ALL in quirks else length
    return max(0, length - instruction_tokens)


def query_segments(boundaries, stop, block_size, chunking):
    """[segments + 1]: what shares one query vector."""
    if chunking == "fixed-blocks":
        return np.array(list(range(0, stop, block_size)) + [stop], dtype=np.int64)
    if chunking == "dynamic-chunks":
        return np.array([int(b) for b in boundaries if b < stop] + [stop], dtype=np.int64)
    raise ValueError(f"queryChunking must be fixed-blocks or dynamic-chunks, was {chunking}")


def query_blocks(segments, block_size, chunking):
    """-> [queryBlocks, 4]"""
    rows = []
    for segment, (begin, end) in enumerate(zip(segments, segments[1:])):
        for start in range(int(begin), int(end), block_size):
            stop = min(start + block_size, int(end))
            nominal = start + block_size if chunking == "fixed-blocks" else stop
            rows.append((start, stop, nominal, segment))
    return np.array(rows, dtype=np.int64).reshape(-1, 4)
