"""Sparse attention: each query reads the keys on its block's list that it can see; then as dense attention.

A key that a list names twice counts twice. Queries from `dense_from` on read all keys that they see. A row that sees
no key gives zeros.
"""
import numpy as np

from stages import dense_attention


def sparse_attention(query, key, value, blocks, lists, scale, cap, window, query_start=0, key_start=0, dense_from=None):
    """query [heads, queryLen, headDim], key, value [kvHeads, keyLen, headDim]; blocks, lists and dense_from hold
    absolute positions -> [heads, queryLen, headDim]"""
    stop = query_start + query.shape[1]
    out = np.zeros(query.shape[:2] + value.shape[2:])

    def rows(begin, end, keys):
        begin, end = max(begin, query_start), min(end, stop)
        if begin < end:
            here, there = slice(begin - query_start, end - query_start), keys - key_start
            mask = dense_attention.visible(np.arange(begin, end), keys, window)
            out[:, here] = dense_attention.attend(query[:, here], key[:, there], value[:, there], mask, scale, cap)
    for block, keys in zip(blocks, lists):
        rows(int(block[0]), int(block[1]), np.asarray(keys, dtype=np.int64))
    if dense_from is not None and dense_from < stop:
        rows(dense_from, stop, np.arange(key_start, key_start + key.shape[1]))
    return out
