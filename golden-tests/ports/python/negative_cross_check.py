"""What the format's own Python package makes of the negative corpus. Needs `pip install safetensors`.

    python3 golden-tests/ports/python/negative_cross_check.py [golden-tests/golden/v1/negative]

Prints every file on which the package and the corpus disagree. Exit code 0: it disagrees exactly where cases.json says so
(field lenient); 1: elsewhere; 2: it cannot run. Index and config files are not its business and are left out.
"""
import json
import os
import sys

try:
    import safetensors
except ImportError:
    print("not run: the package safetensors is not installed (pip install safetensors)", file=sys.stderr)
    sys.exit(2)

folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../../golden/v1/negative")
with open(os.path.join(folder, "cases.json"), encoding="utf-8") as f:
    cases = [c for c in json.load(f)["cases"] if c["kind"] == "safetensors"]
unexpected = 0
for case in cases:
    with open(os.path.join(folder, case["open"]), "rb") as f:
        data = f.read()
    try:
        tensors = dict(safetensors.deserialize(data))
        seen, why = "accept", ", ".join(tensors)
    except Exception as e:
        seen, why = "refuse", str(e)
    if seen == "accept" and case["verdict"] == "accept":
        wrong = {n: t for n, t in case["expect"].items() if n not in tensors or tensors[n]["shape"] != t["shape"] or tensors[n]["dtype"] != t["dtype"]}
        if wrong or len(tensors) != len(case["expect"]):
            seen, why = "accept with other tensors", str({n: tensors.get(n) for n in wrong})
    if seen != case["verdict"]:
        noted = "lenient" in case and "safetensors " + safetensors.__version__ in case["lenient"]
        unexpected += not noted
        print(f"{case['id']}: {case['verdict']}, safetensors {safetensors.__version__} would {seen} it ({why}){'' if noted else '   NOT NOTED'}")
    elif "lenient" in case and "safetensors " in case["lenient"]:
        unexpected += 1
        print(f"{case['id']}: noted as a difference, but safetensors {safetensors.__version__} agrees")
print(f"{len(cases)} files, {unexpected} unexpected differences, safetensors {safetensors.__version__}")
sys.exit(1 if unexpected else 0)
