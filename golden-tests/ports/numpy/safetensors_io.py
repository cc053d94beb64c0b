"""A small safetensors reader and writer.

A file is: 8 bytes, the header's length, little endian; the header, JSON, {name: {dtype, shape, data_offsets}};
then the data. Offsets count from the end of the header. Every broken file is refused with the rule it breaks.
"""
import json
import os
import struct

import numpy as np

# BF16 has no NumPy type: it is read as its 16 bits and widened (see `widen`).
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
          "I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1"}
SIZES = {name: np.dtype(code).itemsize for name, code in DTYPES.items()}
MAX_HEADER = 100_000_000


class FormatError(Exception):
    """A file that does not keep to its format. The message names the file and what to do."""


class Stored:
    """One tensor as it stands in a file: dtype name, array of the stored type, the raw bytes."""

    def __init__(self, dtype, array, raw):
        self.dtype, self.array, self.raw = dtype, array, raw
        self.shape = tuple(array.shape)

    def widen(self):
        """The exact values: floats as float64, integers as int64, booleans as bool."""
        if self.dtype == "BF16":
            return (self.array.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        if self.dtype in ("F64", "F32", "F16"):
            return self.array.astype(np.float64)
        return self.array.astype(np.bool_ if self.dtype == "BOOL" else np.int64)


def _no_duplicates(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a name stands twice")
    return dict(pairs)


def read(path):
    """{name: Stored} of a safetensors file."""
    def bad(why):
        return FormatError(f"{path}: {why}; fetch or write the file again")
    try:
        with open(path, "rb") as file:
            blob = file.read()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); is the case complete?") from error
    if len(blob) < 8:
        raise bad(f"{len(blob)} bytes, a safetensors file has at least 8")
    length = struct.unpack("<Q", blob[:8])[0]
    if length > MAX_HEADER or 8 + length > len(blob):
        raise bad(f"the header claims {length} bytes, the file has {len(blob)}")
    try:
        header = json.loads(blob[8:8 + length].decode("utf-8"), object_pairs_hook=_no_duplicates)
    except ValueError as error:
        raise bad(f"the header is no JSON object ({error})") from error
    if not isinstance(header, dict):
        raise bad("the header is no JSON object")
    data = memoryview(blob)[8 + length:]
    out, spans = {}, []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
            count = 1
            for extent in shape:
                if not isinstance(extent, int) or isinstance(extent, bool) or extent < 0:
                    raise ValueError
                count *= extent
        except (TypeError, KeyError, ValueError) as error:
            raise bad(f"tensor {name}: dtype, shape or data_offsets is missing or no list of numbers") from error
        if dtype not in DTYPES:
            raise bad(f"tensor {name}: dtype {dtype} is not known here")
        if not (isinstance(begin, int) and isinstance(end, int) and 0 <= begin <= end <= len(data)):
            raise bad(f"tensor {name}: bytes {begin} to {end} lie outside the {len(data)} bytes of data")
        if end - begin != count * SIZES[dtype]:
            raise bad(f"tensor {name}: {dtype} {shape} takes {count * SIZES[dtype]} bytes, the header gives {end - begin}")
        spans.append((begin, end, name))
        raw = bytes(data[begin:end])
        out[name] = Stored(dtype, np.frombuffer(raw, dtype=DTYPES[dtype]).reshape(shape), raw)
    position = 0
    for begin, end, name in sorted(spans):
        if begin != position:
            raise bad(f"tensor {name}: starts at byte {begin}, {position} was expected (a gap or an overlap)")
        position = end
    if position != len(data):
        raise bad(f"{len(data) - position} bytes follow the last tensor")
    return out


def write(path, tensors):
    """Writes {name: array}; float64, int64 and bool arrays. The file appears whole or not at all."""
    codes = {np.dtype("float64"): "F64", np.dtype("float32"): "F32", np.dtype("int64"): "I64", np.dtype("bool"): "BOOL"}
    header, chunks, offset = {}, [], 0
    # Wide types first, so that every tensor starts at a multiple of its element size.
    for name in sorted(tensors, key=lambda n: (-np.asarray(tensors[n]).dtype.itemsize, n)):
        array = np.ascontiguousarray(tensors[name])
        # ascontiguousarray gives a scalar one axis; the stored shape is the caller's
        shape = list(np.asarray(tensors[name]).shape)
        raw = array.tobytes()
        header[name] = {"dtype": codes[array.dtype], "shape": shape, "data_offsets": [offset, offset + len(raw)]}
        chunks.append(raw)
        offset += len(raw)
    text = json.dumps(header).encode("utf-8")
    text += b" " * (-len(text) % 8)
    partial = f"{path}.partial"
    try:
        with open(partial, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + b"".join(chunks))
        os.replace(partial, path)
    except BaseException:
        if os.path.exists(partial):
            os.remove(partial)
        raise
