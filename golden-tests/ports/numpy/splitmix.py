"""SplitMix64, the generator that inputs are rebuilt from (Steele, Lea, Flood 2014; public domain).

state += 0x9E3779B97F4A7C15; z = state; z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
z = (z ^ z >> 27) * 0x94D049BB133111EB; result z ^ z >> 31. All modulo 2^64.
"""
import numpy as np

GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def words(seed, count):
    """The first `count` outputs for a seed, as uint64. The n-th state is seed + n * GOLDEN, so all are made at once."""
    with np.errstate(over="ignore"):
        state = np.uint64(seed & MASK) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN)
        z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniform(seed, count):
    """`count` numbers in [-1, 1) from the top 24 bits: n / 2^23 - 1, exact in float32."""
    return (words(seed, count) >> np.uint64(40)).astype(np.float64) / 2.0**23 - 1.0
