"""Upsampling: every token takes the score of its chunk. Chunk c is [b_c, b_c+1): a token on a boundary opens a chunk."""
import numpy as np


def chunk_of(boundaries, length):
    """[chunks + 1] -> the chunk of each token [length]"""
    return np.searchsorted(boundaries, np.arange(length), side="right") - 1


def upsampling(chunk_scores, boundaries):
    """[queryBlocks, chunks] -> [queryBlocks, keyLen]"""
    return chunk_scores[:, chunk_of(boundaries, int(boundaries[-1]))]
