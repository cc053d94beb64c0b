/* Matrix product with a stored weight: every projection of the model.
 *
 *     y[t][c] = sum over p of x[t][p] * w[c][p]          (accumulate: added to what y holds)
 *
 * Layout   x [rows, k] (read), y [rows, n] (overwritten, or accumulated into), both in blocks of columns, so that heads that lie
 *          apart need no copy: column p of row t is at offset + (p / block) * blockStride + t * rowStride + p % block.
 *          w [n, k] in panels of 32 rows, [ceil(n / 32)][k][32], missing rows zero (read).
 * Index    element (c, p) of w lies in step (c / 32) * k + p of 32 elements. FP32: element c % 32 of the step. BF16 and F16: a step is
 *          16 words of 32 bits, word c % 16 holds column c in its low half if c % 32 < 16, else in its high half. Widening
 *          BF16 is one shift or one mask; F16 takes some integer operations more, is exact for all finite values, and asks for no extension.
 * Range    only p in [k0, k0 + kLen) is summed. The host calls with blocks of at most 2304 and accumulate from the second on.
 * Sums     matrix_product and matrix_product_local: one fused multiply-add after the other, p ascending. matrix_vector: 16
 *          segments of p, each ascending, then added in pairs. No tunable changes an order, so none changes a bit.
 * Kernels  pack_rows             ROWS rows of x side by side, so that matrix_product reads them in order: [ceil(rows / ROWS)][kLen][ROWS]
 *                                (overwritten). Axis 0: tiles of rows, axis 1: runs of PACK steps.
 *          matrix_product        an item computes ROWS x 32 of y in registers from packed rows, no local memory, no barrier. Axis 0:
 *                                tiles of rows, axis 1: panels. Any work-group size. For CPUs.
 *          matrix_product_local  a work-group of 16 x GROUP_ROWS items computes (GROUP_ROWS * ITEM_ROWS) x (PANELS * 32) of y from
 *                                tiles of TILE_K steps in local memory. Axis 0: 16 per tile of columns, axis 1: tiles of rows. For GPUs.
 *          matrix_vector         rows = 1. A work-group of (16 / VEC) x (16 / SEGMENTS) items per panel; an item reads VEC words of
 *                                SEGMENTS segments. CPU: 16 and 16, GPU: 1 and 1.
 * Tunables BF16, F16 (type of w; neither: FP32), ROWS, PACK, GROUP_ROWS, ITEM_ROWS, PANELS, TILE_K, VEC, SEGMENTS (powers of two for the last two).
 *          SUB_GROUP: 4, 8 or 16 where the device's sub-groups are multiples of it: matrix_vector adds the segments through them, in
 *          the same pairs; 0: one item adds the segments of a column.
 * Twin     Linear (reference), Gemm (optimized).
 */
#pragma OPENCL FP_CONTRACT OFF

#ifndef BF16
#define BF16 1
#endif
#ifndef F16
#define F16 0
#endif
#if F16
#undef BF16
#define BF16 0
#endif
#ifndef ROWS
#define ROWS 12
#endif
#ifndef PACK
#define PACK 64
#endif
#ifndef GROUP_ROWS
#define GROUP_ROWS 16
#endif
#ifndef ITEM_ROWS
#define ITEM_ROWS 4
#endif
#ifndef PANELS
#define PANELS 2
#endif
#ifndef TILE_K
#define TILE_K 16
#endif
#ifndef VEC
#define VEC 16
#endif
#ifndef SEGMENTS
#define SEGMENTS 16
#endif

#ifndef SUB_GROUP
#define SUB_GROUP 0
#endif
#if SUB_GROUP
#pragma OPENCL EXTENSION cl_khr_subgroup_shuffle : enable
#endif

/* Words of 32 bits in one step of a panel. */
#define STEP (BF16 || F16 ? 16 : 32)

/* Values of 16 bits that stand in the upper halves of words, as floats: `lanes` is nothing, 2, 4, 8 or 16. A half has 5 bits of exponent, so a
 * normal one gets 127 - 15 more of it; one without (below 2^-14) gets a leading 1, which is taken off again. */
