"""Reading cases: case.json, tensors, hashes, generated inputs. Whatever is broken raises Broken, with file and remedy."""
import hashlib
import json
import os

import numpy as np

import safetensors_io
import splitmix

SCHEMA = "dhsa-golden-case/1"
INPUT_SCHEMA = "dhsa-golden-input/1"
COMPARISONS = ("exact", "continuous", "selection")


class Broken(Exception):
    """A case that cannot be used."""


def round_to(dtype, values):
    """float64 values -> (raw bytes, exact values) of the stored type: float32, and from there bfloat16, nearest even."""
    single = np.asarray(values, dtype=np.float64).astype(np.float32)
    if dtype == "F32":
        return single.astype("<f4").tobytes(), single.astype(np.float64)
    if dtype == "BF16":
        bits = single.view(np.uint32).astype(np.uint64)
        short = ((bits + 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))) >> np.uint64(16)).astype(np.uint32)
        wide = (short << np.uint32(16)).view(np.float32).astype(np.float64)
        return short.astype("<u2").tobytes(), wide
    if dtype == "F64":
        wide = np.asarray(values, dtype=np.float64)
        return wide.astype("<f8").tobytes(), wide
    raise Broken(f"a generator cannot fill dtype {dtype}; use F32 or BF16")


def generate(entry, where):
    """An input from its generator -> (raw bytes, values)"""
    rule, shape, dtype = entry["generator"], tuple(entry["shape"]), entry["dtype"]
    count = int(np.prod(shape, dtype=np.int64))
    if rule.get("kind") == "splitmix64":
        values = (rule["offset"] + rule["scale"] * splitmix.uniform(rule["seed"], count)).reshape(shape)
    elif rule.get("kind") == "splitmix64-int":
        low, span = rule["low"], rule["high"] - rule["low"]
        words = splitmix.words(rule["seed"], count) >> np.uint64(40)
        values = (low + (words % np.uint64(span)).astype(np.int64)).reshape(shape)
    else:
        raise Broken(f"{where}: generator {rule.get('kind')} is not known; known: splitmix64, splitmix64-int")
    for change in rule.get("set") or []:
        # JSON has no NaN: it may stand as a string
        values[tuple(change["index"])] = float(change["value"]) if dtype != "I64" else int(change["value"])
    if dtype == "I64":
        return values.astype("<i8").tobytes(), values.astype(np.int64)
    raw, wide = round_to(dtype, values)
    return raw, wide.reshape(shape)


