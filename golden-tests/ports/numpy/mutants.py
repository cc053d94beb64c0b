#!/usr/bin/env python3
"""Mistakes that can be put into this port, one at a time: `check.py --mutant ID`, or DHSA_MUTANT=ID.

A mutant changes the text of stage files while they are loaded; no file is written. Each change must fit exactly once
(`python3 mutants.py --self-check`), so that a mutant never turns into a no-op unseen. `bug` names the bug of
docs/bugs.md that the mutant is; null: a systematic change (a comparison flipped, an index shifted, axes swapped, a
term dropped, a wrong type).

  python3 mutants.py [--json]
"""
import importlib.abc
import importlib.util
import json
import os
import sys

import mutant_table
import mutant_table_policies  # noqa: F401  adds its mutants to the table

STAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stages")


class UnknownMutant(Exception):
    """Names the mutant and where the list is."""


def all_mutants():
    """{id: Mutant}"""
    out = {}
    for mutant in mutant_table.MUTANTS:
        if mutant.id in out:
            raise ValueError(f"mutant {mutant.id} stands twice")
        out[mutant.id] = mutant
    return out


def source_of(module):
    with open(os.path.join(STAGES, module + ".py"), encoding="utf-8") as file:
        return file.read()


def changed(source, edits, mutant, module):
    for old, new in edits:
        if source.count(old) != 1:
            raise ValueError(f"mutant {mutant}: {old!r} stands {source.count(old)} times in stages/{module}.py, must be once")
        source = source.replace(old, new)
    return source


class _Loader(importlib.abc.Loader):
    def __init__(self, path, source):
        self.path, self.source = path, source

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(self.source, self.path, "exec"), module.__dict__)


class _Finder(importlib.abc.MetaPathFinder):
    """Gives the changed text of the mutated modules; all others come from their files."""

    def __init__(self, sources):
        self.sources = sources

    def find_spec(self, name, path, target=None):
        if name not in self.sources:
            return None
        file = os.path.join(STAGES, name.partition(".")[2] + ".py")
        return importlib.util.spec_from_loader(name, _Loader(file, self.sources[name]), origin=file)


def install(name):
    """Must come before the first import of a stage."""
    table = all_mutants()
    if name not in table:
        raise UnknownMutant(f"mutant {name!r} is not known; the list: python3 mutants.py")
    if any(module.startswith("stages.") for module in sys.modules):
        raise RuntimeError("a stage is loaded already: the mutant would come too late")
    mutant = table[name]
    sources = {f"stages.{module}": changed(source_of(module), edits, name, module)
               for module, edits in mutant.edits.items()}
    sys.meta_path.insert(0, _Finder(sources))


def self_check():
    for mutant in all_mutants().values():
        for module, edits in mutant.edits.items():
            text = changed(source_of(module), edits, mutant.id, module)
            compile(text, module, "exec")
            if text == source_of(module):
                raise ValueError(f"mutant {mutant.id} changes nothing")


def main():
    self_check()
    table = all_mutants().values()
    if "--json" in sys.argv:
        print(json.dumps([{"id": m.id, "stage": m.stage, "kind": m.kind, "bug": m.bug, "equivalent": m.equivalent}
                          for m in table], indent=1))
    elif "--self-check" not in sys.argv:
        for m in table:
            print(f"{m.id:34} {m.stage:26} {m.kind:12} {m.bug or ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
