"""Logits: product with the tied embedding table (not scaled), then the final soft cap."""
from stages import dense_attention


def lm_head(x, table, cap):
    """x [queryLen, modelDim] after the final norm, table [vocab, modelDim] -> [queryLen, vocab]"""
    return dense_attention.soft_cap(x @ table.T, cap)
