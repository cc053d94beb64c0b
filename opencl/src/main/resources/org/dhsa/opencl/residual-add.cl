/* Residual add.
 *
 *     y[t][d] = x[t][d] + branch[t][d]
 *
 * Layout   x and branch [rows, modelDim], row t at offset + t * stride (read); y [rows, modelDim], row-major (overwritten).
 * Items    one per element; axis 0 is d, axis 1 is t. Any work-group size.
 * Tunables none.
 * Twin     ResidualAddReference, OptimizedResidualAdd.
 */
__kernel void residual_add(__global const float *x, long xOffset, long xStride, __global const float *branch, long branchOffset, long branchStride,
                           __global float *y, int rows, int modelDim)
{
    int d = get_global_id(0);
    int t = get_global_id(1);
    if (d < modelDim && t < rows) {
        y[(long)t * modelDim + d] = x[xOffset + t * xStride + d] + branch[branchOffset + t * branchStride + d];
    }
}
