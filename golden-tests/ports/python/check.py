"""Reads the golden vectors and checks three stages. Python 3.8 or newer, nothing to install.

    python3 check.py VECTORS [--json RESULT] [--verify]

VECTORS is golden-tests/golden/v1, or what `dhsa golden pack` packed; --verify checks its SHA256SUMS first. Put your own code in the
place of the three functions in STAGES. Exit code: 0 all that was compared agrees, 1 something differs, 2 a file is missing or damaged.
"""
import hashlib, json, math, os, platform, struct, sys
from golden_vectors import Broken, load

def rms_norm(config, x, weight):
    (rows, dim), v = x
    out = []
    for r in range(rows):
        row = v[r * dim:(r + 1) * dim]
        root = math.sqrt(math.fsum(a * a for a in row) / dim + config["rmsNormEps"])
        out += [a / root * (1 + w) for a, w in zip(row, weight[1])]
    return {"normed": ([rows, dim], out)}

def chunk_representation(config, states, segments):
    (heads, length, dim), v = states
    bounds, out = segments[1], []
    for begin, end in zip(bounds, bounds[1:]):
        n = end - begin
        for d in range(dim):
            means = [math.fsum(v[(h * length + t) * dim + d] for h in range(heads)) / heads for t in range(begin, end)]
            padded = max(n, config["padTo"])
            if n == 0:
                out.append(0.0)
            elif config["pooling"] == "maxpool":
                out.append(max(means + [0.0] * (padded > n)))
            else:
                out.append(math.fsum(means) / padded * (math.sqrt(n) if config["pooling"] == "avgpool_norm" else 1))
    return {"chunks": ([len(bounds) - 1, dim], out)}

def top_k_selection(config, tokenScores, blocks):
    if config["quirks"]:
        return None                         # not covered: this port follows the corrected rules
    (_, length), scores = tokenScores
    lists = []
    for r in range(blocks[0][0]):
        start, end, _, segment = blocks[1][4 * r:4 * r + 4]
        first = 0 if config["slidingWindow"] is None else max(0, start - config["slidingWindow"] + 1)
        end, cut, keep = min(length, end), min(config["budget"], length), []
        for k in [*range(start, end), *range(start - 1, start - 1 - config["localTokens"], -1), *range(first, first + config["globalTokens"])]:
            if first <= k < end and k not in keep and len(keep) < cut:
                keep.append(k)
        score = scores[segment * length:(segment + 1) * length]
        rest = sorted((k for k in range(first, end) if k not in keep), key=lambda k: (math.isnan(score[k]), 0 if math.isnan(score[k]) else -score[k], k))
        lists.append(sorted(keep + rest[:cut - len(keep)]))
    width = max(map(len, lists), default=0)
    return {"selectedKeys": ([len(lists), width], [k for l in lists for k in l + [-1] * (width - len(l))]),
            "selectedCounts": ([len(lists)], [len(l) for l in lists])}

STAGES = {"rms-norm": rms_norm, "chunk-representation": chunk_representation, "top-k-selection": top_k_selection}

def compare(rule, got, want, case):         # -> verdict, flat index of the worst element, error, budget
    if got[0] != want[0]:
        return "fail", -1, math.inf, 0
    if rule["kind"] == "selection" and "scores" in rule and got[1] != want[1]:
        (rows, width), scores = want[0], case[rule["scores"]]
        for r in range(rows):
            a, b = ({k for k in t[1][r * width:(r + 1) * width] if k >= 0} for t in (got, want))
            same = a == b or len(a) == len(b) and all(scores[1][case["blocks"][1][4 * r + 3] * scores[0][1] + k] == case[rule["threshold"]][1][r]
                and k not in case[rule["forced"]][1][r * width:(r + 1) * width] and case["allowed"][1][2 * r] <= k < case["allowed"][1][2 * r + 1] for k in a ^ b)
            if not same:
                return "fail", r * width, math.inf, 0
        return "near-tie", -1, 0, 0
    errors = [0 if x == y or (x != x and y != y and rule.get("allowNaN")) else abs(x - y) if math.isfinite(x) and math.isfinite(y) else math.inf for x, y in zip(got[1], want[1])]
    worst = max(range(len(errors)), key=errors.__getitem__, default=-1)
    error, budget = (errors[worst] if errors else 0), rule["ratio"] * rule["baselineError"] + rule["floor"] if rule["kind"] == "continuous" else 0
    return ("pass" if error <= budget else "fail"), worst, error, budget

