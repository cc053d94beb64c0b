/* Upsampling: every token has the score of its chunk.
 *
 *     s[i][j] = c[i][chunk(j)]      chunk(j) is the last chunk that starts at or before j and is not empty
 *
 * In a normal run nobody asks for the token scores: the selection reads chunk scores (top-k-selection.cl), and this kernel does not run.
 *
 * Layout   c [queryBlocks, chunks], row i at cOffset + i * cRow (read); starts [chunks + 1] (read); s [queryBlocks, keyLen], row-major
 *          (overwritten).
 * Items    (j, i); any work-group size. No sums.
 * Twin     UpsamplingReference, OptimizedUpsampling.
 */

__kernel void upsampling(__global const float *c, long cOffset, long cRow, __global const int *starts, int chunks,
        __global float *s, int queryBlocks, int keyLen)
{
    int j = get_global_id(0);
    int i = get_global_id(1);
    if (j >= keyLen || i >= queryBlocks) {
        return;
    }
    /* right bisection: a token on a boundary opens the next chunk */
    int low = 0;
    int high = chunks;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (starts[middle] <= j) {
            low = middle;
        } else {
            high = middle;
        }
    }
    s[(long)i * keyLen + j] = c[cOffset + i * cRow + low];
}
