package org.dhsa.optimized;

import org.dhsa.tensor.Tensor;

/// Rows of a cache, `[kvHeads, keyLen, headDim]`, where the kernels can address them.
///
/// FP32 rows are used where they lie. BF16 rows are widened into scratch space, a block of keys at a time: every widened
/// element then serves a whole tile of queries.
sealed interface KeyRows {

    /// Says where rows of one KV head start, in the array that is returned.
    ///
    /// @param rows    row numbers; the first `count` are valid (read)
    /// @param offsets where each row starts (overwritten)
    /// @param scratch `[count * headDim]` at least (may be overwritten)
    float[] locate(int kvHead, int[] rows, int count, int[] offsets, float[] scratch);

    static KeyRows of(Tensor tensor) {
        return tensor instanceof Bf16Tensor half ? new Halves(half) : new Floats(FloatTensor.of(tensor));
    }

    record Floats(FloatTensor tensor) implements KeyRows {
        @Override
        public float[] locate(int kvHead, int[] rows, int count, int[] offsets, float[] scratch) {
            int base = tensor.offset() + kvHead * tensor.stride();
            int headDim = tensor.shape().extent(2);
            for (int n = 0; n < count; n++) {
                offsets[n] = base + rows[n] * headDim;
            }
            return tensor.data();
        }
    }

    record Halves(Bf16Tensor tensor) implements KeyRows {
        @Override
        public float[] locate(int kvHead, int[] rows, int count, int[] offsets, float[] scratch) {
            int base = tensor.offset() + kvHead * tensor.stride();
            int headDim = tensor.shape().extent(2);
            short[] halves = tensor.data();
            for (int n = 0; n < count; n++) {
                int from = base + rows[n] * headDim;
                int to = n * headDim;
                offsets[n] = to;
                for (int d = 0; d < headDim; d++) {
                    scratch[to + d] = Float.intBitsToFloat(halves[from + d] << 16);
                }
            }
            return scratch;
        }
    }
}