def number(x):                              # JSON has no NaN and no infinity
    return x if math.isfinite(x) else "NaN" if x != x else "Infinity" if x > 0 else "-Infinity"

def check(folder, case):                    # -> result entry
    result = {"id": case["id"], "level": case["level"], "verdict": "not-covered", "firstDivergence": None, "diagnosis": [], "metrics": {}}
    stage, files = STAGES.get(case["id"].split("/")[1]), {}
    inputs = {n: load(folder, n, e, files) for n, e in case["inputs"].items()} if stage else {}
    got = stage(case["config"], **inputs) if stage else None
    if got is None:
        return result
    want = {n: load(folder, n, e, files) for n, e in case["expected"].items()}
    result["verdict"] = "pass"
    for name in sorted((n for n in want if n in got or case["expected"][n]["required"]), key=lambda n: case["expected"][n]["order"]):
        rule = case["expected"][name]["comparison"]
        verdict, at, error, budget = compare(rule, got[name], want[name], {**inputs, **want}) if name in got else ("fail", -1, math.inf, 0)
        result["verdict"] = max(result["verdict"], verdict, key=("pass", "near-tie", "fail").index)
        if verdict != "pass" and result["firstDivergence"] is None:
            result["firstDivergence"] = {"stage": case["expected"][name]["stage"], "layer": case["expected"][name]["layer"], "tensor": name, "index": str(at), "error": number(error), "budget": budget,
                **({"expected": number(want[name][1][at]), "actual": number(got[name][1][at])} if at >= 0 and got[name][0] == want[name][0] else {"expected": "NaN", "actual": "NaN"})}
    return result

def main(root, *options):
    if "--verify" in options:
        for line in open(os.path.join(root, "SHA256SUMS"), encoding="utf-8"):
            digest, name = line.rstrip("\n").split("  ", 1)
            if hashlib.sha256(open(os.path.join(root, name), "rb").read()).hexdigest() != digest:
                raise Broken(f"{os.path.join(root, name)} is not what SHA256SUMS says")
    results, broken = [], 0
    for folder in sorted(f for f, _, names in os.walk(root) if "case.json" in names):
        try:
            results.append(check(folder, json.load(open(os.path.join(folder, "case.json"), encoding="utf-8"))))
        except (Broken, KeyError, ValueError, struct.error) as e:
            broken += 1
            print(f"{folder}: {e!r}", file=sys.stderr)
    count = {v: sum(r["verdict"] == v for r in results) for v in ("pass", "near-tie", "fail", "not-covered")}
    for r in (r for r in results if r["verdict"] == "fail"):
        print(r["id"], r["firstDivergence"])
    print("python:", ", ".join(f"{n} {v}" for v, n in count.items()) + f", {broken} broken")
    if "--json" in options and not broken:
        manifest = os.path.join(root, "manifest.json")
        version = json.load(open(manifest, encoding="utf-8"))["version"] if os.path.exists(manifest) else "unversioned"
        level = lambda l, *verdicts: sum(r["level"] == l and r["verdict"] in verdicts for r in results)
        levels = {l: {"pass": level(l, "pass"), "nearTie": level(l, "near-tie"), "fail": level(l, "fail"), "notCovered": level(l, "not-covered")} for l in sorted({r["level"] for r in results})}
        with open(options[options.index("--json") + 1], "w", encoding="utf-8") as f:
            json.dump({"schema": "dhsa-golden-result/1", "vectors": version, "environment": {"python": platform.python_version()}, "levels": levels, "implementation": {"name": "python-reader", "version": "1", "backend": "python", "device": "cpu"}, "cases": results}, f)
    return 2 if broken or count["pass"] + count["near-tie"] == 0 and not count["fail"] else 1 if count["fail"] else 0

if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (Broken, OSError, TypeError) as e:
        print(f"check.py: {e}", file=sys.stderr)
        sys.exit(2)
