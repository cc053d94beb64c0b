#!/usr/bin/env python3
"""Every mistake of mutants.py, one at a time, against all vectors: which cases notice it.

  python3 mutation.py [--vectors DIR] [--markdown FILE] [--json FILE] [--only MUTANT ...]

A minute or two. Exit code: 0 every mutant is killed or proven equivalent, 1 one survives, 2 the vectors cannot be read.
"""
import argparse
import contextlib
import io
import json
import multiprocessing
import os
import sys
import types
import warnings

import numpy  # noqa: F401  loaded once, before the processes part

import check
import mutants

HERE = os.path.dirname(os.path.abspath(__file__))


def run(work):
    """-> the mutant's id and the cases that kill it, or what is wrong with the vectors"""
    name, root = work
    mutants.install(name)
    warnings.simplefilter("ignore")
    import vectors
    options = types.SimpleNamespace(vectors=root, case=None, stage=None, mutant=name)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            records, _ = check.run_vectors(options)
    except (vectors.Broken, OSError) as error:
        return name, None, str(error)
    return name, [r["id"] for r in records if r["verdict"] == "fail"], ""


def markdown(rows, cases):
    killed = sum(1 for m, by in rows if by)
    equal = sum(1 for m, by in rows if not by and m.equivalent)
    lines = [f"{cases} cases, {len(rows)} mutants: {killed} killed, {equal} equivalent, {len(rows) - killed - equal} survive.", "",
             "| mutant | stage | kind | killed by | first case |", "|---|---|---|---|---|"]
    for m, by in rows:
        bug = f"[{m.bug}](bugs.md#{m.bug}){m.id[len(m.bug):]}" if m.bug else m.id
        lines.append(f"| {bug} | {m.stage} | {m.kind} | {len(by) if by else 'equal' if m.equivalent else 'NONE'} | {'`' + by[0] + '`' if by else m.equivalent or ''} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", default=os.path.join(HERE, "..", "..", "golden", "v1"))
    parser.add_argument("--markdown")
    parser.add_argument("--json")
    parser.add_argument("--only", nargs="+")
    options = parser.parse_args()
    table = {name: m for name, m in mutants.all_mutants().items() if not options.only or name in options.only}
    if not table:
        print(f"no mutant is called {' or '.join(options.only)}; python3 mutants.py lists them", file=sys.stderr)
        return 2
    found = {}
    # a process per mutant: a module that was loaded stays as it was loaded
    with multiprocessing.get_context("fork").Pool(os.cpu_count(), maxtasksperchild=1) as pool:
        for name, by, wrong in pool.imap_unordered(run, [(name, options.vectors) for name in table], chunksize=1):
            if by is None:
                print(f"broken input: {wrong}", file=sys.stderr)
                return 2
            found[name] = by
            if sys.stderr.isatty():
                print(f"\r{len(found)} of {len(table)} mutants", end="", file=sys.stderr)
    rows = [(m, found[name]) for name, m in table.items()]
    cases = sum("case.json" in names for _, _, names in os.walk(options.vectors))
    text = markdown(rows, cases)
    print(text.split("\n", 1)[0])
    survivors = [m.id for m, by in rows if not by and not m.equivalent]
    for name in survivors:
        print(f"survives: {name}")
    if options.markdown:
        with open(options.markdown, "w", encoding="utf-8") as file:
            file.write(text)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"schema": "dhsa-mutation/1", "backend": "numpy", "cases": cases, "matrix": [
                {"mutant": m.id, "stage": m.stage, "kind": m.kind, "bug": m.bug, "equivalent": m.equivalent, "killedBy": by} for m, by in rows]}, file, indent=1)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
