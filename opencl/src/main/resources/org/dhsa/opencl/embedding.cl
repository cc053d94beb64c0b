/* Embedding: token ids to hidden states.
 *
 *     hidden[t][d] = table[ids[t]][d] * factor
 *
 * Layout   ids [tokens] (read); table [vocab, modelDim] in panels of 32 rows, [ceil(vocab / 32)][modelDim][32] (read);
 *          hidden [tokens, modelDim], row-major (overwritten).
 * Index    row id, column d lies in step (id / 32) * modelDim + d of 32 elements. FP32: element id % 32 of the step.
 *          BF16 and F16: a step is 16 words of 32 bits; word id % 16 holds row id in its low half if id % 32 < 16, else in its high half.
 * Items    one per element of hidden; axis 0 is d, axis 1 is t. Any work-group size.
 * Tunables none.
 * Twin     EmbeddingReference, OptimizedEmbedding.
 */
#pragma OPENCL FP_CONTRACT OFF

__kernel void embedding_bf16(__global const int *ids, __global const uint *table, __global float *hidden, int tokens, int modelDim, float factor)
{
    int d = get_global_id(0);
    int t = get_global_id(1);
    if (d >= modelDim || t >= tokens) {
        return;
    }
    int id = ids[t];
    uint word = table[((long)(id / 32) * modelDim + d) * 16 + id % 16];
    hidden[(long)t * modelDim + d] = as_float(id % 32 < 16 ? word << 16 : word & 0xffff0000u) * factor;
}

__kernel void embedding_f16(__global const int *ids, __global const uint *table, __global float *hidden, int tokens, int modelDim, float factor)
{
    int d = get_global_id(0);
    int t = get_global_id(1);
    if (d >= modelDim || t >= tokens) {
        return;
    }
    int id = ids[t];
    uint word = table[((long)(id / 32) * modelDim + d) * 16 + id % 16];
    ushort bits = id % 32 < 16 ? word : word >> 16;
    hidden[(long)t * modelDim + d] = vload_half(0, (const half *)&bits) * factor;
}

__kernel void embedding_f32(__global const int *ids, __global const float *table, __global float *hidden, int tokens, int modelDim, float factor)
{
    int d = get_global_id(0);
    int t = get_global_id(1);
    if (d >= modelDim || t >= tokens) {
        return;
    }
    int id = ids[t];
    hidden[(long)t * modelDim + d] = table[((long)(id / 32) * modelDim + d) * 32 + id % 32] * factor;
}
