/* Budgeted top-k over chunks instead of tokens: upsampling and selection in one.
 *
 *     keys(block) = forced + the best (cut - forced) candidates; candidates are the tokens of [start, end) that are not forced
 *
 * A token scores what its chunk scores. Score descending; equal scores by position, lowest first (HIGH_FIRST 0) or highest first. 0 and
 * -0 are equal, NaN comes last. Everything is counted in integers, so the result has no rounding and depends on no tunable.
 *
 * Layout   scores [rows, chunks], row r at sOffset + r * sRow (read); starts [chunks + 1] (read);
 *          blocks [blocks][BLOCK_INTS] (read): row, start, end, cut, forced, then three ranges [from, to) of forced tokens, apart from each
 *          other, inside [start, end), empty ones allowed;
 *          ranks and weights [blocks, chunks] (scratch): a chunk's score as an unsigned integer of the same order, its candidates;
 *          keys [blocks, maxCut] (overwritten as far as a block has keys), ascending;
 *          found [blocks][FOUND_INTS] (overwritten): rank at the cut, best rank left out, candidates above the cut, candidates taken,
 *          1 if any was left out, number of chunks at the cut, the first of them, 0.
 * Method   the rank at the cut is the largest r with at least `taken` candidates of rank >= r, found bit by bit from the top; then one
 *          pass writes the keys where the counts before them say.
 * Items    a work-group of WG items per block; WG 1 on a CPU, 128 on a GPU.
 * Tunables WG, HIGH_FIRST. SUB_GROUP: not 0 where the device has sub-groups: counts go through them. Integers have the same sum in every order.
 * Twin     TopKSelectionReference, OptimizedTopKSelection.
 */

#ifndef WG
#define WG 1
#endif
#ifndef HIGH_FIRST
#define HIGH_FIRST 0
#endif
#ifndef SUB_GROUP
#define SUB_GROUP 0
#endif
#define BLOCK_INTS 12
#define FOUND_INTS 8
#define RANGES 3

/* Order of floats as order of unsigned integers; NaN is 0, lower than -infinity. */
uint rank_of(float score)
{
    if (isnan(score)) {
        return 0;
    }
    uint bits = score == 0.0f ? 0 : as_uint(score);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

int overlap(int from, int to, int otherFrom, int otherTo)
{
    return max(0, min(to, otherTo) - max(from, otherFrom));
}

#if SUB_GROUP && WG % SUB_GROUP == 0
#ifdef cl_khr_subgroups
#pragma OPENCL EXTENSION cl_khr_subgroups : enable
#endif
#define ITEM (get_sub_group_id() * get_max_sub_group_size() + get_sub_group_local_id())

/* One value of each sub-group, in their order, for all items. */
void share(int value, __local int *shared)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    if (get_sub_group_local_id() == 0) {
        shared[get_sub_group_id()] = value;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

/* Sum over the work-group, for every item. */
int sum_of_all(int mine, __local int *shared)
{
    share(sub_group_reduce_add(mine), shared);
    int sum = 0;
    for (uint g = 0; g < get_num_sub_groups(); g++) {
        sum += shared[g];
    }
    return sum;
}

/* Sum over the items before this one. */
int sum_before(int mine, __local int *shared)
{
    share(sub_group_reduce_add(mine), shared);
    int sum = sub_group_scan_exclusive_add(mine);
    for (uint g = 0; g < get_sub_group_id(); g++) {
        sum += shared[g];
    }
    return sum;
}

uint max_of_all(uint mine, __local int *shared)
{
    share((int)sub_group_reduce_max(mine), shared);
    uint most = 0;
    for (uint g = 0; g < get_num_sub_groups(); g++) {
        most = max(most, (uint)shared[g]);
    }
    return most;
}

int min_of_all(int mine, __local int *shared)
{
    share(sub_group_reduce_min(mine), shared);
    int least = INT_MAX;
    for (uint g = 0; g < get_num_sub_groups(); g++) {
        least = min(least, shared[g]);
    }
    return least;
}
#else
#define ITEM get_local_id(0)

/* Sum over the work-group, for every item. */
int sum_of_all(int mine, __local int *shared)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    shared[get_local_id(0)] = mine;
    barrier(CLK_LOCAL_MEM_FENCE);
    int sum = 0;
    for (int i = 0; i < WG; i++) {
        sum += shared[i];
    }
    return sum;
}

/* Sum over the items before this one. */
int sum_before(int mine, __local int *shared)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    shared[get_local_id(0)] = mine;
    barrier(CLK_LOCAL_MEM_FENCE);
    int sum = 0;
    for (int i = 0; i < (int)get_local_id(0); i++) {
        sum += shared[i];
    }
    return sum;
}

uint max_of_all(uint mine, __local int *shared)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    shared[get_local_id(0)] = (int)mine;
    barrier(CLK_LOCAL_MEM_FENCE);
    uint most = 0;
    for (int i = 0; i < WG; i++) {
        most = max(most, (uint)shared[i]);
    }
    return most;
}

int min_of_all(int mine, __local int *shared)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    shared[get_local_id(0)] = mine;
    barrier(CLK_LOCAL_MEM_FENCE);
    int least = INT_MAX;
    for (int i = 0; i < WG; i++) {
        least = min(least, shared[i]);
    }
    return least;
}
#endif

