"""RMSNorm: y = x / sqrt(mean(x^2) + eps) * (1 + weight), over the last axis."""
import numpy as np


def rms_norm(x, weight, eps):
    """x [..., modelDim], weight [modelDim] -> [..., modelDim]"""
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    return x / np.sqrt(mean_square + eps) * (1.0 + weight)