#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#if F16
#define MAGNITUDE(word) (((word) >> 3) & 0x0fffe000u)
#define WIDE(word, lanes) JOIN(as_float, lanes)(((word) & 0x80000000u) | JOIN(as_uint, lanes)(select( \
        JOIN(as_float, lanes)(MAGNITUDE(word) + 0x38000000u), JOIN(as_float, lanes)(MAGNITUDE(word) + 0x38800000u) - 0x1p-14f, MAGNITUDE(word) < 0x00800000u)))
#else
#define WIDE(word, lanes) JOIN(as_float, lanes)(word)
#endif

/* Columns c and c + 16 of a step, c = 0 ... 15, as 16 lanes each. */
#if BF16 || F16
#define LOW16(step) WIDE(vload16(0, (step)) << 16, 16)
#define HIGH16(step) WIDE(vload16(0, (step)) & 0xffff0000u, 16)
#else
#define LOW16(step) as_float16(vload16(0, (step)))
#define HIGH16(step) as_float16(vload16(0, (step) + 16))
#endif

static long place(long offset, int block, long blockStride, long rowStride, int row, int column)
{
    return offset + (column / block) * blockStride + row * rowStride + column % block;
}

/* A row that does not exist is the last one. */
__kernel void pack_rows(__global const float *x, long xOffset, int xBlock, long xBlockStride, long xRowStride,
                        __global float *packed, int rows, int k0, int kLen)
{
    int tile = get_global_id(0);
    int from = get_global_id(1) * PACK;
    if (tile * ROWS >= rows || from >= kLen) {
        return;
    }
    __global float *to = packed + ((long)tile * kLen + from) * ROWS;
    for (int p = k0 + from; p < k0 + min(from + PACK, kLen); p++) {
        __global const float *column = x + xOffset + (p / xBlock) * xBlockStride + p % xBlock;
        #pragma unroll
        for (int r = 0; r < ROWS; r++) {
            *to++ = column[min(tile * ROWS + r, rows - 1) * xRowStride];
        }
    }
}

__kernel void matrix_product(__global const float *packed, __global const uint *w, __global float *y, long yOffset, int yBlock, long yBlockStride, long yRowStride,
                             int rows, int n, int k, int k0, int kLen, int accumulate)
{
    int tile = get_global_id(0);
    int row = tile * ROWS;
    int panel = get_global_id(1);
    if (row >= rows || panel * 32 >= n) {
        return;
    }
    float16 low[ROWS];
    float16 high[ROWS];
    #pragma unroll
    for (int r = 0; r < ROWS; r++) {
        low[r] = 0;
        high[r] = 0;
    }
    __global const uint *step = w + ((long)panel * k + k0) * STEP;
    __global const float *x = packed + (long)tile * kLen * ROWS;
    for (int p = 0; p < kLen; p++) {
        float16 a = LOW16(step);
        float16 b = HIGH16(step);
        #pragma unroll
        for (int r = 0; r < ROWS; r++) {
            float16 v = (float16)(x[r]);
            low[r] = fma(v, a, low[r]);
            high[r] = fma(v, b, high[r]);
        }
        step += STEP;
        x += ROWS;
    }
    int column = panel * 32;
    if (column + 32 <= n && column % yBlock + 32 <= yBlock) {
        #pragma unroll
        for (int r = 0; r < ROWS; r++) {
            if (row + r < rows) {
                __global float *to = y + place(yOffset, yBlock, yBlockStride, yRowStride, row + r, column);
                vstore16(accumulate ? vload16(0, to) + low[r] : low[r], 0, to);
                vstore16(accumulate ? vload16(1, to) + high[r] : high[r], 1, to);
            }
        }
        return;
    }
    #pragma unroll
    for (int r = 0; r < ROWS; r++) {
        float values[32];
        vstore16(low[r], 0, values);
        vstore16(high[r], 1, values);
        for (int c = 0; row + r < rows && c < min(32, n - column); c++) {
            __global float *to = y + place(yOffset, yBlock, yBlockStride, yRowStride, row + r, column + c);
            *to = accumulate ? *to + values[c] : values[c];
        }
    }
}

