"""Embedding: x = table[ids] * sqrt(modelDim). bf16 models round the factor to float32, then to bfloat16."""
import numpy as np

from stages import rounding


def factor(model_dim, scale):
    root = np.sqrt(np.float64(model_dim))
    if scale == "exact":
        return root
    if scale == "bf16-rounded":
        return rounding.to_bf16(rounding.to_f32(root))
    raise ValueError(f"embeddingScale must be exact or bf16-rounded, was {scale}")


def embedding(table, ids, scale="exact"):
    """table [vocab, modelDim], ids [queryLen] -> [queryLen, modelDim]"""
    return table[ids] * factor(table.shape[1], scale)
