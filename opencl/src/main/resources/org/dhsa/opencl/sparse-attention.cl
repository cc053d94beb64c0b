// sparse-attention: attention over the selected keys only, with causal rule and window inside a block.
//
//     s(i,j) = cap * tanh(scale * q(i).k(j) / cap)      without a cap s = scale * q.k
//     o(i)   = sum_j softmax(s(i))(j) v(j)              over the keys j of i's list that i sees; a key listed twice counts twice
//
// A row that sees no key of its list gives zeros. Rows of the instruction have no list and read every visible key.
// Visible from position p: keys max(keyStart, p - reach) .. min(p, keyStart + keyLen - 1), both inclusive.
// reach is window - 1 on local layers (window with the extra key of the authors' code), INT_MAX on global ones.
// Query head h reads key/value head h / groups.
//
// Layout, in elements; every tensor is a view with a start, a step per head and a step per row, last axis contiguous:
//     query   [heads, queryLen, headDim]     q0 + h * qHead + i * qRow + d          read
//     key     [kvHeads, keyLen, headDim]     k0 + g * kHead + r * kRow + d          read, r = j - keyStart; float, or bf16 bits
//     value   [kvHeads, keyLen, headDim]     v0 + g * vHead + r * vRow + d          read; as key
//     context [heads, queryLen, headDim]     c0 + h * cHead + i * cRow + d          overwritten
//     tiles   [tiles] of int4                rows from, to; where the list starts in lists, its length (-1: no list)   read
//     lists   [entries]                      absolute positions, in any order, repetitions allowed                      read
//     partial [heads, splits, headDim + 2]   weighted sum, maximum, sum of weights  sparse_attention_single -> _combine
//
// Kernels:
//     sparse_attention         a tile of queries of TOGETHER heads; global size (tiles, heads / TOGETHER), see TILING
//     sparse_attention_single  one query over one run of keys;   global size (splits, heads), see TILING
//     sparse_attention_combine the runs of a query together;     global size (headDim, heads)
//
// The loops are those of dense-attention.cl, word for word from the line "shared" on; a test compares the two files.
// Keys are found through the list: nothing is gathered or copied beforehand.
//
// Java twins: OpenClSparseAttention, SparseAttentionReference, TiledAttention of the optimized path.

#define KERNEL(suffix) sparse_attention##suffix
#define LIST_PARAMETERS , __global const int4 *tiles, __global const int *lists
#define TILE_OF(tile) tiles[tile]
#define LISTED(n) lists[n]
#define LISTS

// ---- shared: tunables with safe defaults ----

#pragma OPENCL FP_CONTRACT OFF

// Channels of a head; any number, 64 and its multiples are fastest.
#ifndef HEAD_DIM
#define HEAD_DIM 64
#endif
// 0: the logits are capped at 60 or less. 1: the maximum runs along.
#ifndef ONLINE
#define ONLINE 0
#endif
// 0: a work-item owns whole tiles of 32 queries, one per lane of two float16; no local memory, no barriers. For CPUs.
// 1: a work-group owns a tile of 16 * ROWS_PER_ITEM queries in local memory, 16 x TILE_ROWS work-items. For GPUs.
#ifndef TILING
#define TILING 0
#endif
// 1: keys and values are bfloat16, 16 bits each, and are widened here. What FP32 gives for the widened values, bit for bit.
#ifndef KV_BF16
#define KV_BF16 0
#endif
// Keys whose logits are made, and turned into weights, together; a multiple of 16.
#ifndef KEY_BLOCK
#define KEY_BLOCK 64
#endif
// Keys that dense_attention_single reads per run.
#ifndef SPLIT
#define SPLIT 256
#endif
// TILING 0: query heads that a work-item computes side by side, so that a block of keys and values is fetched once for all of
// them; a divisor of groups.
#ifndef TOGETHER
#define TOGETHER 1
#endif
// TILING 0: keys whose logits are kept in registers at a time. A block is filled up to a multiple with its last key.
#ifndef KEYS
#define KEYS 12
#endif
// TILING 1: queries per work-item, 4 or 8, and rows of work-items, 1 to 16; the local size is (16, TILE_ROWS).
#ifndef ROWS_PER_ITEM
#define ROWS_PER_ITEM 4
#endif
#ifndef TILE_ROWS
#define TILE_ROWS 16
#endif
// TILING 1: work-items of dense_attention_single and its like, a multiple of 16.
#ifndef SINGLE_ITEMS
#define SINGLE_ITEMS 64
#endif

// TILING 1: 4, 8 or 16 where the device's sub-groups are multiples of it: sums and maxima over the 16 work-items of a row or a
// key go through them, in the same pairs; 0: through local memory.
#ifndef SUB_GROUP
#define SUB_GROUP 0
#endif
#if SUB_GROUP
#pragma OPENCL EXTENSION cl_khr_subgroup_shuffle : enable
#endif

