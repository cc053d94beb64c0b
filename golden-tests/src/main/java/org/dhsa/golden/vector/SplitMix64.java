package org.dhsa.golden.vector;

/// SplitMix64, the integer generator from which ports rebuild inputs. CONTRACT.md of the vectors defines it in full.
public final class SplitMix64 {

    private long state;

    public SplitMix64(long seed) {
        state = seed;
    }

    public long next() {
        state += 0x9E3779B97F4A7C15L;
        long z = state;
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }

    /// A multiple of 2^-23 in [-1, 1), from the top 24 bits.
    public double unit() {
        return (next() >>> 40) / 0x1p23 - 1;
    }

    /// An integer in [low, high).
    public long between(long low, long high) {
        return low + (next() >>> 40) % (high - low);
    }
}
