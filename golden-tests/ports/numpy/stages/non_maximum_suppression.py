"""From logits to boundaries: filled ends, threshold, greedy suppression, and the +1.

An accepted position p is the last token of its chunk: the next chunk starts at p + 1. Boundaries are 0, the chunk
starts in rising order, and keyLen.
"""
import numpy as np

from stages import quirks as q

FILL = -100.0


def fill_ends(logits, w, smooth=False):
    """Positions without enough tokens on each side cannot be judged: the first m-1 and the last m become -100."""
    length = len(logits)
    margin = 2 * w if smooth else w
    out = np.array(logits, dtype=np.float64)
    out[:min(margin - 1, length)] = FILL
    out[max(0, length - margin):] = FILL
    return out


def instruction_position(length, tokens, quirks):
    """The position that is accepted before all candidates; None without an instruction."""
    if tokens is None:
        return None
    if q.INSTRUCTION_BOUNDARY_SHIFTED in quirks:
        if 0 < tokens < length or q.ZERO_INSTRUCTION_IS_ALL in quirks:
            return length - tokens
        return None
    return length - tokens - 1 if 0 < tokens < length else None


def passes(logit, theta):
    """The raw logit against theta, strictly; no threshold where theta is None."""
    return not np.isnan(logit) and (theta is None or logit > theta)


def candidates(filled, theta, quirks):
    """Positions by falling logit, equal ones lowest position first."""
    order = np.argsort(-filled, kind="stable")
    filled_too = q.FILLED_POSITIONS_ARE_CANDIDATES in quirks and theta is None
    return [int(p) for p in order if passes(filled[p], theta) and (filled_too or filled[p] > FILL)]


def suppressed(position, accepted, window):
    """An accepted neighbour at a distance of at most `window` suppresses; window 0 switches suppression off."""
    return window > 0 and any(abs(position - other) <= window for other in accepted)


def accept(filled, theta, window, budget, instruction, quirks=frozenset()):
    """-> accepted positions in the order of acceptance"""
    late = q.ONE_CANDIDATE_TOO_MANY in quirks
    accepted = [] if instruction is None else [instruction]
    ordered = candidates(filled, theta, quirks)
    if not ordered and q.NO_CANDIDATE_FAILS in quirks:
        # the authors' code returns an empty list here, and its caller fails on it
        return []
    for position in ordered:
        if not late and len(accepted) >= budget:
            break
        if instruction is not None and position > instruction:
            continue
        twice = position in accepted and q.INSTRUCTION_POSITION_TWICE not in quirks
        if not twice and not suppressed(position, accepted, window):
            accepted.append(position)
        if late and len(accepted) >= budget:
            break
    return accepted


def boundaries_of(accepted, length):
    """Accepted positions -> [0, p + 1, ..., length], rising."""
    out = [0] + [p + 1 for p in sorted(accepted) if 1 <= p + 1 <= length]
    if out[-1] != length:
        out.append(length)
    return np.array(out, dtype=np.int64)


def non_maximum_suppression(logits, w, budget, theta, window, smooth, instruction_tokens, quirks=frozenset()):
    """logits [keyLen] -> (filled, accepted ascending, boundaries)"""
    filled = fill_ends(logits, w, smooth)
    instruction = instruction_position(len(logits), instruction_tokens, quirks)
    accepted = accept(filled, theta, window, budget, instruction, quirks)
    return filled, np.array(sorted(accepted), dtype=np.int64), boundaries_of(accepted, len(logits))


def chunk_budget(length, block_size, chunk_beta):
    return length // block_size * chunk_beta
