"""Attention over all keys: scale, soft cap, mask, softmax, weighted sum.

Query head h reads key/value head h // (heads / kvHeads). A row that sees no key gives zeros.
"""
import numpy as np


def soft_cap(x, cap):
    """cap * tanh(x / cap); no cap where `cap` is None."""
    return x if cap is None else cap * np.tanh(x / cap)


def visible(q_positions, k_positions, window):
    """[queryLen, keyLen]: key j for query i if j <= i and, on local layers, i - j < window."""
    distance = np.asarray(q_positions)[:, None] - np.asarray(k_positions)[None, :]
    mask = distance >= 0
    if window is not None:
        mask &= distance < window
    return mask


def masked_softmax(logits, mask):
    """Softmax over the last axis among the visible keys; zeros where a row has none."""
    masked = np.where(mask, logits, -np.inf)
    top = np.max(masked, axis=-1, keepdims=True) if logits.shape[-1] else np.zeros(logits.shape[:-1] + (1,))
    top = np.where(np.isneginf(top), 0.0, top)
    terms = np.exp(masked - top)
    total = np.sum(terms, axis=-1, keepdims=True)
    return np.divide(terms, total, out=np.zeros_like(terms), where=total != 0)


def repeat_heads(x, heads):
    """[kvHeads, ...] -> [heads, ...]: each key/value head serves heads / kvHeads neighbouring query heads."""
    return np.repeat(x, heads // x.shape[0], axis=0)


def capped_logits(q, k, scale, cap):
    """q [heads, queryLen, headDim], k [kvHeads, keyLen, headDim] -> [heads, queryLen, keyLen]"""
    return soft_cap(q @ repeat_heads(k, q.shape[0]).transpose(0, 2, 1) * scale, cap)


def attend(q, k, v, mask, scale, cap):
    """mask [queryLen, keyLen] -> context [heads, queryLen, headDim]"""
    weights = masked_softmax(capped_logits(q, k, scale, cap), mask)
    return weights @ repeat_heads(v, q.shape[0])


def dense_attention(q, k, v, q_positions, k_positions, scale, cap, window):
    return attend(q, k, v, visible(q_positions, k_positions, window), scale, cap)
