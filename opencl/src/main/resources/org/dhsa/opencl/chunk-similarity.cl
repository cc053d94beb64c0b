/* Chunk similarity: plain dot products, no scale, no cap, no softmax.
 *
 *     s[i][j] = sum over d of q[i][d] * k[j][d]
 *
 * Layout   q [queryBlocks, headDim], row i at qOffset + i * qRow (read); k [chunks, headDim], row j at kOffset + j * kRow (read);
 *          s [queryBlocks, chunks], row-major (overwritten).
 * Sums     16 lanes: lane l adds d = l, l + 16, ... in this order; then the lanes are added in pairs, 8 apart, 4 apart, ... No tunable
 *          changes the order.
 * Items    a tile of TILE_Q x TILE_K results per item: axis 0 tiles of chunks, axis 1 tiles of query blocks. Any work-group size.
 * Tunables TILE_Q, TILE_K: 4 and 4 on a CPU, 2 and 2 on a GPU, whose registers hold less.
 * Twin     ChunkSimilarityReference, OptimizedChunkSimilarity.
 */
#pragma OPENCL FP_CONTRACT OFF

#ifndef TILE_Q
#define TILE_Q 2
#endif
#ifndef TILE_K
#define TILE_K 2
#endif

/* 16 values, those behind the end being zero. */
float16 load16(__global const float *from, int count)
{
    if (count >= 16) {
        return vload16(0, from);
    }
    float some[16];
    for (int l = 0; l < 16; l++) {
        some[l] = l < count ? from[l] : 0.0f;
    }
    return vload16(0, some);
}

__kernel void chunk_similarity(__global const float *q, long qOffset, long qRow, __global const float *k, long kOffset, long kRow,
        __global float *s, int queryBlocks, int chunks, int headDim)
{
    int j0 = get_global_id(0) * TILE_K;
    int i0 = get_global_id(1) * TILE_Q;
    if (i0 >= queryBlocks || j0 >= chunks) {
        return;
    }
    float16 lanes[TILE_Q][TILE_K];
    #pragma unroll
    for (int i = 0; i < TILE_Q; i++) {
        #pragma unroll
        for (int j = 0; j < TILE_K; j++) {
            lanes[i][j] = (float16)(0.0f);
        }
    }
    for (int d = 0; d < headDim; d += 16) {
        float16 a[TILE_Q];
        #pragma unroll
        for (int i = 0; i < TILE_Q; i++) {
            a[i] = load16(q + qOffset + min(i0 + i, queryBlocks - 1) * qRow + d, headDim - d);
        }
        #pragma unroll
        for (int j = 0; j < TILE_K; j++) {
            float16 b = load16(k + kOffset + min(j0 + j, chunks - 1) * kRow + d, headDim - d);
            #pragma unroll
            for (int i = 0; i < TILE_Q; i++) {
                lanes[i][j] = fma(a[i], b, lanes[i][j]);
            }
        }
    }
    #pragma unroll
    for (int i = 0; i < TILE_Q; i++) {
        #pragma unroll
        for (int j = 0; j < TILE_K; j++) {
            if (i0 + i < queryBlocks && j0 + j < chunks) {
                float8 eight = lanes[i][j].lo + lanes[i][j].hi;
                float4 four = eight.lo + eight.hi;
                float2 two = four.lo + four.hi;
                s[(long)(i0 + i) * chunks + j0 + j] = two.x + two.y;
            }
        }
    }
}
