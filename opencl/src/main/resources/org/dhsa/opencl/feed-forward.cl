/* Gate of the feed-forward: the tanh form of GELU on one branch times the other.
 *
 *     gate[i] = gelu(gate[i]) * up[i]
 *     gelu(z) = z/2 * (1 + tanh(u)) = z / (1 + exp(-2u))      u = sqrt(2/pi) * (z + 0.044715 z^3)
 *
 * The form with exp does not cancel for negative z, where 1 + tanh(u) loses every digit.
 *
 * Layout   gate and up [tokens, ffnDim], row-major; gate is read and overwritten, up is read.
 * Items    one per element, axis 0. Any work-group size.
 * Tunables none. The three matrix products around it are matrix-product.cl.
 * Twin     FeedForwardReference, OptimizedFeedForward.
 */
#pragma OPENCL FP_CONTRACT OFF

__kernel void gelu_times(__global float *gate, __global const float *up, long count)
{
    long i = get_global_id(0);
    if (i >= count) {
        return;
    }
    float z = gate[i];
    float u = 0.7978845608028654f * fma(0.044715f * z * z, z, z);
    gate[i] = z / (1.0f + exp(-2.0f * u)) * up[i];
}
