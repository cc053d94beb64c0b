"""Query, key and value projections. Weights are [out, in]; rows are heads laid one after another."""


def project(x, weight, heads):
    """x [queryLen, modelDim], weight [heads * headDim, modelDim] -> [heads, queryLen, headDim]"""
    y = x @ weight.T
    return y.reshape(x.shape[0], heads, -1).transpose(1, 0, 2)


def qkv_projection(x, q_weight, k_weight, v_weight, heads, kv_heads):
    return project(x, q_weight, heads), project(x, k_weight, kv_heads), project(x, v_weight, kv_heads)
