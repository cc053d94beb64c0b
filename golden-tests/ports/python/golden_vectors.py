"""Reader of the golden vectors: safetensors, rebuilt inputs, hashes. Python 3.8 or newer, nothing to install."""
import hashlib, json, math, os, struct

LETTERS = {"F64": "d", "F32": "f", "I64": "q", "BF16": "H"}
ALL_ONES = (1 << 64) - 1

class Broken(Exception):
    pass

def pack(dtype, values):                    # numbers -> little-endian bytes; BF16 rounds the float to nearest even
    if dtype == "BF16":
        bits = [struct.unpack("<I", struct.pack("<f", v))[0] for v in values]
        values = [(b + 0x7FFF + (b >> 16 & 1)) >> 16 for b in bits]
    return struct.pack(f"<{len(values)}{LETTERS[dtype]}", *values)

def unpack(dtype, raw):
    values = struct.unpack(f"<{len(raw) // struct.calcsize('<' + LETTERS[dtype])}{LETTERS[dtype]}", raw)
    return [struct.unpack("<f", struct.pack("<I", v << 16))[0] for v in values] if dtype == "BF16" else list(values)

def read_safetensors(path):                 # name -> (dtype, shape, bytes)
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    return {n: (e["dtype"], e["shape"], data[slice(*e["data_offsets"])]) for n, e in header.items() if n != "__metadata__"}

def write_safetensors(path, tensors):       # name -> (shape, values)
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        dtype = "I64" if all(isinstance(v, int) for v in values) else "F64"
        raw = pack(dtype, values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)

def generate(entry):                        # an input that is not stored: SplitMix64
    g, state, values = entry["generator"], entry["generator"]["seed"] & ALL_ONES, []
    for _ in range(math.prod(entry["shape"])):
        state = state + 0x9E3779B97F4A7C15 & ALL_ONES
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & ALL_ONES
        z = (z ^ z >> 27) * 0x94D049BB133111EB & ALL_ONES
        top = (z ^ z >> 31) >> 40
        values.append(g["low"] + top % (g["high"] - g["low"]) if g["kind"] == "splitmix64-int" else g["offset"] + g["scale"] * (top / 2 ** 23 - 1))
    for s in g.get("set", []):              # an index shorter than the shape overwrites everything below it
        at, below = 0, math.prod(entry["shape"][len(s["index"]):])
        for i, extent in zip(s["index"], entry["shape"]):
            at = at * extent + i
        values[at * below:(at + 1) * below] = [float(s["value"]) if entry["dtype"] != "I64" else s["value"]] * below
    return pack(entry["dtype"], values)

def load(folder, name, entry, files):       # -> (shape, values), hash checked
    if "generator" not in entry:             # an input with both is rebuilt: the hash says whether rightly
        path = os.path.join(folder, entry["file"])
        if path not in files:
            if not os.path.isfile(path):
                raise Broken(f"{path} is missing")
            files[path] = read_safetensors(path)
        if name not in files[path]:
            raise Broken(f"{path} holds no tensor {name}")
        raw = files[path][name][2]
    else:
        raw = generate(entry)
    if hashlib.sha256(raw).hexdigest() != entry["sha256"]:
        raise Broken(f"{folder}: {name} does not have the hash that case.json states")
    return entry["shape"], unpack(entry["dtype"], raw)