class Case:
    """One case folder. Tensors are checked against dtype, shape and sha256 when they are read."""

    def __init__(self, folder):
        self.folder = folder
        path = os.path.join(folder, "case.json")
        try:
            with open(path, encoding="utf-8") as file:
                self.json = json.load(file)
        except OSError as error:
            raise Broken(f"{path}: cannot be read ({error.strerror}); is this a case folder?") from error
        except ValueError as error:
            raise Broken(f"{path}: no JSON ({error}); fetch the vectors again") from error
        if isinstance(self.json, dict) and self.json.get("schema") == INPUT_SCHEMA:
            self._as_given(path)
            return
        if not isinstance(self.json, dict) or self.json.get("schema") != SCHEMA:
            found = self.json.get("schema") if isinstance(self.json, dict) else None
            raise Broken(f"{path}: schema is {found}, {SCHEMA} is read here; fetch vectors of that version")
        for key in ("id", "config", "inputs", "expected"):
            if key not in self.json:
                raise Broken(f"{path}: {key} is missing; fetch the vectors again")
        if not self.json["expected"]:
            raise Broken(f"{path}: expected is empty, nothing could be compared; fetch the vectors again")
        for name, entry in self.json["expected"].items():
            kind = entry.get("comparison", {}).get("kind")
            if kind not in COMPARISONS:
                raise Broken(f"{path}: tensor {name}: comparison {kind} is not known; known: {', '.join(COMPARISONS)}")
        self._named(path)

    def _as_given(self, path):
        """What `golden check --exec` hands over: all inputs stored, names of the outputs, no expected values."""
        for key in ("id", "config", "inputs", "outputs"):
            if key not in self.json:
                raise Broken(f"{path}: {key} is missing; run `golden check --exec` again")
        self.json["expected"] = self.json["outputs"]
        for entry in self.json["inputs"].values():
            entry.setdefault("file", "inputs.safetensors")
        self._named(path)

    def _named(self, path):
        self.id, self.config = self.json["id"], self.json["config"]
        parts = self.id.split("/")
        if len(parts) != 3:
            raise Broken(f"{path}: id {self.id} is not family/stage/case")
        self.family, self.slug, self.name = parts
        self.row = f"{self.family} {self.slug}" if self.family == "policy" else self.slug
        if self.family == "policy":
            # the middle is a policy's name; all policies are one stage
            self.slug = "selection-policy"
        self._files = {}

    def _stored(self, name, entry):
        where = f"{self.id}: tensor {name}"
        file = entry["file"]
        if os.path.basename(file) != file:
            raise Broken(f"{where}: file {file} leaves the case folder")
        if file not in self._files:
            self._files[file] = safetensors_io.read(os.path.join(self.folder, file))
        if name not in self._files[file]:
            raise Broken(f"{where}: missing in {file}; fetch the vectors again")
        stored = self._files[file][name]
        if stored.dtype != entry["dtype"]:
            raise Broken(f"{where}: dtype {stored.dtype} in {file}, case.json says {entry['dtype']}")
        if list(stored.shape) != list(entry["shape"]):
            raise Broken(f"{where}: shape {list(stored.shape)} in {file}, case.json says {entry['shape']}")
        return stored.raw, stored.widen()

    def _hash(self, name, entry, raw):
        if "sha256" not in entry and self.json["schema"] == INPUT_SCHEMA:
            return
        found = hashlib.sha256(raw).hexdigest()
        if found != entry["sha256"]:
            raise Broken(f"{self.id}: tensor {name}: sha256 is {found}, case.json says {entry['sha256']}; "
                         "the file was changed or is damaged, fetch the vectors again")

    def tensor(self, name, entry):
        """Stored, generated, or both (then they must be the same bytes) -> values"""
        if "axes" in entry and len(entry["axes"]) != len(entry["shape"]):
            raise Broken(f"{self.id}: tensor {name}: {len(entry['axes'])} axes for shape {entry['shape']}")
        raw = values = None
        if entry.get("file"):
            raw, values = self._stored(name, entry)
            self._hash(name, entry, raw)
        if entry.get("generator"):
            built, values = generate(entry, f"{self.id}: input {name}")
            if raw is not None and built != raw:
                raise Broken(f"{self.id}: input {name}: the generator does not give the stored bytes")
            self._hash(name, entry, built)
        if values is None:
            raise Broken(f"{self.id}: input {name}: neither file nor generator")
        return values

    def inputs(self):
        return {name: self.tensor(name, entry) for name, entry in self.json["inputs"].items()}

    def expected(self):
        return {name: self.tensor(name, entry) for name, entry in self.json["expected"].items()}

    def check_diagnoses(self):
        """Tensors of known bugs are only read: their hashes must hold."""
        for bug, tensors in (self.json.get("diagnoses") or {}).items():
            for name, entry in tensors.items():
                if not isinstance(entry, dict) or "file" not in entry:
                    continue
                path = os.path.join(self.folder, entry["file"])
                stored = self._files.setdefault(entry["file"], safetensors_io.read(path))
                key = next((k for k in (entry.get("name"), f"{bug}/{name}", f"{bug}.{name}", name) if k in stored), None)
                if key is None:
                    raise Broken(f"{self.id}: diagnosis {bug}: tensor {name} is missing in {entry['file']}")
                self._hash(f"{bug}/{name}", entry, stored[key].raw)


def find(root):
    """All case folders below a folder, in order of their ids."""
    if os.path.isfile(os.path.join(root, "case.json")):
        return [root]
    out = []
    for folder, names, files in os.walk(root):
        names.sort()
        if "case.json" in files:
            out.append(folder)
    if not out:
        raise Broken(f"{root}: no case.json in or below this folder; give golden-tests/golden/v1 or one case folder")
    return out


def check_manifest(root):
    """-> number of files whose sha256 was compared with manifest.json (0 without one)"""
    path = os.path.join(root, "manifest.json")
    if not os.path.isfile(path):
        return 0
    try:
        with open(path, encoding="utf-8") as file:
            files = json.load(file)["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise Broken(f"{path}: no manifest ({error}); fetch the vectors again") from error
    entries = files.items() if isinstance(files, dict) else [(entry["path"], entry) for entry in files]
    count = 0
    for name, entry in entries:
        wanted = entry if isinstance(entry, str) else entry["sha256"]
        try:
            with open(os.path.join(root, name), "rb") as file:
                found = hashlib.sha256(file.read()).hexdigest()
        except OSError as error:
            raise Broken(f"{os.path.join(root, name)}: listed in manifest.json, cannot be read ({error.strerror})") from error
        if found != wanted:
            raise Broken(f"{os.path.join(root, name)}: sha256 is {found}, manifest.json says {wanted}")
        count += 1
    return count
