/* Root-mean-square norm.
 *
 *     y[t][d] = x[t][d] / sqrt(mean over d of x[t][d]^2 + eps) * (1 + w[d])
 *
 * Layout   x [rows, modelDim], row t at xOffset + t * xStride (read); w [modelDim] (read); y [rows, modelDim], row-major
 *          (overwritten).
 * Sums     64 lanes: lane l adds the squares of d = l, l + 64, ... in this order; then the lanes are added in pairs, 32 apart,
 *          16 apart, ... The order is the same for every WG, so the bits are too.
 * Items    one work-group of WG items per row; an item owns 64 / WG lanes that lie side by side.
 * Tunables WG: 1, 2, 4, ... 64. A CPU wants 1 (the lanes become vector registers), a GPU 64. SUB_GROUP: 4, 8 or 16 where the device's
 *          sub-groups are multiples of it: the lanes are added through them, in the same pairs; 0: every item adds all lanes.
 * Twin     RmsNormReference, OptimizedRmsNorm.
 */
#pragma OPENCL FP_CONTRACT OFF

#ifndef WG
#define WG 1
#endif
#ifndef SUB_GROUP
#define SUB_GROUP 0
#endif
#if SUB_GROUP
#pragma OPENCL EXTENSION cl_khr_subgroup_shuffle : enable
#endif
#define LANES 64
#define OWN (LANES / WG)

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void rms_norm(__global const float *x, long xOffset, long xStride, __global const float *w, __global float *y, int modelDim, float eps)
{
    __local float lanes[LANES];
    int row = get_group_id(0);
    int item = get_local_id(0);
    x += xOffset + row * xStride;
    y += (long)row * modelDim;

    float sum[OWN];
    for (int l = 0; l < OWN; l++) {
        sum[l] = 0;
    }
    int first = item * OWN;
    int d = first;
    for (; d + OWN <= modelDim; d += LANES) {
        for (int l = 0; l < OWN; l++) {
            sum[l] = fma(x[d + l], x[d + l], sum[l]);
        }
    }
    for (int l = 0; l < OWN; l++) {
        if (d + l < modelDim) {
            sum[l] = fma(x[d + l], x[d + l], sum[l]);
        }
    }
    for (int l = 0; l < OWN; l++) {
        lanes[first + l] = sum[l];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    /* Every item gets the sum, so that no second barrier is needed. */
#if SUB_GROUP && WG % SUB_GROUP == 0
    /* Each SUB_GROUP items add all lanes: an item those that lie SUB_GROUP apart, then the items each other's. */
    float tree[LANES / SUB_GROUP];
    for (int l = 0; l < LANES / SUB_GROUP; l++) {
        tree[l] = lanes[get_sub_group_local_id() % SUB_GROUP + l * SUB_GROUP];
    }
    for (int half_of = LANES / SUB_GROUP / 2; half_of > 0; half_of /= 2) {
        for (int l = 0; l < half_of; l++) {
            tree[l] += tree[l + half_of];
        }
    }
    for (uint apart = SUB_GROUP / 2; apart > 0; apart /= 2) {
        tree[0] += sub_group_shuffle_xor(tree[0], apart);
    }
#else
    float tree[LANES / 2];
    for (int l = 0; l < LANES / 2; l++) {
        tree[l] = lanes[l] + lanes[l + LANES / 2];
    }
    for (int half_of = LANES / 4; half_of > 0; half_of /= 2) {
        for (int l = 0; l < half_of; l++) {
            tree[l] += tree[l + half_of];
        }
    }
#endif
    /* One step of Newton: rsqrt alone may be off by 2 units in the last place, by the standard. */
    float mean = tree[0] / modelDim + eps;
    float inverse = rsqrt(mean);
    inverse = fma(0.5f * inverse, fma(-(mean * inverse), inverse, 1.0f), inverse);
    for (int i = item; i < modelDim; i += WG) {
        y[i] = x[i] * inverse * (1.0f + w[i]);
    }
}
