package org.dhsa.backend;

import org.dhsa.tensor.Tensor;

/// Keys (after the rotary embedding) and values of one layer. Local layers forget what no later query can see.
public interface LayerCache {

    /// Adds rows for the positions that follow the last one.
    ///
    /// @param key   `[kvHeads, keyLen, headDim]`
    /// @param value `[kvHeads, keyLen, headDim]`
    void append(Tensor key, Tensor value);

    /// `[kvHeads, keyLen, headDim]`, position `firstPosition()` first.
    Tensor keys();

    /// `[kvHeads, keyLen, headDim]`.
    Tensor values();

    /// Position of the first row that is still kept.
    int firstPosition();

    /// One past the last position appended.
    int endPosition();

    /// Forgets rows that no query at `endPosition()` or later sees. Global layers forget nothing.
    void trim();
}
