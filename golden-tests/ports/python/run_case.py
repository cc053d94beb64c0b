"""One case for `dhsa golden check --exec "python3 run_case.py"`: reads IN_DIR, writes OUT_FILE. Exit code 3: not covered."""
import json, os, sys
from check import STAGES
from golden_vectors import read_safetensors, unpack, write_safetensors

def main(folder, out):
    with open(os.path.join(folder, "case.json"), encoding="utf-8") as f:
        case = json.load(f)
    stage = STAGES.get(case["id"].split("/")[1])
    stored = read_safetensors(os.path.join(folder, "inputs.safetensors")) if stage else {}
    got = stage(case["config"], **{n: (shape, unpack(dtype, raw)) for n, (dtype, shape, raw) in stored.items()}) if stage else None
    if got is None:
        return 3
    write_safetensors(out, got)
    return 0

sys.exit(main(*sys.argv[1:]))
