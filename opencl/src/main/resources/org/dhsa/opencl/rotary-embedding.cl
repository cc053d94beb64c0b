/* Rotary position embedding, half-split.
 *
 *     (a, b) -> (a cos - b sin, b cos + a sin)      a = x[h][t][j], b = x[h][t][j + half]
 *
 * Layout   x [heads, tokens, headDim], head h at xOffset + h * xStride (read); cosines and sines [tokens, half], made by the
 *          host in FP64 and rounded once, because an FP32 angle is wrong by 0.004 at position 100000 (read);
 *          y [heads, tokens, headDim], row-major (overwritten). half = headDim / 2.
 * Items    one per pair; axis 0 is j, axis 1 is t, axis 2 is h. Any work-group size.
 * Tunables none.
 * Twin     RotaryEmbeddingReference, OptimizedRotaryEmbedding.
 */
#pragma OPENCL FP_CONTRACT OFF

__kernel void rotary_embedding(__global const float *x, long xOffset, long xStride, __global const float *cosines, __global const float *sines,
                               __global float *y, int tokens, int headDim)
{
    int pairs = headDim / 2;
    int j = get_global_id(0);
    int t = get_global_id(1);
    int h = get_global_id(2);
    if (j >= pairs || t >= tokens) {
        return;
    }
    long from = xOffset + h * xStride + (long)t * headDim;
    long to = ((long)h * tokens + t) * headDim;
    float c = cosines[(long)t * pairs + j];
    float s = sines[(long)t * pairs + j];
    float a = x[from + j];
    float b = x[from + pairs + j];
    y[to + j] = fma(a, c, -(b * s));
    y[to + pairs + j] = fma(b, c, a * s);
}
