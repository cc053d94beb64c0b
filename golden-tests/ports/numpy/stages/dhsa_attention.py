"""DHSA of one layer over a prompt, the chain: boundaries, representation, similarity, upsampling, selection, sparse
attention. The instruction at the end of the prompt is read densely.
"""
from types import SimpleNamespace

import numpy as np

from stages import (boundary_prediction, chunk_representation, chunk_similarity, non_maximum_suppression,
                    query_blocks, quirks as q, sparse_attention, top_k_selection, upsampling)


def settings(**given):
    """DHSA parameters; the defaults are the published ones (needle in a haystack)."""
    values = dict(block_size=128, budget=1024, local_tokens=128, global_tokens=128, instruction_tokens=64,
                  aggregation="avgpool_norm", chunk_beta=8, theta=1.1, nms_window=8, w=4, predictor_heads=8,
                  share_boundaries=True, share_masks=False, query_chunking="fixed-blocks", quirks=(),
                  smooth_ends=False, decode_budget=1024, decode_mode="dense")
    unknown = set(given) - set(values)
    if unknown:
        raise ValueError(f"unknown DHSA settings {sorted(unknown)}")
    values.update(given)
    values["quirks"] = q.checked(values["quirks"])
    return SimpleNamespace(**values)


def predict_boundaries(key, predictor, s):
    """Rotated keys of a layer [kvHeads, keyLen, headDim] -> namespace: logits, filled, boundaries"""
    features = boundary_prediction.features_of(key)
    logits = boundary_prediction.predict(features, predictor, s.w, s.predictor_heads)
    budget = non_maximum_suppression.chunk_budget(len(logits), s.block_size, s.chunk_beta)
    filled, _, boundaries = non_maximum_suppression.non_maximum_suppression(
        logits, s.w, budget, s.theta, s.nms_window, s.smooth_ends, s.instruction_tokens, s.quirks)
    return SimpleNamespace(logits=logits, filled=filled, boundaries=boundaries)


def select_chain(query, key, boundaries, window, s):
    """-> namespace: dense_from, blocks, and (if there are blocks) vectors, scores and selections"""
    length = query.shape[1]
    out = SimpleNamespace(dense_from=query_blocks.dense_from(length, s.instruction_tokens, s.quirks))
    segments = query_blocks.query_segments(boundaries, out.dense_from, s.block_size, s.query_chunking)
    out.blocks = query_blocks.query_blocks(segments, s.block_size, s.query_chunking)
    out.key_chunks = chunk_representation.chunk_representation(
        key, boundaries, chunk_representation.key_pooling(s.aggregation))
    out.selections = []
    if len(out.blocks):
        padded = q.PADDED_QUERY_BLOCK in s.quirks and s.query_chunking == "fixed-blocks"
        out.query_chunks = chunk_representation.chunk_representation(
            query, segments, s.aggregation, s.block_size if padded else 0)
        out.chunk_scores = chunk_similarity.chunk_similarity(out.query_chunks, out.key_chunks)
        out.token_scores = upsampling.upsampling(out.chunk_scores, boundaries)
        out.selections = top_k_selection.top_k_selection(
            out.token_scores, out.blocks, window, s.budget, s.local_tokens, s.global_tokens, s.quirks)
    return out


def layer_cap(cap, s):
    return None if q.SOFT_CAP_DROPPED in s.quirks else cap


def row_window(window, s):
    return window + 1 if window is not None and q.WINDOW_PLUS_ONE in s.quirks else window


def attend(query, key, value, chain, scale, cap, window, s):
    """The keys of the chain's lists -> context [heads, queryLen, headDim]"""
    return sparse_attention.sparse_attention(
        query, key, value, chain.blocks, [selection.keys for selection in chain.selections], scale, layer_cap(cap, s),
        row_window(window, s), dense_from=chain.dense_from)
