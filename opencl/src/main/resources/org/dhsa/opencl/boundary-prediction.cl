/* Boundary prediction: what stands between the matrix products of the three published predictors.
 *
 *     l, r = encode(x[p-w+1] ... x[p+w])      f = [l, r, |l - r|, l * r, cos(l, r)]      logit[p] = w2 . relu(W0 f + b0) + b2
 *
 * attention  encode = mean over w tokens of LayerNorm(SelfAttention(window)), or the mean with softmax weights of a gate
 * stack      x = x + LayerNorm(SelfAttention(SharedNorm(x))), several times, then as above
 * cnn        encode = relu(P relu(depthwise(window side)))
 *
 * Tokens outside the sequence are zero rows and take part. In the attention predictor a token's in-projection is the same in every window,
 * so it is made once per token; that of a zero row is the bias. The out-projection W is drawn through the softmax,
 *     W sum_n p(i,n) v(n) = sum_n sum_h p_h(i,n) (W_h v_h(n)),
 * so that it too is done once per token. The products themselves are matrix-product.cl.
 *
 * Layout   C channels, gap g is position firstGap + g, n counts the 2w tokens of a window, all row-major:
 *          key [kvHeads, keyLen, headDim] (read), element (h, t, d) at kOffset + h * kHead + t * headDim + d: channel h * headDim + d of token t;
 *          windows [gaps * 2w, C]; qkv [gaps + 2w - 1 tokens of a batch | gaps * 2w, 3C]; values [heads, gaps + 2w - 1, C];
 *          sides [gaps * 2, dim]: left, right; fused [gaps, 4 dim + 1];
 *          what is const in a kernel's signature is read, the rest is overwritten.
 * Sums     over channels in 16 lanes: lane l adds c = l, l + 16, ... in this order, then the lanes are added in pairs; over the tokens of a
 *          window in their order, and over the heads of a token. No tunable changes the order.
 * Items    as said at each kernel; any work-group size.
 * Tunables MIX, channels of an item of mix_values: 16 on a CPU, 1 on a GPU. TOKENS is 2w, given by the host.
 * Twin     BoundaryPredictionReference with WindowEncoder, OptimizedBoundaryPrediction.
 */
#pragma OPENCL FP_CONTRACT OFF

#ifndef TOKENS
#define TOKENS 8
#endif
#ifndef MIX
#define MIX 16
#endif
#define SIDE (TOKENS / 2)
#define LANE ((int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))

float added(float16 lanes)
{
    float8 eight = lanes.lo + lanes.hi;
    float4 four = eight.lo + eight.hi;
    float2 two = four.lo + four.hi;
    return two.x + two.y;
}

/* 16 values, those behind the end being zero. */
float16 load16(__global const float *from, int count)
{
    if (count >= 16) {
        return vload16(0, from);
    }
    float some[16];
    for (int l = 0; l < 16; l++) {
        some[l] = l < count ? from[l] : 0.0f;
    }
    return vload16(0, some);
}

void store16(float16 values, __global float *to, int count)
{
    if (count >= 16) {
        vstore16(values, 0, to);
        return;
    }
    float some[16];
    vstore16(values, 0, some);
    for (int l = 0; l < 16 && l < count; l++) {
        to[l] = some[l];
    }
}

float dot16(__global const float *a, __global const float *b, int count)
{
    float16 lanes = (float16)(0.0f);
    for (int c = 0; c < count; c += 16) {
        lanes = fma(load16(a + c, count - c), load16(b + c, count - c), lanes);
    }
    return added(lanes);
}

/* Softmax of `count` logits in place. */
void softmax(float *logits, int count)
{
    float top = logits[0];
    for (int n = 1; n < count; n++) {
        top = fmax(top, logits[n]);
    }
    float sum = 0;
    for (int n = 0; n < count; n++) {
        logits[n] = exp(logits[n] - top);
        sum += logits[n];
    }
    for (int n = 0; n < count; n++) {
        logits[n] /= sum;
    }
}

