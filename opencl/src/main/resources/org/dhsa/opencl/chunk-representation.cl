/* Chunk representation: a segmented sum, one vector per chunk.
 *
 *     c[j][d] = factor[j] * sum over tokens t of chunk j, over heads h, of x[h][t][d]           MAX_POOLING 0
 *     c[j][d] = max over tokens t of chunk j (and 0 if padded) of factor[j] * sum over h        MAX_POOLING 1
 *
 * factor is 1 / (heads * tokens), times sqrt(tokens) where the norm is to be free of the length; the host works it out in FP64.
 *
 * Layout   x [heads, tokens, headDim], element (h, t, d) at xOffset + h * xHead + t * headDim + d, float or with
 *          BF16 1 bfloat16 in 16 bits (read); starts [chunks + 1] (read);
 *          factor [chunks] (read); padded [chunks], 1 where zeros belong to the maximum (read); y [chunks, headDim] (overwritten).
 *          An empty chunk gives zeros.
 * Sums     heads, then tokens in runs of 64, then the runs: each chunk on its own, so a late one loses nothing to a prefix sum. No
 *          tunable changes the order.
 * Items    (a run of CHANNELS channels, chunk); any work-group size.
 * Tunables CHANNELS, a divisor of headDim: 1 on a GPU, whose neighbouring work-items read neighbouring channels; many on a CPU, where one
 *          work-item alone must read whole cache lines. The host's GROUP is the number of work-items in a work-group.
 * Twin     ChunkRepresentationReference, OptimizedChunkRepresentation.
 */
#pragma OPENCL FP_CONTRACT OFF

#ifndef MAX_POOLING
#define MAX_POOLING 0
#endif
#ifndef BF16
#define BF16 0
#endif
#if BF16
#define STATE ushort
#define WIDE(element) as_float((uint)(element) << 16)
#else
#define STATE float
#define WIDE(element) (element)
#endif
#ifndef CHANNELS
#define CHANNELS 1
#endif
#define RUN 64

__kernel void chunk_representation(__global const STATE *x, long xOffset, long xHead, int heads, int headDim,
        __global const int *starts, __global const float *factor, __global const int *padded, __global float *y, int chunks)
{
    int d = get_global_id(0) * CHANNELS;
    int chunk = get_global_id(1);
    if (d >= headDim || chunk >= chunks) {
        return;
    }
    int from = starts[chunk];
    int to = starts[chunk + 1];
    float scale = factor[chunk];
    float result[CHANNELS];
    for (int c = 0; c < CHANNELS; c++) {
        result[c] = MAX_POOLING && from < to && !padded[chunk] ? -INFINITY : 0.0f;
    }
    for (int run = from; run < to; run += RUN) {
        float sum[CHANNELS];
        for (int c = 0; c < CHANNELS; c++) {
            sum[c] = 0.0f;
        }
        for (int t = run; t < min(run + RUN, to); t++) {
            float token[CHANNELS];
            for (int c = 0; c < CHANNELS; c++) {
                token[c] = 0.0f;
            }
            for (int h = 0; h < heads; h++) {
                __global const STATE *state = x + xOffset + h * xHead + (long)t * headDim + d;
                for (int c = 0; c < CHANNELS; c++) {
                    token[c] += WIDE(state[c]);
                }
            }
            for (int c = 0; c < CHANNELS; c++) {
                if (MAX_POOLING) {
                    result[c] = fmax(result[c], token[c] * scale);
                } else {
                    sum[c] += token[c];
                }
            }
        }
        if (!MAX_POOLING) {
            for (int c = 0; c < CHANNELS; c++) {
                result[c] += sum[c];
            }
        }
    }
    for (int c = 0; c < CHANNELS; c++) {
        y[(long)chunk * headDim + d + c] = MAX_POOLING ? result[c] : result[c] * scale;
    }
}
