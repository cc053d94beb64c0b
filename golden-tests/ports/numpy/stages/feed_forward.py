"""GeGLU feed-forward: down(gelu_tanh(gate x) * (up x))."""
import numpy as np


def gelu_tanh(x):
    return 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))


def feed_forward(x, gate_weight, up_weight, down_weight):
    """x [queryLen, modelDim], gate and up [ffnDim, modelDim], down [modelDim, ffnDim] -> [queryLen, modelDim]"""
    return (gelu_tanh(x @ gate_weight.T) * (x @ up_weight.T)) @ down_weight.T