/* windows[g * 2w + n][c] = x[firstGap + g - w + 1 + n][c], zero outside the sequence.   Items (c, row). */
__kernel void gather_windows(__global const float *key, long kOffset, long kHead, int headDim, int keyLen, int channels,
        __global float *windows, int firstGap, int gaps)
{
    int c = get_global_id(0);
    int row = get_global_id(1);
    if (c >= channels || row >= gaps * TOKENS) {
        return;
    }
    int token = firstGap + row / TOKENS - SIDE + 1 + row % TOKENS;
    windows[(long)row * channels + c] = token >= 0 && token < keyLen ? key[kOffset + c / headDim * kHead + (long)token * headDim + c % headDim] : 0.0f;
}

/* x[row][c] = x[row][c] + bias[c], or bias[c] where row + first is no token of [0, tokens).   Items (c, row). */
__kernel void add_bias(__global float *x, __global const float *bias, int width, int first, int tokens, int rows)
{
    int c = get_global_id(0);
    int row = get_global_id(1);
    if (c < width && row < rows) {
        bool token = first + row >= 0 && first + row < tokens;
        x[(long)row * width + c] = token ? x[(long)row * width + c] + bias[c] : bias[c];
    }
}

/* weights[n] = softmax over n of q_i . k_n / sqrt(dim) of one head; q and k point to the first row of the window and its head. */
void attend(__global const float *q, __global const float *k, int i, long pitch, int dim, float *weights)
{
    for (int n = 0; n < TOKENS; n++) {
        weights[n] = dot16(q + i * pitch, k + n * pitch, dim) / sqrt((float)dim);
    }
    softmax(weights, TOKENS);
}

/* context[g * 2w + i] = sum over n of weight(i, n) v_n, per head; every window has rows of its own.   Items (head, row). */
__kernel void window_attention(__global const float *qkv, int channels, int heads, __global float *context, int gaps)
{
    int head = get_global_id(0);
    int row = get_global_id(1);
    if (head >= heads || row >= gaps * TOKENS) {
        return;
    }
    int dim = channels / heads;
    int at = head * dim;
    float weights[TOKENS];
    long pitch = 3 * channels;
    __global const float *window = qkv + row / TOKENS * TOKENS * pitch + at;
    attend(window, window + channels, row % TOKENS, pitch, dim, weights);
    for (int d = 0; d < dim; d += 16) {
        float16 sum = (float16)(0.0f);
        for (int n = 0; n < TOKENS; n++) {
            sum = fma((float16)(weights[n]), load16(window + n * pitch + 2 * channels + d, dim - d), sum);
        }
        store16(sum, context + (long)row * channels + at + d, dim - d);
    }
}

/* weights[g][n][head][i] = softmax over n of q_i . k_n / sqrt(dim); the rows of gap g start at token g of the batch.   Items (head, g * 2w + i). */
__kernel void window_weights(__global const float *qkv, int channels, int heads, __global float *weights, int gaps)
{
    int head = get_global_id(0);
    int row = get_global_id(1);
    if (head >= heads || row >= gaps * TOKENS) {
        return;
    }
    int dim = channels / heads;
    long pitch = 3 * channels;
    float own[TOKENS];
    __global const float *window = qkv + row / TOKENS * pitch + head * dim;
    attend(window, window + channels, row % TOKENS, pitch, dim, own);
    for (int n = 0; n < TOKENS; n++) {
        weights[(((long)(row / TOKENS) * TOKENS + n) * heads + head) * TOKENS + row % TOKENS] = own[n];
    }
}

#if MIX == 16
#define MIXED float16
#define LOAD_MIXED(from, count) load16(from, count)
#define STORE_MIXED(values, to, count) store16(values, to, count)
#else
#define MIXED float
#define LOAD_MIXED(from, count) (*(from))
#define STORE_MIXED(values, to, count) (*(to) = (values))
#endif