#if TILING == 0
#define TILE_QUERIES 32
#else
#define TILE_QUERIES (ROWS_PER_ITEM * TILE_ROWS)
#endif

#if KV_BF16
#define KV ushort
#define WIDE(element) as_float((uint)(element) << 16)
#define WIDE16(from) as_float16(convert_uint16(vload16(0, from)) << (uint16)(16))
#else
#define KV float
#define WIDE(element) (element)
#define WIDE16(from) vload16(0, from)
#endif

#define VIEWS \
    __global const float *query, long q0, long qHead, long qRow, \
    __global const KV *key, long k0, long kHead, long kRow, \
    __global const KV *value, long v0, long vHead, long vRow

// Scaled and capped logit. With a cap `scale` is the scale divided by it, rounded once by the host.
#define CAPPED(dot, scale, cap) ((cap) > 0 ? (cap) * tanh((dot) * (scale)) : (dot) * (scale))

#if TILING == 0

#if HEAD_DIM % 8 == 0
#define CHANNELS 8
#elif HEAD_DIM % 4 == 0
#define CHANNELS 4
#else
#define CHANNELS 1
#endif
#define ROUNDED_BLOCK ((KEY_BLOCK + KEYS - 1) / KEYS * KEYS)
// Rows of a block of keys or values, as floats.
#if KV_BF16
#define ROWS __private
#define WIDEN_ROWS(from, step, count) \
    for (int i = 0; i < (count); i++) { \
        const __global ushort *row = (from) + rows[i] * (step); \
        for (int d = 0; d < HEAD_DIM; d++) { \
            wide[i * HEAD_DIM + d] = WIDE(row[d]); \
        } \
    }
#define ROW(from, step, i) (wide + (i) * HEAD_DIM)
#else
#define ROWS __global
#define WIDEN_ROWS(from, step, count)
#define ROW(from, step, i) ((from) + rows[i] * (step))
#endif

// Channels that change places with 16 queries at a time.
#if HEAD_DIM % 16 == 0
#define STRIP 16
#define LOAD_STRIP(from) vload16(0, from)
#define STORE_STRIP(values, to) vstore16(values, 0, to)
#else
#define STRIP 1
#define LOAD_STRIP(from) (float16)(*(from))
#define STORE_STRIP(values, to) *(to) = (values).s0
#endif

// Rows become columns: each of four rounds deals out two rows alternately, as cards are shuffled.
void transpose(float16 *rows)
{
    float16 dealt[16];
    #pragma unroll
    for (int round = 0; round < 4; round++) {
        #pragma unroll
        for (int i = 0; i < 8; i++) {
            const float16 a = rows[i];
            const float16 b = rows[i + 8];
            dealt[2 * i] = (float16)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3, a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7);
            dealt[2 * i + 1] = (float16)(a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb, a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf);
        }
        #pragma unroll
        for (int i = 0; i < 16; i++) {
            rows[i] = dealt[i];
        }
    }
}

