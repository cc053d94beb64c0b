package org.dhsa.opencl;

import org.dhsa.tensor.DType;

/// A weight on the device.
///
/// A matrix `[n, k]` lies in panels of 32 rows, `[ceil(n / 32)][k][32]`, so that one step along k reads 32 rows at once
/// (missing rows of the last panel are zeros). In BF16 and F16 a step is 16 words of 32 bits: word c holds row c in its low and row
/// c + 16 in its high half, so that widening BF16 is one shift or one mask. Vectors lie plainly, in FP32.
///
/// @param type BF16, F16 or F32
/// @param n    rows of a matrix, elements of a vector
/// @param k    columns of a matrix, 1 for a vector
record DeviceWeight(OpenClBuffer buffer, DType type, int n, int k) {

    /// Rows of a panel.
    static final int PANEL = 32;
}