/* encoded[g * 2w + i][c] = sum over n and heads h of weights[g][n][h][i] * values[h][g + n][c], values being out-projected.   Items (c / MIX, gap). */
__kernel void mix_values(__global const float *weights, __global const float *values, __global float *encoded, int channels, int heads, int gaps)
{
    int c = get_global_id(0) * MIX;
    int gap = get_global_id(1);
    if (c >= channels || gap >= gaps) {
        return;
    }
    long batch = gaps + TOKENS - 1;
    MIXED sum[TOKENS];
    #pragma unroll
    for (int i = 0; i < TOKENS; i++) {
        sum[i] = 0.0f;
    }
    __global const float *p = weights + (long)gap * TOKENS * heads * TOKENS;
    for (int n = 0; n < TOKENS; n++) {
        for (int h = 0; h < heads; h++) {
            MIXED value = LOAD_MIXED(values + (h * batch + gap + n) * channels + c, channels - c);
            #pragma unroll
            for (int i = 0; i < TOKENS; i++) {
                sum[i] = fma((MIXED)(p[i]), value, sum[i]);
            }
            p += TOKENS;
        }
    }
    #pragma unroll
    for (int i = 0; i < TOKENS; i++) {
        STORE_MIXED(sum[i], encoded + ((long)gap * TOKENS + i) * channels + c, channels - c);
    }
}

/* y = (x + before - mean) / sqrt(variance + 1e-5) * weight + bias over the channels of a row; added to y if accumulate.   Items (row). */
#define SHIFTED(c) (hasBefore ? load16(x + (c), channels - (c)) + load16(before + (c), channels - (c)) : load16(x + (c), channels - (c)))
/* lanes behind the end stay zero */
#define CENTRED(c) select((float16)(0.0f), SHIFTED(c) - mean, (c) + LANE < (int16)(channels))
__kernel void layer_norm(__global const float *x, __global const float *before, int hasBefore, __global const float *weight, __global const float *bias,
        __global float *y, int accumulate, int channels, int rows)
{
    int row = get_global_id(0);
    if (row >= rows) {
        return;
    }
    x += (long)row * channels;
    y += (long)row * channels;
    float16 lanes = (float16)(0.0f);
    for (int c = 0; c < channels; c += 16) {
        lanes += SHIFTED(c);
    }
    float mean = added(lanes) / channels;
    /* the mean of what is left takes the rounding of the first away */
    lanes = (float16)(0.0f);
    for (int c = 0; c < channels; c += 16) {
        lanes += CENTRED(c);
    }
    mean += added(lanes) / channels;
    lanes = (float16)(0.0f);
    for (int c = 0; c < channels; c += 16) {
        float16 value = CENTRED(c);
        lanes = fma(value, value, lanes);
    }
    float deviation = sqrt(added(lanes) / channels + 1e-5f);
    for (int c = 0; c < channels; c += 16) {
        float16 normed = fma(CENTRED(c) / deviation, load16(weight + c, channels - c), load16(bias + c, channels - c));
        store16(accumulate ? load16(y + c, channels - c) + normed : normed, y + c, channels - c);
    }
}

/* logits[row] = gate . x[row].   Items (row). */
__kernel void gate(__global const float *x, __global const float *weight, __global float *logits, int channels, int rows)
{
    int row = get_global_id(0);
    if (row < rows) {
        logits[row] = dot16(weight, x + (long)row * channels, channels);
    }
}

