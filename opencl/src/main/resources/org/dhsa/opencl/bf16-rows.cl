/* Rows of bfloat16: a KV cache of half the size.
 *
 *     round_rows   to[i] = the bfloat16 nearest to from[i], ties to the even one; NaN stays NaN
 *     copy_halves  to[i] = from[i]
 *     widen_rows   to[i] = from[i] as a float, exactly
 *
 * each for the rows r and elements i of  to[toOffset + r * toStride + i] = from[fromOffset + r * fromStride + i],  i < count.
 *
 * Layout   floats of 32 bits or bfloat16 of 16 bits, offsets and strides in elements (from is read, to is overwritten in the rows named).
 * Items    one per element; axis 0 is i, axis 1 is r. Any work-group size.
 * Tunables none.
 * Twin     RollingLayerCache and Bf16Tensor of the optimized path. Integers only: a driver's own conversion is not asked for.
 */
#pragma OPENCL FP_CONTRACT OFF

#define ROWS(FROM, TO) __global const FROM *from, long fromOffset, long fromStride, __global TO *to, long toOffset, long toStride, long count, int rows

/* Adding 0x7fff, and one more where the bit kept last is 1, carries into the upper half just when it must. */
ushort nearest(float value)
{
    uint bits = as_uint(value);
    return isnan(value) ? (ushort)0x7fc0 : (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

__kernel void round_rows(ROWS(float, ushort))
{
    long i = get_global_id(0);
    int r = get_global_id(1);
    if (i < count && r < rows) {
        to[toOffset + r * toStride + i] = nearest(from[fromOffset + r * fromStride + i]);
    }
}

__kernel void copy_halves(ROWS(ushort, ushort))
{
    long i = get_global_id(0);
    int r = get_global_id(1);
    if (i < count && r < rows) {
        to[toOffset + r * toStride + i] = from[fromOffset + r * fromStride + i];
    }
}

__kernel void widen_rows(ROWS(ushort, float))
{
    long i = get_global_id(0);
    int r = get_global_id(1);
    if (i < count && r < rows) {
        to[toOffset + r * toStride + i] = as_float((uint)from[fromOffset + r * fromStride + i] << 16);
    }
}