__kernel __attribute__((reqd_work_group_size(WG, 1, 1)))
void top_k_selection(__global const float *scores, long sOffset, long sRow, __global const int *starts, int chunks,
        __global const int *blocks, __global uint *ranks, __global int *weights, __global int *keys, int maxCut, __global int *found)
{
    __local int shared[WG];
    int block = get_group_id(0);
    int item = ITEM;
    __global const int *b = blocks + block * BLOCK_INTS;
    __global const int *ranges = b + 5;
    int start = b[1];
    int end = b[2];
    __global const float *row = scores + sOffset + b[0] * sRow;
    __global uint *rank = ranks + (long)block * chunks;
    __global int *weight = weights + (long)block * chunks;

    /* A contiguous part of the chunks per item. */
    int part = (chunks + WG - 1) / WG;
    int first = min(chunks, item * part);
    int last = min(chunks, first + part);

    int mine = 0;
    for (int c = first; c < last; c++) {
        int from = max(starts[c], start);
        int to = min(starts[c + 1], end);
        int candidates = max(0, to - from);
        for (int r = 0; r < RANGES; r++) {
            candidates -= overlap(from, to, ranges[2 * r], ranges[2 * r + 1]);
        }
        rank[c] = rank_of(row[c]);
        weight[c] = candidates;
        mine += candidates;
    }
    int total = sum_of_all(mine, shared);
    int taken = min(b[3] - b[4], total);

    /* The rank at the cut: above every rank if nothing is taken by score. */
    uint cut = taken > 0 ? 0 : 0xffffffffu;
    for (int bit = 31; bit >= 0 && taken > 0; bit--) {
        uint higher = cut | 1u << bit;
        mine = 0;
        for (int c = first; c < last; c++) {
            mine += rank[c] >= higher ? weight[c] : 0;
        }
        cut = sum_of_all(mine, shared) >= taken ? higher : cut;
    }
    int above = 0;
    int equal = 0;
    int equalChunks = 0;
    int firstEqual = INT_MAX;
    uint below = 0;
    int belowAny = 0;
    for (int c = first; c < last; c++) {
        if (weight[c] > 0) {
            above += rank[c] > cut ? weight[c] : 0;
            if (rank[c] == cut) {
                equal += weight[c];
                equalChunks++;
                firstEqual = min(firstEqual, c);
            } else if (rank[c] < cut) {
                below = max(below, rank[c]);
                belowAny = 1;
            }
        }
    }
    int equalBefore = sum_before(equal, shared);
    above = sum_of_all(above, shared);
    equal = sum_of_all(equal, shared);
    equalChunks = sum_of_all(equalChunks, shared);
    below = max_of_all(below, shared);
    firstEqual = min_of_all(firstEqual, shared);
    /* Of the candidates at the cut, counted by position, those with number in [tiesFrom, tiesTo) are taken. */
    int ties = taken - above;
    int tiesFrom = taken > 0 && HIGH_FIRST ? equal - ties : 0;
    int tiesTo = taken > 0 ? tiesFrom + ties : 0;
    if (item == 0) {
        __global int *f = found + block * FOUND_INTS;
        f[0] = (int)cut;
        f[1] = (int)(ties < equal ? cut : below);
        f[2] = above;
        f[3] = taken;
        f[4] = taken < total;
        f[5] = equalChunks;
        f[6] = firstEqual;
        f[7] = 0;
    }

    /* How many keys does this item write? */
    int writes = 0;
    int number = equalBefore;
    for (int c = first; c < last; c++) {
        int from = max(starts[c], start);
        int to = min(starts[c + 1], end);
        for (int r = 0; r < RANGES; r++) {
            writes += overlap(from, to, ranges[2 * r], ranges[2 * r + 1]);
        }
        if (rank[c] > cut) {
            writes += weight[c];
        } else if (rank[c] == cut) {
            writes += overlap(number, number + weight[c], tiesFrom, tiesTo);
            number += weight[c];
        }
    }
    __global int *to = keys + (long)block * maxCut + sum_before(writes, shared);
    number = equalBefore;
    for (int c = first; c < last; c++) {
        int from = max(starts[c], start);
        int stop = min(starts[c + 1], end);
        int take = rank[c] > cut || (rank[c] == cut && overlap(number, number + weight[c], tiesFrom, tiesTo) > 0);
        if (!take) {
            /* only forced tokens: without them the chunk is passed over */
            int any = 0;
            for (int r = 0; r < RANGES; r++) {
                any += overlap(from, stop, ranges[2 * r], ranges[2 * r + 1]);
            }
            if (any == 0) {
                number += rank[c] == cut ? weight[c] : 0;
                continue;
            }
        }
        for (int t = from; t < stop; t++) {
            int forced = 0;
            for (int r = 0; r < RANGES; r++) {
                forced |= t >= ranges[2 * r] && t < ranges[2 * r + 1];
            }
            int chosen = forced || rank[c] > cut;
            if (!forced && rank[c] == cut) {
                chosen = number >= tiesFrom && number < tiesTo;
                number++;
            }
            if (chosen) {
                *to++ = t;
            }
        }
    }
}
