#!/usr/bin/env python3
"""Recomputes every expected tensor of the vectors and compares. Exit 0: all agree; 1: some do not; 2: broken input.

  python3 check.py [VECTORS] [--case ID] [--stage SLUG] [--json FILE] [--mutant ID]
  python3 check.py --recordings [RECORDINGS]
"""
import argparse
import json
import os
import platform
import sys
import warnings
from types import SimpleNamespace

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
GOLDEN_TESTS = os.path.dirname(os.path.dirname(HERE))
LEVELS = ("L0", "L1", "L2", "L3", "L4", "L5", "L6", "P")

import mutants  # noqa: E402  (before the stages: a mutant changes them while they are loaded)


def arguments():
    parser = argparse.ArgumentParser(description="NumPy port against the vectors")
    parser.add_argument("vectors", nargs="?", default=os.path.join(GOLDEN_TESTS, "golden", "v1"))
    parser.add_argument("--json", metavar="FILE", help="write a result file (dhsa-golden-result/1)")
    parser.add_argument("--case", metavar="ID", help="only this case (family/stage/case, or the end of it)")
    parser.add_argument("--stage", metavar="SLUG", help="only this stage")
    parser.add_argument("--recordings", metavar="DIR", nargs="?", const=os.path.join(GOLDEN_TESTS, "recordings"),
                        help="check the recordings of the official code instead")
    parser.add_argument("--mutant", metavar="ID", default=os.environ.get("DHSA_MUTANT") or None,
                        help="with a known bug built in (list: python3 mutants.py)")
    return parser.parse_args()


def check_case(case):
    """-> [(tensor, entry, comparison result)] in walking order"""
    import comparison
    import contract
    inputs, expected = case.inputs(), case.expected()
    case.check_diagnoses()
    actual = contract.run(case.slug, inputs, case.config)
    known = {**inputs, **expected, "__inputs__": set(inputs)}
    entries = sorted(case.json["expected"].items(), key=lambda item: item[1].get("order", 0))
    return [(name, entry, comparison.compare(name, entry, actual.get(name), expected[name], known))
            for name, entry in entries]


def case_record(case, outcomes):
    """An entry of the result file."""
    worst = max((r.error for _, _, r in outcomes), default=0.0)
    first = next(((n, e, r) for n, e, r in outcomes if r.verdict == "fail"), None)
    near = any(r.verdict == "near-tie" for _, _, r in outcomes)
    record = {"id": case.id, "verdict": "fail" if first else "near-tie" if near else "pass", "firstDivergence": None,
              "diagnosis": [], "metrics": {"maxRel": worst if worst != float("inf") else None}}
    if first:
        name, entry, r = first
        record["firstDivergence"] = {"stage": entry.get("stage", case.slug), "layer": entry.get("layer", -1),
                                     "tensor": name, "index": list(r.index) if r.index is not None else None,
                                     "message": r.message}
    return record


