"""Chunk similarity: S_c = Q K_c^T. No scale, no cap, no mask, no softmax."""


def chunk_similarity(query_vectors, chunk_vectors):
    """[queryBlocks, headDim], [chunks, headDim] -> [queryBlocks, chunks]"""
    return query_vectors @ chunk_vectors.T