// One work-item, one tile of TOGETHER heads: queries stand in the lanes, elements of keys and values are broadcast.
__kernel void KERNEL()(VIEWS, __global float *context, long c0, long cHead, long cRow,
        int heads, int groups, int queryLen, int keyLen, int queryStart, int keyStart, int reach,
        float scale, float cap, int tileCount LIST_PARAMETERS)
{
    // later tiles read more keys, so they go first
    const int at = tileCount - 1 - (int)get_global_id(0);
    const int head = get_global_id(1) * TOGETHER;
    if (at < 0 || head >= heads) {
        return;
    }
    const int4 tile = TILE_OF(at);
    const int count = tile.y - tile.x;
    const __global KV *keys = key + k0 + (head / groups) * kHead;
    const __global KV *values = value + v0 + (head / groups) * vHead;

    float16 q[TOGETHER][HEAD_DIM][2];     // [head, headDim, query]
    float16 out[TOGETHER][HEAD_DIM][2];
    float16 weights[TOGETHER][ROUNDED_BLOCK][2];
    int rows[ROUNDED_BLOCK];
#if KV_BF16
    float wide[ROUNDED_BLOCK * HEAD_DIM];
#endif
    int16 lowest[2], highest[2];
    float16 sum[TOGETHER][2];
#if ONLINE
    float16 maximum[TOGETHER][2];
#endif

    for (int h = 0; h < TOGETHER; h++) {
        const __global float *queries = query + q0 + (head + h) * qHead + tile.x * qRow;
        for (int side = 0; side < 2; side++) {
            for (int d = 0; d < HEAD_DIM; d += STRIP) {
                float16 strip[16];
                for (int j = 0; j < 16; j++) {
                    strip[j] = LOAD_STRIP(queries + min(16 * side + j, count - 1) * qRow + d);
                }
                transpose(strip);
                for (int m = 0; m < STRIP; m++) {
                    q[h][d + m][side] = strip[m];
                    out[h][d + m][side] = (float16)(0.0f);
                }
            }
            sum[h][side] = (float16)(0.0f);
#if ONLINE
            maximum[h][side] = (float16)(-INFINITY);
#endif
        }
    }
    for (int j = 0; j < 32; j++) {
        // lanes without a query see nothing
        const int position = queryStart + tile.x + j;
        ((int *)lowest)[j] = j < count ? max(keyStart, position - reach) : INT_MAX;
        ((int *)highest)[j] = j < count ? min(position, keyStart + keyLen - 1) : -1;
    }
    const int first = max(keyStart, queryStart + tile.x - reach);
    const int last = min(queryStart + tile.y - 1, keyStart + keyLen - 1);
    const int seenByAllFrom = max(keyStart, queryStart + tile.x + 31 - reach);
    const int seenByAllTo = count == 32 ? min(queryStart + tile.x, keyStart + keyLen - 1) : -1;
    const int length = tile.w < 0 ? max(0, last - first + 1) : tile.w;

    for (int taken = 0; taken < length;) {
        // the next block of keys that any query of the tile sees
        int n = 0;
        int smallest = INT_MAX;
        int largest = -1;
        if (tile.w < 0) {
            n = min(KEY_BLOCK, length - taken);
            smallest = first + taken;
            largest = smallest + n - 1;
            for (int i = 0; i < n; i++) {
                rows[i] = smallest - keyStart + i;
            }
            taken += n;
        } else {
            for (; n < KEY_BLOCK && taken < length; taken++) {
                const int position = LISTED(tile.z + taken);
                if (position >= first && position <= last) {
                    rows[n++] = position - keyStart;
                    smallest = min(smallest, position);
                    largest = max(largest, position);
                }
            }
            if (n == 0) {
                break;
            }
        }
        const bool allSeen = smallest >= seenByAllFrom && largest <= seenByAllTo;
        const int padded = (n + KEYS - 1) / KEYS * KEYS;
        for (int i = n; i < padded; i++) {
            rows[i] = rows[n - 1];
        }

        WIDEN_ROWS(keys, kRow, padded)
        for (int h = 0; h < TOGETHER; h++) {
            for (int i = 0; i < n; i += KEYS) {
                float16 a[KEYS], b[KEYS];
                const ROWS float *k[KEYS];
                #pragma unroll
                for (int m = 0; m < KEYS; m++) {
                    a[m] = (float16)(0.0f);
                    b[m] = (float16)(0.0f);
                    k[m] = ROW(keys, kRow, i + m);
                }
                for (int d = 0; d < HEAD_DIM; d++) {
                    const float16 qa = q[h][d][0];
                    const float16 qb = q[h][d][1];
                    #pragma unroll
                    for (int m = 0; m < KEYS; m++) {
                        const float16 element = (float16)(k[m][d]);
                        a[m] = fma(element, qa, a[m]);
                        b[m] = fma(element, qb, b[m]);
                    }
                }
                #pragma unroll
                for (int m = 0; m < KEYS; m++) {
                    weights[h][i + m][0] = a[m];
                    weights[h][i + m][1] = b[m];
                }
            }

            for (int side = 0; side < 2; side++) {
#if ONLINE
                float16 top = maximum[h][side];
                for (int i = 0; i < n; i++) {
                    const float16 dot = weights[h][i][side];
                    const float16 s = CAPPED(dot, scale, cap);
                    const int position = rows[i] + keyStart;
                    const int16 seen = (lowest[side] <= position) & (highest[side] >= position);
                    weights[h][i][side] = select((float16)(-INFINITY), s, seen);
                    top = fmax(top, weights[h][i][side]);
                }
                // a lane that has seen no key yet keeps -inf, and 0 as what it subtracts
                const float16 shift = select(top, (float16)(0.0f), top == (float16)(-INFINITY));
                const float16 rescale = exp(maximum[h][side] - shift);
                maximum[h][side] = top;
                sum[h][side] *= rescale;
                for (int d = 0; d < HEAD_DIM; d++) {
                    out[h][d][side] *= rescale;
                }
                for (int i = 0; i < n; i++) {
                    const float16 e = exp(weights[h][i][side] - shift);
                    weights[h][i][side] = e;
                    sum[h][side] += e;
                }
#else
                if (allSeen) {
                    for (int i = 0; i < n; i++) {
                        const float16 dot = weights[h][i][side];
                        const float16 e = exp(CAPPED(dot, scale, cap));
                        weights[h][i][side] = e;
                        sum[h][side] += e;
                    }
                } else {
                    for (int i = 0; i < n; i++) {
                        const float16 dot = weights[h][i][side];
                        const int position = rows[i] + keyStart;
                        const int16 seen = (lowest[side] <= position) & (highest[side] >= position);
                        const float16 e = select((float16)(0.0f), exp(CAPPED(dot, scale, cap)), seen);
                        weights[h][i][side] = e;
                        sum[h][side] += e;
                    }
                }
#endif
            }
        }

        WIDEN_ROWS(values, vRow, n)
        for (int h = 0; h < TOGETHER; h++) {
            for (int d = 0; d < HEAD_DIM; d += CHANNELS) {
                float16 a[CHANNELS], b[CHANNELS];
                #pragma unroll
                for (int m = 0; m < CHANNELS; m++) {
                    a[m] = out[h][d + m][0];
                    b[m] = out[h][d + m][1];
                }
                for (int i = 0; i < n; i++) {
                    const ROWS float *v = ROW(values, vRow, i) + d;
                    const float16 pa = weights[h][i][0];
                    const float16 pb = weights[h][i][1];
                    #pragma unroll
                    for (int m = 0; m < CHANNELS; m++) {
                        const float16 element = (float16)(v[m]);
                        a[m] = fma(element, pa, a[m]);
                        b[m] = fma(element, pb, b[m]);
                    }
                }
                #pragma unroll
                for (int m = 0; m < CHANNELS; m++) {
                    out[h][d + m][0] = a[m];
                    out[h][d + m][1] = b[m];
                }
            }
        }
    }

    for (int h = 0; h < TOGETHER; h++) {
        __global float *to = context + c0 + (head + h) * cHead + tile.x * cRow;
        for (int side = 0; side < 2; side++) {
            for (int d = 0; d < HEAD_DIM; d += STRIP) {
                float16 strip[16];
                for (int m = 0; m < 16; m++) {
                    strip[m] = out[h][d + m % STRIP][side];
                }
                transpose(strip);
                for (int j = 0; j < min(16, count - 16 * side); j++) {
                    const float total = ((float *)sum[h])[16 * side + j];
                    STORE_STRIP(total == 0 ? (float16)(0.0f) : strip[j] * (1.0f / total), to + (16 * side + j) * cRow + d);
                }
            }
        }
    }
}
#endif

