package org.dhsa.stage;

import java.util.Arrays;
import java.util.stream.IntStream;

/// Chunk boundaries `0 = b₀ ≤ b₁ ≤ … ≤ bₙ = length`; chunk c is the half-open range `[b_c, b_{c+1})`.
///
/// A repeated boundary makes an empty chunk to which no token maps; only the upstream profile produces one.
public final class Boundaries {

    private final int[] starts;

    private Boundaries(int[] starts) {
        this.starts = starts;
    }

    /// @throws IllegalArgumentException if the first is not 0 or a boundary is smaller than the one before it
    public static Boundaries of(int... boundaries) {
        if (boundaries.length < 2 || boundaries[0] != 0) {
            throw new IllegalArgumentException("boundaries must start with 0 and end with the length, were " + Arrays.toString(boundaries));
        }
        for (int i = 1; i < boundaries.length; i++) {
            if (boundaries[i] < boundaries[i - 1]) {
                throw new IllegalArgumentException("boundaries must not fall: " + boundaries[i - 1] + " then " + boundaries[i]
                        + " at index " + i);
            }
        }
        return new Boundaries(boundaries.clone());
    }

    /// Chunks of `size` tokens each, the last one shorter if need be.
    public static Boundaries uniform(int length, int size) {
        if (size <= 0) {
            throw new IllegalArgumentException("chunk size must be positive, was " + size);
        }
        int chunks = Math.max(1, (length + size - 1) / size);
        return of(IntStream.rangeClosed(0, chunks).map(c -> Math.min(length, c * size)).toArray());
    }

    public int chunks() {
        return starts.length - 1;
    }

    public int start(int chunk) {
        return starts[chunk];
    }

    public int end(int chunk) {
        return starts[chunk + 1];
    }

    public int length(int chunk) {
        return end(chunk) - start(chunk);
    }

    /// Number of tokens covered.
    public int totalLength() {
        return starts[starts.length - 1];
    }

    /// The chunk that holds a position: right bisection, so a token ON a boundary belongs to the chunk that starts there.
    public int chunkOf(int position) {
        if (position < 0 || position >= totalLength()) {
            throw new IndexOutOfBoundsException("position " + position + " is outside [0, " + totalLength() + ")");
        }
        int low = 0;
        int high = chunks();
        while (high - low > 1) {
            int middle = (low + high) >>> 1;
            if (starts[middle] <= position) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /// All boundaries, 0 first and the length last; a copy.
    public int[] toArray() {
        return starts.clone();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Boundaries that && Arrays.equals(starts, that.starts);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(starts);
    }

    @Override
    public String toString() {
        return Arrays.toString(starts);
    }
}
