package org.dhsa.optimized;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;

/// Matrix products with stored weights, the weights widened on the way.
///
///     Y = X Wᵀ        X [rows, k] (read), W [n, k] (read, in its stored type), Y [rows, n] (overwritten)
///
/// Rows come in tiles of 512, k in blocks of 2304; inside a block every 12 x 32 tile of Y is one kernel call. The tokens of
/// a tile are packed once per block and stay in the outer cache; a panel of 32 weight rows is packed once per block and
/// tile, used for all tokens, and forgotten. The loop over k stands outside the loop over columns, so that the packed
/// tokens of a pass stay under 5 MB.
final class Gemm {

    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int ROW_TILE = 512;
    private static final int K_BLOCK = 2304;

    private final Kernels kernels;
    private final Workers workers;
    private final float[][] columnPanels;
    private final float[][] tiles;
    private float[] packedRows = new float[0];

    Gemm(Kernels kernels, Workers workers) {
        this.kernels = kernels;
        this.workers = workers;
        this.columnPanels = new float[workers.threads()][K_BLOCK * kernels.columns()];
        this.tiles = new float[workers.threads()][kernels.rows() * kernels.columns()];
    }

    /// @param x row r starts at `xOffset + r * xStride`
    /// @param y row r starts at `yOffset + r * n`
    void multiply(float[] x, int xOffset, int xStride, int rows, WeightTensor weight, float[] y, int yOffset) {
        int k = Math.toIntExact(weight.dim(1));
        if (rows == 1) {
            multiplyVector(x, xOffset, k, weight, y, yOffset);
            return;
        }
        int n = Math.toIntExact(weight.dim(0));
        for (int row = 0; row < rows; row += ROW_TILE) {
            int tileRows = Math.min(ROW_TILE, rows - row);
            for (int k0 = 0; k0 < k; k0 += K_BLOCK) {
                block(x, xOffset + row * xStride + k0, xStride, tileRows, weight, k0, Math.min(K_BLOCK, k - k0), y, yOffset + row * n, n, k0 > 0);
            }
        }
    }

    /// `Y = X Vᵀ`, V being columns `k0` to `k0 + k` of the weight.
    ///
    /// @param x row r starts at `xOffset + r * xStride`, k elements
    /// @param k at most 2304
    void multiplyColumns(float[] x, int xOffset, int xStride, int rows, WeightTensor weight, int k0, int k, float[] y, int yOffset) {
        int n = Math.toIntExact(weight.dim(0));
        for (int row = 0; row < rows; row += ROW_TILE) {
            block(x, xOffset + row * xStride, xStride, Math.min(ROW_TILE, rows - row), weight, k0, k, y, yOffset + row * n, n, false);
        }
    }

    private void block(float[] x, int xAt, int xStride, int rows, WeightTensor weight, int k0, int k, float[] y, int yAt, int n, boolean accumulate) {
        int mr = kernels.rows();
        int nr = kernels.columns();
        int rowPanels = (rows + mr - 1) / mr;
        if (packedRows.length < rowPanels * mr * k) {
            packedRows = new float[rowPanels * mr * k];
        }
        workers.run(rowPanels, (panel, worker) -> packRows(x, xAt + panel * mr * xStride, xStride, Math.min(mr, rows - panel * mr), k, panel * mr * k));
        workers.run((n + nr - 1) / nr, (panel, worker) -> {
            int column = panel * nr;
            int columns = Math.min(nr, n - column);
            float[] b = columnPanels[worker];
            packColumns(weight, column, columns, k0, k, b);
            for (int p = 0; p < rowPanels; p++) {
                int panelRows = Math.min(mr, rows - p * mr);
                int at = yAt + p * mr * n + column;
                if (panelRows == mr && columns == nr) {
                    kernels.gemmTile(packedRows, p * mr * k, b, 0, k, y, at, n, accumulate);
                } else {
                    edgeTile(p * mr * k, b, k, y, at, n, accumulate, panelRows, columns, tiles[worker]);
                }
            }
        });
    }

    /// A tile that reaches over the edge of Y: computed whole beside it, then the part that exists is copied.
    private void edgeTile(int aAt, float[] b, int k, float[] y, int at, int n, boolean accumulate, int rows, int columns, float[] tile) {
        kernels.gemmTile(packedRows, aAt, b, 0, k, tile, 0, kernels.columns(), false);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                float value = tile[r * kernels.columns() + c];
                y[at + r * n + c] = accumulate ? y[at + r * n + c] + value : value;
            }
        }
    }

    /// `[rows, k]` to a row panel `[k][mr]`; missing rows are zeros.
    private void packRows(float[] x, int at, int stride, int rows, int k, int to) {
        int mr = kernels.rows();
        if (rows < mr) {
            Arrays.fill(packedRows, to, to + mr * k, 0f);
        }
        for (int p = 0; p < k; p++) {
            for (int r = 0; r < rows; r++) {
                packedRows[to + p * mr + r] = x[at + r * stride + p];
            }
        }
    }

    /// Rows of the weight to a column panel `[k][nr]`; missing rows are zeros.
    private void packColumns(WeightTensor weight, int row, int rows, int k0, int k, float[] panel) {
        int nr = kernels.columns();
        long width = weight.dim(1);
        if (weight.dtype() == DType.BF16 && rows == nr) {
            kernels.packBf16(weight.bytes(), 2 * (row * width + k0), 2 * width, k, panel, 0);
            return;
        }
        if (rows < nr) {
            Arrays.fill(panel, 0, nr * k, 0f);
        }
        for (int r = 0; r < rows; r++) {
            long from = (row + r) * width + k0;
            if (weight.dtype() == DType.F32) {
                for (int p = 0; p < k; p++) {
                    panel[p * nr + r] = weight.bytes().get(F32, 4 * (from + p));
                }
                continue;
            }
            for (int p = 0; p < k; p++) {
                panel[p * nr + r] = (float) weight.get(from + p);
            }
        }
    }

    /// One token: every weight is read once, so this runs at the speed of memory.
    private void multiplyVector(float[] x, int xOffset, int k, WeightTensor weight, float[] y, int yOffset) {
        int n = Math.toIntExact(weight.dim(0));
        int group = 64;
        if (weight.dtype() != DType.BF16) {
            workers.run((n + group - 1) / group, (task, worker) -> {
                float[] row = columnPanels[worker].length >= k ? columnPanels[worker] : new float[k];
                for (int r = task * group; r < Math.min(n, (task + 1) * group); r++) {
                    for (int p = 0; p < k; p++) {
                        row[p] = (float) weight.get((long) r * k + p);
                    }
                    y[yOffset + r] = kernels.dot(row, 0, x, xOffset, k);
                }
            });
            return;
        }
        float[] even = new float[(k + 1) / 2];
        float[] odd = new float[(k + 1) / 2];
        for (int p = 0; p < k; p++) {
            ((p & 1) == 0 ? even : odd)[p / 2] = x[xOffset + p];
        }
        long strideBytes = 2L * k;
        workers.run((n + group - 1) / group, (task, worker) -> {
            int end = Math.min(n, (task + 1) * group);
            int r = task * group;
            for (; r + 4 <= end; r += 4) {
                kernels.gemvBf16(weight.bytes(), r * strideBytes, strideBytes, k, even, odd, y, yOffset + r);
            }
            float[] four = tiles[worker];
            for (; r < end; r++) {
                kernels.gemvBf16(weight.bytes(), r * strideBytes, 0, k, even, odd, four, 0);
                y[yOffset + r] = four[0];
            }
        });
    }
}