#if TILING == 1

#define COLUMNS 16
#define DEPTH 32
#define VALUE_KEYS 16
// headDim filled up with zeros to a multiple of 64: four channels per work-item and step
#define PADDED_DIM ((HEAD_DIM + 63) / 64 * 64)
#define STEPS (PADDED_DIM / 64)
#define QUERY_PITCH (TILE_QUERIES + 4)
#define KEY_PITCH (KEY_BLOCK + 4)
#define KEYS_PER_ITEM (KEY_BLOCK / COLUMNS)
#define STAGING_SCORES (DEPTH * (QUERY_PITCH + KEY_PITCH))
#define STAGING_VALUES (VALUE_KEYS * PADDED_DIM)
#define STAGING (STAGING_SCORES > STAGING_VALUES ? STAGING_SCORES : STAGING_VALUES)
// Items that put their values together without local memory, and how many of these values are left of a row's 16.
#if SUB_GROUP
#define PARTNERS SUB_GROUP
#define OTHER(value, apart) sub_group_shuffle_xor(value, apart)
#define ITEM ((int)(get_sub_group_id() * get_max_sub_group_size() + get_sub_group_local_id()))
#else
#define PARTNERS 1
#define ITEM ((int)(get_local_id(1) * COLUMNS + get_local_id(0)))
#define OTHER(value, apart) (value)
#endif
#define LEFT (COLUMNS / PARTNERS)

