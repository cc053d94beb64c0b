package org.dhsa.model;

/// The factor √modelDim of the embedding.
public enum EmbeddingScale {
    /// √modelDim in FP64.
    EXACT,
    /// √modelDim rounded to bfloat16, as a BF16 model multiplies: 59.75 instead of 59.867 for 3584; 48 either way for 2304.
    BF16_ROUNDED;

    public double factor(int modelDim) {
        double exact = Math.sqrt(modelDim);
        return this == EXACT ? exact : roundToBf16((float) exact);
    }

    /// Nearest bfloat16, ties to even.
    static float roundToBf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        return Float.intBitsToFloat((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000);
    }
}