def run_vectors(options):
    import contract
    import vectors
    folders = vectors.find(options.vectors)
    files = vectors.check_manifest(options.vectors)
    stages, records, tensors = {}, [], 0
    for number, folder in enumerate(folders):
        case = vectors.Case(folder)
        if options.case and not (case.id == options.case or case.id.endswith("/" + options.case)):
            continue
        if options.stage and case.slug != options.stage:
            continue
        if sys.stderr.isatty():
            print(f"\r{number + 1}/{len(folders)} {case.id}\033[K", end="", file=sys.stderr)
        row = stages.setdefault(case.row, {"cases": 0, "tensors": 0, "pass": 0, "near-tie": 0, "fail": 0, "not-covered": 0,
                                           "worst": 0.0})
        row["cases"] += 1
        try:
            outcomes = check_case(case)
        except contract.NotCovered:
            row["not-covered"] += 1
            records.append({"id": case.id, "verdict": "not-covered", "firstDivergence": None, "diagnosis": [], "metrics": {},
                            "level": case.json.get("level")})
            continue
        except (KeyError, ValueError, IndexError, TypeError, AttributeError, ZeroDivisionError) as error:
            if options.mutant is None:
                raise vectors.Broken(f"{case.id}: {type(error).__name__}: {error}; case.json does not fit the contract "
                                     "of its stage") from error
            # a mutant that stumbles is found
            outcomes = [("", {"stage": case.slug}, SimpleNamespace(
                verdict="fail", error=float("inf"), index=None, message=f"{type(error).__name__}: {error}"))]
        record = case_record(case, outcomes)
        record["level"] = case.json.get("level")
        records.append(record)
        tensors += len(outcomes)
        row["tensors"] += len(outcomes)
        row[record["verdict"]] += 1
        row["worst"] = max(row["worst"], max((r.error for _, _, r in outcomes), default=0.0))
        if record["firstDivergence"]:
            first = record["firstDivergence"]
            print(f"{case.id}: {first['tensor']} {first['index'] or ''}: {first['message']}", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    if not records:
        raise vectors.Broken(f"{options.vectors}: no case fits --case {options.case} --stage {options.stage}")
    print(f"{'stage':26} {'cases':>5} {'tensors':>7} {'pass':>5} {'near-tie':>8} {'fail':>5}  worst relative error")
    for slug, row in sorted(stages.items()):
        print(f"{slug:26} {row['cases']:5} {row['tensors']:7} {row['pass']:5} {row['near-tie']:8} {row['fail']:5}  "
              f"{row['worst']:.3g}")
    failed = sum(1 for record in records if record["verdict"] == "fail")
    uncovered = sum(1 for record in records if record["verdict"] == "not-covered")
    if uncovered == len(records):
        raise vectors.Broken(f"{options.vectors}: the port computes none of these cases, nothing was compared")
    if uncovered:
        print("not covered: " + ", ".join(f"{slug} {row['not-covered']}" for slug, row in sorted(stages.items())
                                          if row["not-covered"]))
    print(f"{len(records)} cases, {tensors} tensors, {files} files of the manifest: "
          + (f"{failed} cases differ" if failed else "all agree"))
    return records, failed


def run_recordings(options):
    import recordings
    rows = recordings.run(options.recordings)
    for name, verdict, worst, messages in rows:
        if verdict != "not-covered":
            print(f"{name:32} {verdict:5} {worst:.3g} {'; '.join(messages)}")
    counts = {v: sum(1 for row in rows if row[1] == v) for v in ("pass", "fail", "not-covered")}
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    if counts["pass"] + counts["fail"] == 0:
        import vectors
        raise vectors.Broken(f"{options.recordings}: no recording that the port covers")
    records = [{"id": name, "verdict": verdict, "firstDivergence": None, "diagnosis": [],
                "metrics": {"maxAbs": worst}} for name, verdict, worst, _ in rows]
    return records, counts["fail"]


def vectors_version(root):
    try:
        with open(os.path.join(root, "manifest.json"), encoding="utf-8") as file:
            return json.load(file).get("version")
    except (OSError, ValueError):
        return None


def write_result(path, records, options):
    import numpy
    levels = {level: {"pass": 0, "fail": 0, "notCovered": 0} for level in LEVELS}
    for record in records:
        level = record.pop("level", None)
        if level in levels:
            kind = {"fail": "fail", "not-covered": "notCovered"}.get(record["verdict"], "pass")
            levels[level][kind] += 1
    document = {"schema": "dhsa-golden-result/1", "vectors": vectors_version(options.vectors),
                "implementation": {"name": "numpy-port", "version": "1", "backend": "numpy", "device": "cpu"},
                "environment": {"python": platform.python_version(), "numpy": numpy.__version__,
                                "mutant": options.mutant},
                "cases": records, "levels": levels}
    partial = f"{path}.partial"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
    os.replace(partial, path)


def main():
    options = arguments()
    try:
        if options.mutant:
            mutants.install(options.mutant)
            # a mutant may divide by zero: that is its result, not news
            warnings.simplefilter("ignore", RuntimeWarning)
        import safetensors_io
        import vectors
    except (mutants.UnknownMutant, ImportError) as error:
        print(f"{error}" + ("; install it: python3 -m pip install numpy" if isinstance(error, ImportError) else ""),
              file=sys.stderr)
        return 2
    try:
        records, failed = run_recordings(options) if options.recordings else run_vectors(options)
        if options.json:
            write_result(options.json, records, options)
    except (vectors.Broken, safetensors_io.FormatError, OSError) as error:
        print(f"broken input: {error}", file=sys.stderr)
        return 2
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
