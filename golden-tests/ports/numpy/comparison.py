"""Port against vector: both are float64 of the same equations, so they agree to 1e-12 of the tensor's largest value.

Order: shape, non-finite pattern, values. Selections are compared row by row, up to ties at the cut.
"""
from types import SimpleNamespace

import numpy as np

RELATIVE = 1e-12


def result(verdict, error=0.0, index=None, message=None):
    return SimpleNamespace(verdict=verdict, error=error, index=index, message=message)


def scale_of(expected):
    finite = np.abs(expected[np.isfinite(expected)])
    return float(finite.max()) if finite.size else 0.0


def close(actual, expected):
    """`error` of the result is relative to the tensor's largest value."""
    if not np.issubdtype(actual.dtype, np.floating):
        return result("fail", message=f"dtype {actual.dtype}, a float type was expected")
    finite = np.isfinite(expected)
    same = np.where(finite, np.isfinite(actual), (actual == expected) | (np.isnan(actual) & np.isnan(expected)))
    if not np.all(same):
        index = tuple(int(i) for i in np.argwhere(~same)[0])
        return result("fail", np.inf, index, f"{actual[index]} where {expected[index]} is expected")
    error = np.zeros(expected.shape)
    np.subtract(actual, expected, out=error, where=finite)
    error = np.abs(error)
    worst, scale = float(error.max(initial=0.0)), scale_of(expected)
    relative = worst / scale if scale else (0.0 if worst == 0 else np.inf)
    if relative <= RELATIVE:
        return result("pass", relative)
    index = tuple(int(i) for i in np.unravel_index(np.argmax(error), error.shape))
    return result("fail", relative, index, f"{actual[index].item()!r}, expected {expected[index].item()!r}")


def exact(actual, expected):
    same = actual == expected
    if np.issubdtype(expected.dtype, np.floating) and np.issubdtype(actual.dtype, np.floating):
        same = same | (np.isnan(actual) & np.isnan(expected))
    if np.all(same):
        return result("pass")
    index = tuple(int(i) for i in np.argwhere(~np.asarray(same))[0])
    return result("fail", np.inf, index, f"{actual[index].item()!r}, expected {expected[index].item()!r}")


def selection(actual, expected, scores, threshold, forced, allowed, tolerance):
    """Rows of key positions padded with -1. `scores`: one row per list, or None where the case holds none."""
    verdict = "pass"
    for row in range(expected.shape[0]):
        if np.array_equal(actual[row], expected[row]):
            continue
        mine, theirs = [x for x in actual[row] if x >= 0], [x for x in expected[row] if x >= 0]
        different = set(mine) ^ set(theirs)
        tied = scores is not None and threshold is not None and len(mine) == len(theirs) and len(different) > 0
        if tied:
            for key in different:
                inside = allowed is None or allowed[row][0] <= key < allowed[row][1]
                kept = forced is not None and key in forced[row]
                if kept or not inside or not abs(scores[row][key] - threshold[row]) <= tolerance:
                    tied = False
        if not tied:
            return result("fail", np.inf, (row,), f"keys {mine}, expected {theirs}")
        verdict = "near-tie"
    return result(verdict)


def compare(name, entry, actual, expected, known):
    """`known`: all other tensors of the case (inputs and expected), for the scores of a selection."""
    if actual is None:
        if entry.get("required") is False:
            return result("absent")
        return result("fail", np.inf, None, "the port does not give this tensor")
    if tuple(actual.shape) != tuple(expected.shape):
        return result("fail", np.inf, None, f"shape {list(actual.shape)}, expected {list(expected.shape)}")
    rule = entry["comparison"]
    if rule["kind"] == "continuous":
        return close(actual, expected)
    if rule["kind"] == "exact":
        return exact(actual, expected)
    if rule["kind"] == "selection":
        scores = known.get(rule.get("scores"))
        blocks = known.get(rule.get("blocks"))
        if scores is not None and blocks is not None and len(blocks) == len(expected):
            scores = scores[blocks[:, 3]]
        given = rule.get("scores") in known.get("__inputs__", ())
        tolerance = 0.0 if given or scores is None else RELATIVE * scale_of(np.asarray(scores, dtype=np.float64))
        return selection(actual, expected, scores, known.get(rule.get("threshold")), known.get(rule.get("forced")),
                         known.get(rule.get("allowed")), tolerance)
    return result("fail", np.inf, None, f"comparison {rule['kind']} is not known here")
