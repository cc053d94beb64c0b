"""Chunk representation: one vector per segment, mean over heads first, then over tokens.

Poolings: `avgpool` (mean), `avgpool_norm` (mean * sqrt(length)), `maxpool` (component-wise maximum).
"""
import numpy as np


def head_mean(states):
    """[heads, tokens, headDim] -> [tokens, headDim]"""
    return np.mean(states, axis=0)


def pooled(rows, pooling, pad_to):
    """rows [length, headDim] -> [headDim]; `pad_to` fills up with zero rows, the square root keeps the real length."""
    length = rows.shape[0]
    if pooling == "maxpool":
        top = np.max(rows, axis=0)
        return np.maximum(top, 0.0) if length < pad_to else top
    mean = np.sum(rows, axis=0) / max(length, pad_to)
    return mean * np.sqrt(np.float64(length)) if pooling == "avgpool_norm" else mean


def chunk_representation(states, segments, pooling, pad_to=0):
    """states [heads, tokens, headDim], segments [chunks + 1] -> [chunks, headDim]. An empty segment gives zeros."""
    if pooling not in ("avgpool", "avgpool_norm", "maxpool"):
        raise ValueError(f"pooling must be avgpool, avgpool_norm or maxpool, was {pooling}")
    mean = head_mean(states)
    out = np.zeros((len(segments) - 1, states.shape[-1]))
    for c, (begin, end) in enumerate(zip(segments, segments[1:])):
        if end > begin:
            out[c] = pooled(mean[begin:end], pooling, pad_to)
    return out


def key_pooling(aggregation):
    """maxpool takes maxima on the query side only; chunks of keys stay plain means."""
    return "avgpool" if aggregation == "maxpool" else aggregation
