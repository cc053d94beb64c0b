"""Budgeted top-k: which keys a query block may read. Equal scores: lowest position first.

Forced keys are inside the budget: the block's own positions, the tokens before it, the first allowed ones. The rest
goes to the highest scores among the other allowed keys. The quirks are those of the authors' code.
"""
from types import SimpleNamespace

import numpy as np

from stages import quirks as q


def best(scores, pool, count):
    """`count` keys of the pool: score falling, then position rising, NaN last. -> (positions, threshold, margin)

    threshold: the lowest score taken (NaN if none was); margin: threshold minus the best score left out, +inf where
    nothing is left out or nothing was taken. Margin 0 is a tie at the cut.
    """
    pool = np.asarray(pool, dtype=np.int64)
    order = pool[np.lexsort((pool, -scores[pool]))]
    taken, left = order[:count], order[count:]
    threshold = scores[taken[-1]] if len(taken) else np.nan
    margin = threshold - scores[left[0]] if len(taken) and len(left) else np.inf
    return taken, threshold, margin


def allowed_range(block, length, window, quirks):
    """-> [low, high) of the keys that the block may read"""
    start, end, nominal, _ = (int(x) for x in block)
    high = min(length, nominal if q.ALLOWED_TO_FULL_BLOCK in quirks else end)
    if window is None:
        return 0, high
    if q.WINDOW_FROM_BLOCK_END in quirks:
        return max(0, nominal - window), high
    oldest = start - window if q.WINDOW_PLUS_ONE in quirks else start - window + 1
    return max(0, oldest), high


def right_of_way(block, low, high, local_tokens, global_tokens, quirks):
    """The keys that are kept whatever their score, in order."""
    start, end = int(block[0]), int(block[1])
    if q.LOCAL_TOKENS_AT_BLOCK_END in quirks:
        wanted = list(range(high - 1, high - 1 - local_tokens, -1))
    else:
        wanted = list(range(start, end)) + list(range(start - 1, start - 1 - local_tokens, -1))
    if q.GLOBAL_TOKENS_SPLICED not in quirks:
        wanted += list(range(low, low + global_tokens))
    return wanted


def forced_keys(wanted, low, high, cut):
    """Only allowed ones, each once, at most `cut`: forced keys are inside the budget."""
    out = []
    for key in wanted:
        if len(out) >= cut:
            break
        if low <= key < high and key not in out:
            out.append(key)
    return out


def effective_budget(budget, length, window, quirks):
    if window is not None and q.BUDGET_CUT_TO_WINDOW in quirks:
        return min(budget, length, window)
    return min(budget, length)


def splice_global(keys, block, length, window, global_tokens):
    """The first entries of the sorted list become the oldest keys of the window, none beyond the block's last key."""
    out = keys.copy()
    count = min(global_tokens, len(out))
    first = 0 if window is None else max(0, int(block[0]) - window)
    out[:count] = np.minimum(np.arange(first, first + count), min(length, int(block[2])) - 1)
    return out


def select(scores, block, window, budget, local_tokens, global_tokens, quirks=frozenset()):
    """One block. scores [keyLen] -> namespace: keys (as read), plain (before the splice), forced, low, high,
    threshold, margin"""
    length = len(scores)
    cut = effective_budget(budget, length, window, quirks)
    low, high = allowed_range(block, length, window, quirks)
    forced = forced_keys(right_of_way(block, low, high, local_tokens, global_tokens, quirks), low, high, cut)
    taken_already = set(forced)
    pool = [key for key in range(low, high) if key not in taken_already]
    taken, threshold, margin = best(scores, pool, max(0, cut - len(forced)))
    keys = np.array(sorted(forced + taken.tolist()), dtype=np.int64)
    if q.PADDED_WITH_LAST_KEY in quirks and len(keys) < cut:
        filler = length - 1 if high > low else 0
        keys = np.concatenate([keys, np.full(cut - len(keys), filler, dtype=np.int64)])
    plain = keys
    if q.GLOBAL_TOKENS_SPLICED in quirks:
        keys = splice_global(keys, block, length, window, global_tokens)
    return SimpleNamespace(keys=keys, plain=plain, forced=sorted(forced), low=low, high=high,
                           threshold=threshold, margin=margin)


def top_k_selection(token_scores, blocks, window, budget, local_tokens, global_tokens, quirks=frozenset()):
    """tokenScores [segments, keyLen], blocks [queryBlocks, 4] -> one selection per block"""
    return [select(token_scores[block[3]], block, window, budget, local_tokens, global_tokens, quirks)
            for block in blocks]