// One work-group, one tile. Work-item (x, y) owns queries y * ROWS_PER_ITEM + i; of their logits the keys x + 16 m, of their
// results the channels 64 c + 4 x .. + 3.
__kernel __attribute__((reqd_work_group_size(COLUMNS, TILE_ROWS, 1)))
void KERNEL()(VIEWS, __global float *context, long c0, long cHead, long cRow,
        int heads, int groups, int queryLen, int keyLen, int queryStart, int keyStart, int reach,
        float scale, float cap, int tileCount LIST_PARAMETERS)
{
    __local float staging[STAGING];
    __local float weights[KEY_BLOCK * QUERY_PITCH];    // [key, query]
#if LEFT > 1
    __local float reduced[TILE_QUERIES * LEFT];
#endif
    __local int positions[KEY_BLOCK];

    const int at = tileCount - 1 - (int)get_group_id(0);
    const int head = get_group_id(1);
    const int item = ITEM;
    const int x = item % COLUMNS;
    const int y = item / COLUMNS;
    const int items = COLUMNS * TILE_ROWS;
    const int4 tile = TILE_OF(at);
    const int count = tile.y - tile.x;
    const __global float *queries = query + q0 + head * qHead + tile.x * qRow;
    const __global KV *keys = key + k0 + (head / groups) * kHead;
    const __global KV *values = value + v0 + (head / groups) * vHead;
    __local float *stagedQueries = staging;                            // [DEPTH, query]
    __local float *stagedKeys = staging + DEPTH * QUERY_PITCH;         // [DEPTH, key]
    __local float *stagedValues = staging;                             // [key, channel]

    const int first = max(keyStart, queryStart + tile.x - reach);
    const int last = min(queryStart + tile.y - 1, keyStart + keyLen - 1);
    // blocks of keys start where they would start for any other tile, so that a row's sums do not depend on its tile
    const int begin = keyStart + (first - keyStart) / KEY_BLOCK * KEY_BLOCK;
    const int length = tile.w < 0 ? max(0, last - begin + 1) : tile.w;

    int lowest[ROWS_PER_ITEM], highest[ROWS_PER_ITEM];
    float sum[ROWS_PER_ITEM];
    float4 out[ROWS_PER_ITEM][STEPS];
#if ONLINE
    float maximum[ROWS_PER_ITEM];
#endif
    #pragma unroll
    for (int i = 0; i < ROWS_PER_ITEM; i++) {
        const int row = y * ROWS_PER_ITEM + i;
        const int position = queryStart + tile.x + row;
        lowest[i] = row < count ? max(keyStart, position - reach) : INT_MAX;
        highest[i] = row < count ? min(position, keyStart + keyLen - 1) : -1;
        sum[i] = 0.0f;
#if ONLINE
        maximum[i] = -INFINITY;
#endif
        #pragma unroll
        for (int c = 0; c < STEPS; c++) {
            out[i][c] = (float4)(0.0f);
        }
    }

    for (int taken = 0; taken < length; taken += KEY_BLOCK) {
        const int n = min(KEY_BLOCK, length - taken);
        // a key beyond the end, or one that the cache has forgotten, is seen by nobody; -1 stands for it
        for (int i = item; i < KEY_BLOCK; i += items) {
            const int position = i >= n ? -1 : tile.w < 0 ? begin + taken + i : LISTED(tile.z + taken + i);
            positions[i] = position >= first && position <= last ? position : -1;
        }

        float dots[ROWS_PER_ITEM][KEYS_PER_ITEM];
        #pragma unroll
        for (int i = 0; i < ROWS_PER_ITEM; i++) {
            #pragma unroll
            for (int m = 0; m < KEYS_PER_ITEM; m++) {
                dots[i][m] = 0.0f;
            }
        }
        for (int d0 = 0; d0 < HEAD_DIM; d0 += DEPTH) {
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int i = item; i < TILE_QUERIES * DEPTH; i += items) {
                const int row = i / DEPTH;
                const int d = d0 + i % DEPTH;
                stagedQueries[(i % DEPTH) * QUERY_PITCH + row] = row < count && d < HEAD_DIM ? queries[row * qRow + d] : 0.0f;
            }
            for (int i = item; i < KEY_BLOCK * DEPTH; i += items) {
                const int row = i / DEPTH;
                const int d = d0 + i % DEPTH;
                const int position = positions[row];
                stagedKeys[(i % DEPTH) * KEY_PITCH + row] = position >= 0 && d < HEAD_DIM ? WIDE(keys[(position - keyStart) * kRow + d]) : 0.0f;
            }
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int d = 0; d < DEPTH; d++) {
                float a[ROWS_PER_ITEM];
                #pragma unroll
                for (int i = 0; i < ROWS_PER_ITEM; i += 4) {
                    vstore4(vload4(0, stagedQueries + d * QUERY_PITCH + y * ROWS_PER_ITEM + i), 0, a + i);
                }
                #pragma unroll
                for (int m = 0; m < KEYS_PER_ITEM; m++) {
                    const float b = stagedKeys[d * KEY_PITCH + x + COLUMNS * m];
                    #pragma unroll
                    for (int i = 0; i < ROWS_PER_ITEM; i++) {
                        dots[i][m] = fma(a[i], b, dots[i][m]);
                    }
                }
            }
        }

