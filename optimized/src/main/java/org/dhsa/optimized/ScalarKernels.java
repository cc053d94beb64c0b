package org.dhsa.optimized;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Plain loops in FP32, sums in index order, no fused multiply-add: what an honest float port computes. Runs on any JDK
/// and is the baseline that faster kernels are measured against.
final class ScalarKernels implements Kernels {

    private static final ValueLayout.OfShort BF16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int ROWS = 4;
    private static final int COLUMNS = 8;

    @Override
    public String description() {
        return "plain loops";
    }

    @Override
    public int rows() {
        return ROWS;
    }

    @Override
    public int columns() {
        return COLUMNS;
    }

    @Override
    public void gemmTile(float[] a, int aOffset, float[] b, int bOffset, int k, float[] c, int cOffset, int cStride, boolean accumulate) {
        for (int i = 0; i < ROWS; i++) {
            for (int j = 0; j < COLUMNS; j++) {
                float sum = 0;
                for (int p = 0; p < k; p++) {
                    sum += a[aOffset + p * ROWS + i] * b[bOffset + p * COLUMNS + j];
                }
                int at = cOffset + i * cStride + j;
                c[at] = accumulate ? c[at] + sum : sum;
            }
        }
    }

    @Override
    public void packBf16(MemorySegment weights, long offsetBytes, long strideBytes, int k, float[] panel, int panelOffset) {
        pack(weights, offsetBytes, strideBytes, k, panel, panelOffset, COLUMNS);
    }

    static void pack(MemorySegment weights, long offsetBytes, long strideBytes, int k, float[] panel, int panelOffset, int columns) {
        for (int j = 0; j < columns; j++) {
            for (int p = 0; p < k; p++) {
                panel[panelOffset + p * columns + j] = bf16(weights, offsetBytes + j * strideBytes + 2L * p);
            }
        }
    }

    static float bf16(MemorySegment weights, long offsetBytes) {
        return Float.intBitsToFloat(weights.get(BF16, offsetBytes) << 16);
    }

    @Override
    public void packRows(float[] x, int[] offsets, int count, int d, float[] panel, int panelOffset) {
        for (int n = 0; n < count; n++) {
            System.arraycopy(x, offsets[n] + d, panel, panelOffset + n * ROWS, ROWS);
        }
    }

    @Override
    public void gemvBf16(MemorySegment weights, long offsetBytes, long strideBytes, int k, float[] even, float[] odd, float[] out, int outOffset) {
        for (int n = 0; n < 4; n++) {
            float sum = 0;
            for (int p = 0; p < k; p++) {
                sum += bf16(weights, offsetBytes + n * strideBytes + 2L * p) * ((p & 1) == 0 ? even[p / 2] : odd[p / 2]);
            }
            out[outOffset + n] = sum;
        }
    }

    @Override
    public float dot(float[] a, int aOffset, float[] b, int bOffset, int n) {
        float sum = 0;
        for (int i = 0; i < n; i++) {
            sum += a[aOffset + i] * b[bOffset + i];
        }
        return sum;
    }

    @Override
    public void axpy(float factor, float[] x, int xOffset, float[] y, int yOffset, int n) {
        for (int i = 0; i < n; i++) {
            y[yOffset + i] += factor * x[xOffset + i];
        }
    }

    @Override
    public void scoreTile(float[] keys, int[] offsets, int first, float[] queries, int headDim, float[] s, int sOffset) {
        for (int i = 0; i < ROWS; i++) {
            int key = offsets[first + i];
            for (int j = 0; j < COLUMNS; j++) {
                float sum = 0;
                for (int d = 0; d < headDim; d++) {
                    sum += keys[key + d] * queries[d * COLUMNS + j];
                }
                s[sOffset + i * COLUMNS + j] = sum;
            }
        }
    }

    @Override
    public void capExp(float[] s, int count, int[] members, int firstKey, float scale, float cap, float[] sums) {
        for (int n = 0; n < count; n++) {
            for (int j = 0; j < COLUMNS; j++) {
                float p = reads(members, firstKey + n, j) ? (float) Math.exp(capped(s[n * COLUMNS + j] * scale, cap)) : 0;
                s[n * COLUMNS + j] = p;
                sums[j] += p;
            }
        }
    }

    @Override
    public void onlineExp(float[] s, int count, int[] members, int firstKey, float scale, float cap, float[] sums,
                          float[] maxima, float[] rescale) {
        for (int j = 0; j < COLUMNS; j++) {
            float max = maxima[j];
            for (int n = 0; n < count; n++) {
                float x = reads(members, firstKey + n, j) ? capped(s[n * COLUMNS + j] * scale, cap) : Float.NEGATIVE_INFINITY;
                s[n * COLUMNS + j] = x;
                max = Math.max(max, x);
            }
            rescale[j] = max == Float.NEGATIVE_INFINITY ? 1 : (float) Math.exp(maxima[j] - max);
            maxima[j] = max;
            sums[j] *= rescale[j];
            for (int n = 0; n < count; n++) {
                float x = s[n * COLUMNS + j];
                float p = x == Float.NEGATIVE_INFINITY ? 0 : (float) Math.exp(x - max);
                s[n * COLUMNS + j] = p;
                sums[j] += p;
            }
        }
    }

    private static boolean reads(int[] members, int key, int query) {
        return members == null || (members[key] >>> query & 1) == 1;
    }

    private static float capped(float x, float cap) {
        return cap > 0 ? cap * (float) Math.tanh(x / cap) : x;
    }

    @Override
    public void values(float[] values, int[] offsets, int first, int count, float[] p, int d0, int d1, float[] out) {
        for (int d = d0; d < d1; d++) {
            for (int j = 0; j < COLUMNS; j++) {
                float sum = out[d * COLUMNS + j];
                for (int n = 0; n < count; n++) {
                    sum += p[n * COLUMNS + j] * values[offsets[first + n] + d];
                }
                out[d * COLUMNS + j] = sum;
            }
        }
    }

    @Override
    public void scaleColumns(float[] x, int rows, float[] factor) {
        for (int i = 0; i < rows * COLUMNS; i++) {
            x[i] *= factor[i % COLUMNS];
        }
    }

    @Override
    public void cap(float[] x, int offset, int n, float scale, float cap) {
        for (int i = offset; i < offset + n; i++) {
            x[i] = capped(x[i] * scale, cap);
        }
    }

    @Override
    public void geluTimes(float[] gate, float[] up, int offset, int n) {
        for (int i = offset; i < offset + n; i++) {
            float z = gate[i];
            float inner = 0.7978845608f * (z + 0.044715f * z * z * z);
            gate[i] = z / 2 * (1 + (float) Math.tanh(inner)) * up[i];
        }
    }

    @Override
    public void normRow(float[] x, int xOffset, float inverse, float[] weight, float[] y, int yOffset, int n) {
        for (int i = 0; i < n; i++) {
            y[yOffset + i] = x[xOffset + i] * inverse * (1 + weight[i]);
        }
    }
}
