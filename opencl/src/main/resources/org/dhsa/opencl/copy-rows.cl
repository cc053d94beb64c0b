/* Rows from one buffer to another: appending to the KV cache, bringing scattered rows together.
 *
 *     to[toOffset + r * toStride + i] = from[fromOffset + r * fromStride + i]      i < count
 *
 * Layout   both in words of 32 bits (from is read, to is overwritten in the rows named).
 * Items    one per word; axis 0 is i, axis 1 is r. Any work-group size.
 * Tunables none.
 * Twin     the copies of DoubleLayerCache and RollingLayerCache. (clEnqueueCopyBufferRect would do, but PoCL 3.1 crashes in it on
 *          sub-buffers, and one kernel costs less than a copy command per head.)
 */
__kernel void copy_rows(__global const uint *from, long fromOffset, long fromStride, __global uint *to, long toOffset, long toStride, long count, int rows)
{
    long i = get_global_id(0);
    int r = get_global_id(1);
    if (i < count && r < rows) {
        to[toOffset + r * toStride + i] = from[fromOffset + r * fromStride + i];
    }
}