#if ONLINE
        float tops[ROWS_PER_ITEM];
        #pragma unroll
        for (int i = 0; i < ROWS_PER_ITEM; i++) {
            float top = -INFINITY;
            #pragma unroll
            for (int m = 0; m < KEYS_PER_ITEM; m++) {
                const int position = positions[x + COLUMNS * m];
                const bool seen = position >= lowest[i] && position <= highest[i];
                dots[i][m] = seen ? CAPPED(dots[i][m], scale, cap) : -INFINITY;
                top = fmax(top, dots[i][m]);
            }
            for (uint apart = 1; apart < PARTNERS; apart *= 2) {
                top = fmax(top, OTHER(top, apart));
            }
            tops[i] = top;
#if LEFT > 1
            if (x % PARTNERS == 0) {
                reduced[(y * ROWS_PER_ITEM + i) * LEFT + x / PARTNERS] = top;
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        #pragma unroll
        for (int i = 0; i < ROWS_PER_ITEM; i++) {
            for (int m = 0; m < LEFT; m++) {
                tops[i] = fmax(tops[i], reduced[(y * ROWS_PER_ITEM + i) * LEFT + m]);
            }
#endif
            const float top = fmax(maximum[i], tops[i]);
            const float shift = top == -INFINITY ? 0.0f : top;
            const float rescale = exp(maximum[i] - shift);
            maximum[i] = top;
            sum[i] *= rescale;
            #pragma unroll
            for (int c = 0; c < STEPS; c++) {
                out[i][c] *= rescale;
            }
            #pragma unroll
            for (int m = 0; m < KEYS_PER_ITEM; m++) {
                const float e = exp(dots[i][m] - shift);
                sum[i] += e;
                weights[(x + COLUMNS * m) * QUERY_PITCH + y * ROWS_PER_ITEM + i] = e;
            }
        }
#else
        #pragma unroll
        for (int i = 0; i < ROWS_PER_ITEM; i++) {
            #pragma unroll
            for (int m = 0; m < KEYS_PER_ITEM; m++) {
                const int position = positions[x + COLUMNS * m];
                const bool seen = position >= lowest[i] && position <= highest[i];
                const float e = seen ? exp(CAPPED(dots[i][m], scale, cap)) : 0.0f;
                sum[i] += e;
                weights[(x + COLUMNS * m) * QUERY_PITCH + y * ROWS_PER_ITEM + i] = e;
            }
        }
#endif

        for (int k = 0; k < n; k += VALUE_KEYS) {
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int i = item; i < VALUE_KEYS * PADDED_DIM; i += items) {
                const int position = positions[k + i / PADDED_DIM];
                const int d = i % PADDED_DIM;
                stagedValues[i] = position >= 0 && d < HEAD_DIM ? WIDE(values[(position - keyStart) * vRow + d]) : 0.0f;
            }
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int m = 0; m < VALUE_KEYS; m++) {
                float a[ROWS_PER_ITEM];
                #pragma unroll
                for (int i = 0; i < ROWS_PER_ITEM; i += 4) {
                    vstore4(vload4(0, weights + (k + m) * QUERY_PITCH + y * ROWS_PER_ITEM + i), 0, a + i);
                }
                #pragma unroll
                for (int c = 0; c < STEPS; c++) {
                    const float4 b = vload4(0, stagedValues + m * PADDED_DIM + 64 * c + 4 * x);
                    #pragma unroll
                    for (int i = 0; i < ROWS_PER_ITEM; i++) {
                        out[i][c] = fma((float4)(a[i]), b, out[i][c]);
                    }
                }
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    // the 16 sums of a row in pairs, neighbours first
    #pragma unroll
    for (int i = 0; i < ROWS_PER_ITEM; i++) {
        for (uint apart = 1; apart < PARTNERS; apart *= 2) {
            sum[i] += OTHER(sum[i], apart);
        }
#if LEFT > 1
        if (x % PARTNERS == 0) {
            reduced[(y * ROWS_PER_ITEM + i) * LEFT + x / PARTNERS] = sum[i];
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    #pragma unroll
    for (int i = 0; i < ROWS_PER_ITEM; i++) {
        float tree[LEFT];
        for (int m = 0; m < LEFT; m++) {
            tree[m] = reduced[(y * ROWS_PER_ITEM + i) * LEFT + m];
        }
        for (int left = LEFT / 2; left > 0; left /= 2) {
            for (int m = 0; m < left; m++) {
                tree[m] = tree[2 * m] + tree[2 * m + 1];
            }
        }
        sum[i] = tree[0];
#endif
        const int row = y * ROWS_PER_ITEM + i;
        const float total = sum[i];
        const float inverse = 1.0f / total;
        if (row < count) {
            __global float *to = context + c0 + head * cHead + (long)(tile.x + row) * cRow;
            #pragma unroll
            for (int c = 0; c < STEPS; c++) {
                float result[4];
                vstore4(total == 0 ? (float4)(0.0f) : out[i][c] * inverse, 0, result);
                #pragma unroll
                for (int m = 0; m < 4; m++) {
                    const int d = 64 * c + 4 * x + m;
                    if (d < HEAD_DIM) {
                        to[d] = result[m];
                    }
                }
            }
        }
    }
}
#endif

// One query and one run of at most SPLIT keys, as in decoding. Every key named is seen: the host leaves the others out.
// partial [heads, splits, headDim + 2]: weighted sum of the values, maximum (0 where none runs along), sum of the weights.
#if TILING == 0

__kernel void KERNEL(_single)(VIEWS, __global float *partial,
        int heads, int groups, int keyStart, int first, int length, float scale, float cap, int splits LIST_PARAMETERS)
{
    const int run = get_global_id(0);
    const int head = get_global_id(1);
    if (run >= splits || head >= heads) {
        return;
    }
    const int from = run * SPLIT;
    const int n = min(SPLIT, length - from);
    const __global float *q = query + q0 + head * qHead;
    const __global KV *keys = key + k0 + (head / groups) * kHead;
    const __global KV *values = value + v0 + (head / groups) * vHead;
    float weights[SPLIT];
    int rows[SPLIT];
    __global float *to = partial + ((long)head * splits + run) * (HEAD_DIM + 2);

    for (int i = 0; i < n; i++) {
#ifdef LISTS
        rows[i] = LISTED(from + i) - keyStart;
#else
        rows[i] = first + from + i - keyStart;
#endif
        const __global KV *k = keys + rows[i] * kRow;
        float16 lanes = (float16)(0.0f);
        for (int d = 0; d + 16 <= HEAD_DIM; d += 16) {
            lanes = fma(vload16(0, q + d), WIDE16(k + d), lanes);
        }
        const float8 eight = lanes.lo + lanes.hi;
        const float4 four = eight.lo + eight.hi;
        float dot = (four.x + four.z) + (four.y + four.w);
        for (int d = HEAD_DIM / 16 * 16; d < HEAD_DIM; d++) {
            dot = fma(q[d], WIDE(k[d]), dot);
        }
        weights[i] = CAPPED(dot, scale, cap);
    }
    float shift = 0.0f;
#if ONLINE
    shift = -INFINITY;
    for (int i = 0; i < n; i++) {
        shift = fmax(shift, weights[i]);
    }
#endif
    float sum = 0.0f;
    for (int i = 0; i < n; i++) {
        weights[i] = exp(weights[i] - shift);
        sum += weights[i];
    }
    int d = 0;
    for (; d + 16 <= HEAD_DIM; d += 16) {
        float16 out = (float16)(0.0f);
        for (int i = 0; i < n; i++) {
            out = fma((float16)(weights[i]), WIDE16(values + rows[i] * vRow + d), out);
        }
        vstore16(out, 0, to + d);
    }
    for (; d < HEAD_DIM; d++) {
        float out = 0.0f;
        for (int i = 0; i < n; i++) {
            out = fma(weights[i], WIDE(values[rows[i] * vRow + d]), out);
        }
        to[d] = out;
    }
    to[HEAD_DIM] = shift;
    to[HEAD_DIM + 1] = sum;
}
#else

// Sum of 16 lanes in pairs, 8 apart first; each of PARTNERS items has those that lie PARTNERS apart.
float added(const float *own)
{
    float tree[LEFT];
    for (int m = 0; m < LEFT; m++) {
        tree[m] = own[m];
    }
    for (int left = LEFT / 2; left > 0; left /= 2) {
        for (int m = 0; m < left; m++) {
            tree[m] += tree[m + left];
        }
    }
    for (uint apart = PARTNERS / 2; apart > 0; apart /= 2) {
        tree[0] += OTHER(tree[0], apart);
    }
    return tree[0];
}

// Without sub-groups an item makes one of 16 lanes of a dot product and 16 meet in local memory; with them SUB_GROUP items make a whole one.
__kernel __attribute__((reqd_work_group_size(SINGLE_ITEMS, 1, 1)))
void KERNEL(_single)(VIEWS, __global float *partial,
        int heads, int groups, int keyStart, int first, int length, float scale, float cap, int splits LIST_PARAMETERS)
{
#if SUB_GROUP == 0
    __local float products[SPLIT * 17];   // 16 partial dot products per key
#endif
    __local float weights[SPLIT];
    __local int rows[SPLIT];
    const int run = get_group_id(0);
    const int head = get_group_id(1);
    const int item = ITEM;
    const int from = run * SPLIT;
    const int n = min(SPLIT, length - from);
    const __global float *q = query + q0 + head * qHead;
    const __global KV *keys = key + k0 + (head / groups) * kHead;
    const __global KV *values = value + v0 + (head / groups) * vHead;
    __global float *to = partial + ((long)head * splits + run) * (HEAD_DIM + 2);

    for (int i = item; i < n; i += SINGLE_ITEMS) {
#ifdef LISTS
        rows[i] = LISTED(from + i) - keyStart;
#else
        rows[i] = first + from + i - keyStart;
#endif
    }
    barrier(CLK_LOCAL_MEM_FENCE);
#if SUB_GROUP
    const int own = item % SUB_GROUP;
    for (int i0 = 0; i0 < n; i0 += SINGLE_ITEMS / SUB_GROUP) {
        const int i = i0 + item / SUB_GROUP;
        const __global KV *k = keys + rows[min(i, n - 1)] * kRow;
        float dots[LEFT];
        for (int m = 0; m < LEFT; m++) {
            dots[m] = 0.0f;
            for (int d = own + m * SUB_GROUP; d < HEAD_DIM; d += 16) {
                dots[m] = fma(q[d], WIDE(k[d]), dots[m]);
            }
        }
        const float dot = added(dots);
        if (own == 0 && i < n) {
            weights[i] = CAPPED(dot, scale, cap);
        }
    }
#else
    const int lane = item % 16;
    for (int i = item / 16; i < n; i += SINGLE_ITEMS / 16) {
        const __global KV *k = keys + rows[i] * kRow;
        float dot = 0.0f;
        for (int d = lane; d < HEAD_DIM; d += 16) {
            dot = fma(q[d], WIDE(k[d]), dot);
        }
        products[i * 17 + lane] = dot;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = item; i < n; i += SINGLE_ITEMS) {
        float dots[16];
        for (int m = 0; m < 16; m++) {
            dots[m] = products[i * 17 + m];
        }
        const float dot = added(dots);
        weights[i] = CAPPED(dot, scale, cap);
    }
#endif
    barrier(CLK_LOCAL_MEM_FENCE);
    float shift = 0.0f;
#if ONLINE
    shift = -INFINITY;
    for (int i = item % PARTNERS; i < n; i += PARTNERS) {
        shift = fmax(shift, weights[i]);
    }
    for (uint apart = 1; apart < PARTNERS; apart *= 2) {
        shift = fmax(shift, OTHER(shift, apart));
    }
    barrier(CLK_LOCAL_MEM_FENCE);
#endif
    for (int i = item; i < n; i += SINGLE_ITEMS) {
        weights[i] = exp(weights[i] - shift);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int d = item; d < HEAD_DIM; d += SINGLE_ITEMS) {
        float out = 0.0f;
        for (int i = 0; i < n; i++) {
            out = fma(weights[i], WIDE(values[rows[i] * vRow + d]), out);
        }
        to[d] = out;
    }
    // the sum of the weights, in 16 lanes
    float sums[LEFT];
#if SUB_GROUP
    for (int m = 0; m < LEFT; m++) {
        sums[m] = 0.0f;
        for (int i = own + m * SUB_GROUP; i < n; i += 16) {
            sums[m] += weights[i];
        }
    }
#else
    if (item < 16) {
        products[item] = 0.0f;
        for (int i = item; i < n; i += 16) {
            products[item] += weights[i];
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int m = 0; m < 16; m++) {
        sums[m] = products[m];
    }
#endif
    const float sum = added(sums);
    if (item == 0) {
        to[HEAD_DIM] = shift;
        to[HEAD_DIM + 1] = sum;
    }
}
#endif

// context row 0 of every head; no run at all gives zeros.
__kernel void KERNEL(_combine)(__global const float *partial, __global float *context, long c0, long cHead, int heads, int splits)
{
    const int d = get_global_id(0);
    const int head = get_global_id(1);
    if (d >= HEAD_DIM || head >= heads) {
        return;
    }
    const __global float *runs = partial + (long)head * splits * (HEAD_DIM + 2);
    float top = 0.0f;
#if ONLINE
    top = -INFINITY;
    for (int r = 0; r < splits; r++) {
        top = fmax(top, runs[(long)r * (HEAD_DIM + 2) + HEAD_DIM]);
    }
    top = top == -INFINITY ? 0.0f : top; // no key at all
#endif
    float sum = 0.0f;
    float out = 0.0f;
    for (int r = 0; r < splits; r++) {
        const __global float *run = runs + (long)r * (HEAD_DIM + 2);
        const float factor = exp(run[HEAD_DIM] - top);
        sum = fma(factor, run[HEAD_DIM + 1], sum);
        out = fma(factor, run[d], out);
    }
    context[c0 + head * cHead + d] = sum == 0 ? 0.0f : out / sum;
}
