"""Output projection: the heads of a token laid end to end, times a weight [modelDim, heads * headDim]."""


def merge_heads(context):
    """[heads, queryLen, headDim] -> [queryLen, heads * headDim]"""
    heads, length, dim = context.shape
    return context.transpose(1, 0, 2).reshape(length, heads * dim)


def output_projection(context, weight):
    return merge_heads(context) @ weight.T