/* sides[s][c] = sum over the w rows of a side of (softmax of their gates, or 1 / w) * x.   Items (c, side). */
__kernel void pool(__global const float *x, __global const float *gates, int gated, __global float *sides, int channels, int count)
{
    int c = get_global_id(0);
    int side = get_global_id(1);
    if (c >= channels || side >= count) {
        return;
    }
    float weights[SIDE];
    for (int n = 0; n < SIDE; n++) {
        weights[n] = gated ? gates[side * SIDE + n] : 1.0f / SIDE;
    }
    if (gated) {
        softmax(weights, SIDE);
    }
    float sum = 0;
    for (int n = 0; n < SIDE; n++) {
        sum = fma(weights[n], x[((long)side * SIDE + n) * channels + c], sum);
    }
    sides[(long)side * channels + c] = sum;
}

/* out[s][c] = relu(bias[c] + sum over t of weight[c][t] * x[first token of the side + t][c]).   Items (c, side). */
__kernel void depthwise(__global const float *key, long kOffset, long kHead, int headDim, int keyLen, int channels,
        __global const float *weight, __global const float *bias, __global float *out, int firstGap, int gaps)
{
    int c = get_global_id(0);
    int side = get_global_id(1);
    if (c >= channels || side >= 2 * gaps) {
        return;
    }
    int first = firstGap + side / 2 + (side % 2 == 0 ? 1 - SIDE : 1);
    float sum = bias[c];
    for (int t = 0; t < SIDE; t++) {
        int token = first + t;
        if (token >= 0 && token < keyLen) {
            sum = fma(weight[c * SIDE + t], key[kOffset + c / headDim * kHead + (long)token * headDim + c % headDim], sum);
        }
    }
    out[(long)side * channels + c] = fmax(0.0f, sum);
}

/* x[row][c] = relu(x[row][c] + bias[c]), in place.   Items (c, row). */
__kernel void bias_relu(__global float *x, __global const float *bias, int channels, int rows)
{
    int c = get_global_id(0);
    int row = get_global_id(1);
    if (c < channels && row < rows) {
        x[(long)row * channels + c] = fmax(0.0f, x[(long)row * channels + c] + bias[c]);
    }
}

/* [l, r, |l - r|, l * r] of every gap.   Items (c, gap). */
__kernel void fuse(__global const float *sides, __global float *fused, int dim, int gaps)
{
    int c = get_global_id(0);
    int gap = get_global_id(1);
    if (c >= dim || gap >= gaps) {
        return;
    }
    float left = sides[(long)gap * 2 * dim + c];
    float right = sides[((long)gap * 2 + 1) * dim + c];
    __global float *to = fused + (long)gap * (4 * dim + 1);
    to[c] = left;
    to[dim + c] = right;
    to[2 * dim + c] = fabs(left - right);
    to[3 * dim + c] = left * right;
}

/* Last element of a gap's fused features: l . r / (max(|l|, eps) * max(|r|, eps)).   Items (gap). */
__kernel void cosine(__global const float *sides, __global float *fused, int dim, float eps, int gaps)
{
    int gap = get_global_id(0);
    if (gap >= gaps) {
        return;
    }
    __global const float *left = sides + (long)gap * 2 * dim;
    __global const float *right = left + dim;
    float norms = fmax(sqrt(dot16(left, left, dim)), eps) * fmax(sqrt(dot16(right, right, dim)), eps);
    fused[(long)gap * (4 * dim + 1) + 4 * dim] = dot16(left, right, dim) / norms;
}

/* logits[firstGap + g] = w2 . relu(hidden[g] + b0) + b2.   Items (gap). */
__kernel void decide(__global const float *hidden, __global const float *bias0, __global const float *weight2, __global const float *bias2, int width,
        __global float *logits, int firstGap, int gaps)
{
    int gap = get_global_id(0);
    if (gap >= gaps) {
        return;
    }
    float16 lanes = (float16)(0.0f);
    for (int h = 0; h < width; h += 16) {
        float16 x = load16(hidden + (long)gap * width + h, width - h) + load16(bias0 + h, width - h);
        lanes = fma(load16(weight2 + h, width - h), fmax(x, (float16)(0.0f)), lanes);
    }
    logits[firstGap + gap] = added(lanes) + bias2[0];
}
