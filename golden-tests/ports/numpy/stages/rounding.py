"""float32 and bfloat16 as sets of numbers: values stay float64, only their precision is cut."""
import numpy as np


def to_f32(x):
    return np.asarray(x, dtype=np.float64).astype(np.float32).astype(np.float64)


def to_bf16(x):
    """The nearest bfloat16, ties to even: 8 significant bits. Normal range only."""
    mantissa, exponent = np.frexp(np.asarray(x, dtype=np.float64))
    return np.ldexp(np.rint(np.ldexp(mantissa, 8)), exponent - 8)
