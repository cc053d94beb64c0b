package org.dhsa.reference.ejml;

import org.dhsa.model.WeightTensor;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.CommonOps_DDRM;

/// Matrix products on EJML, row-major, FP64.
///
///     Y = X Wᵀ        X [rows, in] (read), W [out, in] (read), Y [rows, out] (new)
///
/// A stored weight is widened panel by panel, so that the embedding of a real model never stands in memory as FP64.
public final class Linear {

    /// 2^23 values, 64 MB in FP64: larger than any layer weight of a 2B model is tall, small beside 8 GiB.
    private static final int PANEL_VALUES = 1 << 23;

    private Linear() {}

    public static double[] apply(double[] x, int rows, WeightTensor weight) {
        int in = Math.toIntExact(weight.dim(1));
        int out = Math.toIntExact(weight.dim(0));
        double[] y = new double[Math.multiplyExact(rows, out)];
        int panel = Math.max(1, PANEL_VALUES / in);
        for (int from = 0; from < out; from += panel) {
            int to = Math.min(out, from + panel);
            double[] part = multTransB(x, rows, weight.rows(from, to), to - from, in);
            for (int r = 0; r < rows; r++) {
                System.arraycopy(part, r * (to - from), y, r * out + from, to - from);
            }
        }
        return y;
    }

    /// `A Bᵀ` for A `[m, k]` and B `[n, k]`: every element is one dot product, summed in index order.
    public static double[] multTransB(double[] a, int m, double[] b, int n, int k) {
        DMatrixRMaj c = new DMatrixRMaj(m, n);
        CommonOps_DDRM.multTransB(DMatrixRMaj.wrap(m, k, a), DMatrixRMaj.wrap(n, k, b), c);
        return c.data;
    }
}
