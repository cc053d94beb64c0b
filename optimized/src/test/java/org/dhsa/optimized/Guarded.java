package org.dhsa.optimized;

import java.util.Arrays;

/// An output between two poisoned zones. The poison is an ordinary number, so that arithmetic on it does not hide it.
record Guarded(float[] data, int offset, int length) {

    private static final int POISON = Float.floatToRawIntBits(-7.6543e29f);

    /// @param before elements in front; 0 for kernels whose output starts at 0
    static Guarded of(int before, float... values) {
        float[] data = new float[before + values.length + 67];
        Arrays.fill(data, Float.intBitsToFloat(POISON));
        System.arraycopy(values, 0, data, before, values.length);
        return new Guarded(data, before, values.length);
    }

    /// The values, after a look at both zones.
    float[] values() {
        for (int i = 0; i < data.length; i++) {
            if ((i < offset || i >= offset + length) && Float.floatToRawIntBits(data[i]) != POISON) {
                throw new AssertionError("written at " + i + ", outside the output [" + offset + ", " + (offset + length) + "): " + data[i]);
            }
        }
        return Arrays.copyOfRange(data, offset, offset + length);
    }
}
