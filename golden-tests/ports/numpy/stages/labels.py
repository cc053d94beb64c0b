"""Labels of the boundary predictor: how unlike the attention that the w keys before and after a gap receive is.

ratio(p) = (max + eps) / (min + eps) of the two masses, rows from p + w on (local layers: at most `window` rows).
"""
import numpy as np

EPS = 1e-6


def mass_ratio(attention, w, window=None, smooth=False):
    """attention [queryLen, keyLen] (mean over heads) -> ratio [keyLen]; 0 where it cannot be judged"""
    length = attention.shape[0]
    out = np.zeros(length)
    margin = 2 * w if smooth else w
    for p in range(margin - 1, length - margin):
        rows = attention[p + w:] if window is None else attention[p + w:p + w + window]
        past, future = rows[:, p - w + 1:p + 1].sum(), rows[:, p + 1:p + w + 1].sum()
        out[p] = (max(past, future) + EPS) / (min(past, future) + EPS)
    return out
