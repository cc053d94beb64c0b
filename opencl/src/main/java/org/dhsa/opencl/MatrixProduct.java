package org.dhsa.opencl;

import java.util.HashMap;
import java.util.Map;
import org.dhsa.tensor.DType;

/// Matrix products with stored weights, as every projection of the model does them: `Y = X Wᵀ`. Twin: `Gemm`.
///
/// Rows come in tiles and k in blocks of [#K_BLOCK], so that what a pass reads stays in the outer cache. A single row runs at
/// the speed of memory in a kernel of its own, whose sums have another order. For a CPU the rows of a pass are packed first,
/// as `Gemm` does: a tile that reads twelve rows where they lie needs more addresses than there are registers.
final class MatrixProduct {

    static final String PROGRAM = "matrix-product";

    /// Steps summed in one go. Fixed: it is part of the order of the sums.
    static final int K_BLOCK = 2304;

    /// Steps that an item packs.
    private static final int PACK = 64;

    private final OpenClContext context;
    private OpenClBuffer packed;
    private long packedFloats;

    MatrixProduct(OpenClContext context) {
        this.context = context;
    }

    /// Where the elements of `[rows, columns]` lie: column p of row t at `offset + (p / block) * blockStride + t * rowStride + p % block`.
    record Place(OpenClBuffer buffer, long offset, int block, long blockStride, long rowStride) {

        /// `[tokens, width]`.
        static Place rows(DeviceTensor x) {
            return new Place(x.buffer(), x.offset(), Math.max(1, x.shape().extent(1)), 0, x.stride());
        }

        /// `[heads, tokens, headDim]`, seen as `[tokens, heads * headDim]`.
        static Place heads(DeviceTensor x) {
            int headDim = x.shape().extent(2);
            return new Place(x.buffer(), x.offset(), headDim, x.stride(), headDim);
        }

        Place fromRow(int row) {
            return new Place(buffer, offset + row * rowStride, block, blockStride, rowStride);
        }
    }

    /// @param x    `[rows, k]` (read)
    /// @param y    `[rows, n]` (overwritten)
    void multiply(Place x, int rows, DeviceWeight w, Place y) {
        if (rows == 1) {
            multiplyVector(x, w, y);
        } else {
            multiplyRows(x, rows, w, y);
        }
    }

    /// As [#multiply], for a tile of a longer matrix: the order of the sums does not depend on how many rows a tile has.
    void multiplyRows(Place x, int rows, DeviceWeight w, Place y) {
        multiplyColumns(x, rows, w, 0, w.k(), y);
    }

    /// As [#multiplyRows] with some columns of x and the same columns of the weight: `Y = X[:, from .. to) W[:, from .. to)ᵀ`.
    void multiplyColumns(Place x, int rows, DeviceWeight w, int from, int to, Place y) {
        OpenClProgram program = program(w);
        boolean local = tunable("LOCAL", 0) == 1;
        int rowTile = tunable("ROW_TILE", 512);
        int panels = (w.n() + DeviceWeight.PANEL - 1) / DeviceWeight.PANEL;
        for (int row = 0; row < rows; row += rowTile) {
            int count = Math.min(rowTile, rows - row);
            for (int k0 = from; k0 < to; k0 += K_BLOCK) {
                int kLen = Math.min(K_BLOCK, to - k0);
                int accumulate = k0 > from ? 1 : 0;
                Place xs = x.fromRow(row);
                Place ys = y.fromRow(row);
                if (local) {
                    Object[] args = args(xs, count, w, ys, k0, kLen, accumulate);
                    int groupRows = tunable("GROUP_ROWS", 16);
                    int tileRows = groupRows * tunable("ITEM_ROWS", 4);
                    int tilePanels = tunable("PANELS", 2);
                    program.kernel("matrix_product_local").args(args).run(
                            new long[] {16L * ((panels + tilePanels - 1) / tilePanels), (long) groupRows * ((count + tileRows - 1) / tileRows)},
                            new long[] {16, groupRows});
                } else {
                    int itemRows = tunable("ROWS", 12);
                    int tiles = (count + itemRows - 1) / itemRows;
                    OpenClBuffer packed = packed((long) tiles * itemRows * kLen);
                    program.kernel("pack_rows").args(xs.buffer(), xs.offset(), xs.block(), xs.blockStride(), xs.rowStride(), packed, count, k0, kLen)
                            .run(tiles, 1, (kLen + PACK - 1) / PACK, 1);
                    program.kernel("matrix_product").args(packed, w.buffer(), ys.buffer(), ys.offset(), ys.block(), ys.blockStride(), ys.rowStride(),
                            count, w.n(), w.k(), k0, kLen, accumulate).run(tiles, tunable("GROUP", 1), panels, 1);
                }
            }
        }
    }

    /// Room for the packed rows of a pass, kept for the next.
    private OpenClBuffer packed(long floats) {
        if (packed == null || packedFloats < floats) {
            packed = context.allocateFloats(floats);
            packedFloats = floats;
        }
        return packed;
    }

    private void multiplyVector(Place x, DeviceWeight w, Place y) {
        OpenClProgram program = program(w);
        int lanes = 16 / tunable("VEC", 16);
        int segments = 16 / tunable("SEGMENTS", 16);
        long panels = (w.n() + DeviceWeight.PANEL - 1) / DeviceWeight.PANEL;
        for (int k0 = 0; k0 < w.k(); k0 += K_BLOCK) {
            program.kernel("matrix_vector").args(args(x, 1, w, y, k0, Math.min(K_BLOCK, w.k() - k0), k0 > 0 ? 1 : 0)).run(new long[] {panels * lanes, segments}, new long[] {lanes, segments});
        }
    }

    private static Object[] args(Place x, int rows, DeviceWeight w, Place y, int k0, int kLen, int accumulate) {
        return new Object[] {x.buffer(), x.offset(), x.block(), x.blockStride(), x.rowStride(), w.buffer(), y.buffer(), y.offset(), y.block(), y.blockStride(),
            y.rowStride(), rows, w.n(), w.k(), k0, kLen, accumulate};
    }

    private OpenClProgram program(DeviceWeight w) {
        Map<String, Integer> tunables = new HashMap<>(context.tuning().of(PROGRAM));
        tunables.keySet().removeAll(java.util.Set.of("LOCAL", "ROW_TILE", "GROUP"));
        tunables.put("PACK", PACK);
        tunables.put("BF16", w.type() == DType.BF16 ? 1 : 0);
        tunables.put("F16", w.type() == DType.F16 ? 1 : 0);
        return context.program(PROGRAM, tunables);
    }

    private int tunable(String name, int fallback) {
        return context.tuning().of(PROGRAM).getOrDefault(name, fallback);
    }
}
