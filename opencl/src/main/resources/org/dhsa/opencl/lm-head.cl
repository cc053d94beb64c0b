/* Soft cap of the logits.
 *
 *     z[i] = cap * tanh(z[i] / cap)
 *
 * Layout   z [tokens, vocab], row-major (read and overwritten).
 * Items    one per element, axis 0. Any work-group size.
 * Tunables none. The product with the embedding is matrix-product.cl.
 * Twin     LmHeadReference, OptimizedLmHead.
 */
#pragma OPENCL FP_CONTRACT OFF

__kernel void soft_cap(__global float *z, long count, float cap)
{
    long i = get_global_id(0);
    if (i < count) {
        z[i] = cap * tanh(z[i] / cap);
    }
}