#define TILE_ROWS (GROUP_ROWS * ITEM_ROWS)
#define TILE_COLUMNS (PANELS * 32)

__kernel __attribute__((reqd_work_group_size(16, GROUP_ROWS, 1)))
void matrix_product_local(__global const float *x, long xOffset, int xBlock, long xBlockStride, long xRowStride,
                          __global const uint *w, __global float *y, long yOffset, int yBlock, long yBlockStride, long yRowStride,
                          int rows, int n, int k, int k0, int kLen, int accumulate)
{
    __local float xs[TILE_K][TILE_ROWS + 1];
    __local float ws[TILE_K][TILE_COLUMNS];
    int lane = get_local_id(0);
    int group = get_local_id(1);
    int item = group * 16 + lane;
    int row = get_group_id(1) * TILE_ROWS;
    int column = get_group_id(0) * TILE_COLUMNS;

    float sum[ITEM_ROWS][2 * PANELS];
    #pragma unroll
    for (int r = 0; r < ITEM_ROWS; r++) {
        #pragma unroll
        for (int c = 0; c < 2 * PANELS; c++) {
            sum[r][c] = 0;
        }
    }
    for (int p = k0; p < k0 + kLen; p += TILE_K) {
        /* What lies outside is zero in both tiles: 0 * 0 changes no sum. */
        for (int i = item; i < TILE_ROWS * TILE_K; i += 16 * GROUP_ROWS) {
            int r = i / TILE_K;
            int q = i % TILE_K;
            bool inside = row + r < rows && p + q < k0 + kLen;
            xs[q][r] = inside ? x[place(xOffset, xBlock, xBlockStride, xRowStride, row + r, p + q)] : 0;
        }
        for (int i = item; i < PANELS * TILE_K * 16; i += 16 * GROUP_ROWS) {
            int c = i % 16;
            int q = i / 16 % TILE_K;
            int b = i / (16 * TILE_K);
            bool inside = column + b * 32 < n && p + q < k0 + kLen;
            long from = ((long)(column / 32 + b) * k + p + q) * STEP + c;
#if BF16 || F16
            uint word = inside ? w[from] : 0;
            ws[q][b * 32 + c] = WIDE(word << 16, );
            ws[q][b * 32 + c + 16] = WIDE(word & 0xffff0000u, );
#else
            ws[q][b * 32 + c] = inside ? as_float(w[from]) : 0;
            ws[q][b * 32 + c + 16] = inside ? as_float(w[from + 16]) : 0;
#endif
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int q = 0; q < TILE_K; q++) {
            float a[ITEM_ROWS];
            #pragma unroll
            for (int r = 0; r < ITEM_ROWS; r++) {
                a[r] = xs[q][group * ITEM_ROWS + r];
            }
            #pragma unroll
            for (int c = 0; c < 2 * PANELS; c++) {
                float b = ws[q][c * 16 + lane];
                #pragma unroll
                for (int r = 0; r < ITEM_ROWS; r++) {
                    sum[r][c] = fma(a[r], b, sum[r][c]);
                }
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    #pragma unroll
    for (int r = 0; r < ITEM_ROWS; r++) {
        #pragma unroll
        for (int c = 0; c < 2 * PANELS; c++) {
            int t = row + group * ITEM_ROWS + r;
            int at = column + c * 16 + lane;
            if (t < rows && at < n) {
                __global float *to = y + place(yOffset, yBlock, yBlockStride, yRowStride, t, at);
                *to = accumulate ? *to + sum[r][c] : sum[r][c];
            }
        }
    }
}

#if VEC == 1
#define FLOATS float
#define LOAD(p) (*(p))
#define LANES
#define STORE(v, p) (*(p) = (v))
#else
#define LANES VEC
#define FLOATS JOIN(float, VEC)
#define LOAD(p) JOIN(vload, VEC)(0, (p))
#define STORE(v, p) JOIN(vstore, VEC)((v), 0, (p))
#endif

#define VECTOR_ITEMS ((16 / VEC) * (16 / SEGMENTS))
#define THROUGH_SUB_GROUPS (SUB_GROUP && VECTOR_ITEMS % (SUB_GROUP ? SUB_GROUP : 1) == 0)

__kernel __attribute__((reqd_work_group_size(16 / VEC, 16 / SEGMENTS, 1)))
void matrix_vector(__global const float *x, long xOffset, int xBlock, long xBlockStride, long xRowStride,
                   __global const uint *w, __global float *y, long yOffset, int yBlock, long yBlockStride, long yRowStride,
                   int rows, int n, int k, int k0, int kLen, int accumulate)
{
    /* with sub-groups neighbouring items read the segments of one column, so these lie in different banks */
    __local float parts[16][THROUGH_SUB_GROUPS ? 33 : 32];
    int panel = get_group_id(0);
    int lane = get_local_id(0) * VEC;
    for (int s = get_local_id(1) * SEGMENTS; s < (get_local_id(1) + 1) * SEGMENTS; s++) {
        int from = k0 + (int)((long)kLen * s / 16);
        int to = k0 + (int)((long)kLen * (s + 1) / 16);
        FLOATS low = 0;
        FLOATS high = 0;
        __global const uint *step = w + ((long)panel * k + from) * STEP + lane;
        for (int p = from; p < to; ) {
            int inside = p % xBlock;
            int count = min(xBlock - inside, to - p);
            __global const float *block = x + xOffset + (p / xBlock) * xBlockStride + inside;
            for (int q = 0; q < count; q++) {
                FLOATS v = (FLOATS)(block[q]);
#if BF16 || F16
                low = fma(v, WIDE(LOAD(step) << 16, LANES), low);
                high = fma(v, WIDE(LOAD(step) & 0xffff0000u, LANES), high);
#else
                low = fma(v, WIDE(LOAD(step), LANES), low);
                high = fma(v, WIDE(LOAD(step + 16), LANES), high);
#endif
                step += STEP;
            }
            p += count;
        }
        STORE(low, &parts[s][lane]);
        STORE(high, &parts[s][lane + 16]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
#if THROUGH_SUB_GROUPS
    /* Each SUB_GROUP items add one column: an item the segments that lie SUB_GROUP apart, then the items each other's. */
    int item = get_sub_group_id() * get_max_sub_group_size() + get_sub_group_local_id();
    int own = item % SUB_GROUP;
    for (int c0 = 0; c0 < 32; c0 += VECTOR_ITEMS / SUB_GROUP) {
        int c = c0 + item / SUB_GROUP;
        float tree[16 / SUB_GROUP];
        for (int s = 0; s < 16 / SUB_GROUP; s++) {
            tree[s] = parts[own + s * SUB_GROUP][min(c, 31)];
        }
        for (int half_of = 16 / SUB_GROUP / 2; half_of > 0; half_of /= 2) {
            for (int s = 0; s < half_of; s++) {
                tree[s] += tree[s + half_of];
            }
        }
        for (uint apart = SUB_GROUP / 2; apart > 0; apart /= 2) {
            tree[0] += sub_group_shuffle_xor(tree[0], apart);
        }
        bool writes = own == 0 && c < 32;
#else
    int item = get_local_id(1) * (16 / VEC) + get_local_id(0);
    for (int c = item; c < 32; c += VECTOR_ITEMS) {
        float tree[16];
        for (int s = 0; s < 16; s++) {
            tree[s] = parts[s][c];
        }
        for (int half_of = 8; half_of > 0; half_of /= 2) {
            for (int s = 0; s < half_of; s++) {
                tree[s] += tree[s + half_of];
            }
        }
        bool writes = true;
#endif
        int column = panel * 32 + c;
        if (writes && column < n) {
            __global float *to = y + place(yOffset, yBlock, yBlockStride, yRowStride, 0, column);
            *to = accumulate ? *to + tree[0] : tree[0];
        }
    }
}
