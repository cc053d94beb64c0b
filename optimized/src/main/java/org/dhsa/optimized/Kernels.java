package org.dhsa.optimized;

import java.lang.foreign.MemorySegment;

/// The inner loops, twice: [ScalarKernels] for any JDK and as the honest FP32 baseline, [VectorKernels] for speed.
///
/// Panels are the common currency. A *column panel* holds `columns()` vectors side by side, `[k][columns]`; a *row panel*
/// holds `rows()` vectors, `[k][rows]`. Tiles are `rows() x columns()`. Offsets count floats.
interface Kernels {

    /// Floats behind the last element of a packed panel that [#packRows] may overwrite.
    int PACK_SLACK = 16;

    /// For people: `Vector API, 512 bit`.
    String description();

    /// Rows of a GEMM tile, keys of a score tile, channels of a value tile.
    int rows();

    /// Columns of a GEMM tile, queries of an attention tile; at most 32.
    int columns();

    /// `C = A B` or `C += A B` for one tile.
    ///
    /// @param a row panel `[k][rows]` (read)
    /// @param b column panel `[k][columns]` (read)
    /// @param c `[rows][cStride]`, overwritten or accumulated into
    void gemmTile(float[] a, int aOffset, float[] b, int bOffset, int k, float[] c, int cOffset, int cStride, boolean accumulate);

    /// Widens `columns()` rows of a BF16 matrix into a column panel `[k][columns]`.
    ///
    /// @param weights row 0 starts at `offsetBytes`, rows are `strideBytes` apart (read)
    /// @param panel   overwritten
    void packBf16(MemorySegment weights, long offsetBytes, long strideBytes, int k, float[] panel, int panelOffset);

    /// `rows()` adjoining channels of scattered rows to a row panel:
    ///
    ///     panel[n][r] = x[offsets[n] + d + r]
    ///
    /// @param panel `[count][rows]`, overwritten, and up to `PACK_SLACK` floats behind it may be
    void packRows(float[] x, int[] offsets, int count, int d, float[] panel, int panelOffset);

    /// Dot products of four BF16 rows with one vector: `out[n] = W[n] · x`.
    ///
    /// @param even elements 0, 2, 4 … of x; `odd` the others (read)
    void gemvBf16(MemorySegment weights, long offsetBytes, long strideBytes, int k, float[] even, float[] odd, float[] out, int outOffset);

    /// `a · b` over n elements.
    float dot(float[] a, int aOffset, float[] b, int bOffset, int n);

    /// `y += factor * x` over n elements.
    void axpy(float factor, float[] x, int xOffset, float[] y, int yOffset, int n);

    /// Raw scores of `rows()` keys and `columns()` queries.
    ///
    ///     s[key][query] = Σ_d keys[offsets[first + key] + d] · queries[d][query]
    ///
    /// @param queries column panel `[headDim][columns]` (read)
    /// @param offsets where each key's row starts; `rows()` of them are read from `first`
    /// @param s       `[rows][columns]`, overwritten
    void scoreTile(float[] keys, int[] offsets, int first, float[] queries, int headDim, float[] s, int sOffset);

    /// Scaled, capped scores to softmax weights without a maximum, and their sums. Right only while `exp(cap)` times the
    /// number of keys fits FP32.
    ///
    ///     p = exp(cap · tanh(scale · s / cap))      0 where masked
    ///
    /// @param s       `[count][columns]`, overwritten with p
    /// @param members for key n the word `members[firstKey + n]`: bit j is set where query j reads it; null when all read all
    /// @param sums    `[columns]`, accumulated into
    void capExp(float[] s, int count, int[] members, int firstKey, float scale, float cap, float[] sums);

    /// Scores to softmax weights below a running maximum (no cap, or a large one).
    ///
    ///     x = scale · s, capped if cap > 0;  m' = max(m, x);  r = exp(m − m');  p = exp(x − m');  sum = sum · r + Σ p
    ///
    /// @param maxima  `[columns]`, overwritten with m'
    /// @param rescale `[columns]`, overwritten with r, by which earlier results must be multiplied
    void onlineExp(float[] s, int count, int[] members, int firstKey, float scale, float cap, float[] sums,
                   float[] maxima, float[] rescale);

    /// Weighted values: `out[d][query] += Σ_key p[key][query] · values[offsets[first + key] + d]` for `d0 <= d < d1`.
    ///
    /// @param out column panel `[headDim][columns]`, accumulated into
    void values(float[] values, int[] offsets, int first, int count, float[] p, int d0, int d1, float[] out);

    /// `x[d][query] *= factor[query]` for a column panel of `rows` rows.
    void scaleColumns(float[] x, int rows, float[] factor);

    /// `x = cap · tanh(scale · x / cap)` over n elements.
    void cap(float[] x, int offset, int n, float scale, float cap);

    /// `gate = gelu_tanh(gate) * up` over n elements.
    void geluTimes(float[] gate, float[] up, int offset, int n);

    /// `y = x · inverse · (1 + w)` over n elements.
    void normRow(float[] x, int xOffset, float inverse, float[] weight, float[] y, int yOffset, int n);
}
