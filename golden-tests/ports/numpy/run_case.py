#!/usr/bin/env python3
"""One case folder in, one safetensors file out: the protocol of `dhsa golden check --exec`.

  python3 run_case.py CASE_FOLDER OUT_FILE [--mutant ID]

Reads case.json and the inputs (or builds them from their seeds), computes every expected tensor, writes them under the
same names. Exit 2 and no file if the case is broken, 3 if the port does not compute it.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import mutants  # noqa: E402


def main(arguments):
    mutant = os.environ.get("DHSA_MUTANT") or None
    if "--mutant" in arguments:
        at = arguments.index("--mutant")
        mutant = arguments[at + 1] if at + 1 < len(arguments) else ""
        arguments = arguments[:at] + arguments[at + 2:]
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        if mutant is not None:
            mutants.install(mutant)
        import contract
        import safetensors_io
        import vectors
    except (mutants.UnknownMutant, ImportError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        case = vectors.Case(arguments[0])
        outputs = contract.run(case.slug, case.inputs(), case.config)
        wanted = {name: outputs[name] for name in case.json["expected"] if name in outputs}
        safetensors_io.write(arguments[1], wanted)
    except contract.NotCovered as reason:
        print(f"{arguments[0]}: {reason}", file=sys.stderr)
        return 3
    except (vectors.Broken, safetensors_io.FormatError, OSError, KeyError, ValueError, IndexError, TypeError) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
