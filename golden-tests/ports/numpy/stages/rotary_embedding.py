"""Rotary embedding: pair (j, j + d/2) turns by position * theta^(-2j/d)."""
import math

import numpy as np


def frequencies(head_dim, theta):
    """One by one with the C library's pow: NumPy's own, vectorised, is off by one unit in the last place here and
    there, and position 100000 makes 1e-11 of it."""
    return np.array([math.pow(theta, -2.0 * j / head_dim) for j in range(head_dim // 2)])


def rotary_embedding(x, positions, theta=10000.0):
    """x [heads, queryLen, headDim], positions [queryLen] -> the same shape"""
    half = x.shape[-1] // 2
    angle = np.asarray(positions, dtype=np.float64)[:, None] * frequencies(x.shape[-1], theta)[None, :]
    cos, sin = np.cos(angle), np.sin(angle)
    first, second = x[..., :half], x[..., half:]
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
