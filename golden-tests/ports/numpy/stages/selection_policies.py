"""Selection policies: which keys the rows of a layer may read, by other rules than DHSA's, and DHSA with its ablations.

A policy is a class with `select(layer)`. It gives lists in order, head by head where heads choose for themselves, or None
where all rows attend densely. `Layer` is what it may look at: the prompt whole, later one token at a time.
"""
from types import SimpleNamespace

import numpy as np

from stages import (chunk_representation, dense_attention, dhsa_attention, generation, labels, non_maximum_suppression,
                    query_blocks, quirks as q, sparse_attention, top_k_selection, upsampling)

ALL_HEADS = -1


class Layer:
    """query [heads, rows, headDim] from position `start` on, key and value [kvHeads, ...] from `key_start` on."""

    def __init__(self, query, key, value, start, key_start, rule, dense_from, decoding):
        self.query, self.key, self.value = query, key, value
        self.start, self.key_start, self.end = start, key_start, start + query.shape[1]
        self.rule, self.window, self.dense_from, self.decoding = rule, rule.window, dense_from, decoding

    def heads(self):
        return self.query.shape[0]

    def key_head(self, head):
        return head // (self.query.shape[0] // self.key.shape[0])

    def first(self, position):
        """The oldest key that a row sees and that the cache still has."""
        return max(self.key_start, 0 if self.window is None else position - self.window + 1)

    def blocks(self, size):
        if self.decoding:
            return [(self.start, self.start + 1)]
        return [(a, min(a + size, self.dense_from)) for a in range(self.start, self.dense_from, size)]

    def groups(self, shared):
        """What chooses together: (head as published, its query heads)."""
        everyone = list(range(self.heads()))
        return [(ALL_HEADS, everyone)] if shared or len(everyone) == 1 else [(h, [h]) for h in everyone]


def chosen(head, block, keys, threshold=np.nan, margin=np.inf, tied=()):
    return SimpleNamespace(head=head, start=block[0], end=block[1], keys=[int(k) for k in keys], threshold=threshold,
                           margin=margin, tied=[int(k) for k in tied])


def ranked(scores, count):
    """Places of the best `count` scores, the lower place first among equals -> (places ascending, threshold, margin, tied)"""
    scores = np.asarray(scores, dtype=np.float64)
    count = min(count, len(scores))
    if count <= 0:
        return [], np.nan, np.inf, []
    order = sorted(range(len(scores)), key=lambda j: (-scores[j], j))
    threshold = scores[order[count - 1]]
    margin = threshold - scores[order[count]] if count < len(order) else np.inf
    tied = [j for j in range(len(scores)) if scores[j] == threshold] if margin == 0 else []
    return sorted(order[:count]), threshold, margin, tied


def row_logits(layer, head, position):
    """Capped logits of the keys that a row sees, the oldest first."""
    first = layer.first(position)
    keys = layer.key[layer.key_head(head), first - layer.key_start:position + 1 - layer.key_start]
    # a sum for each key alone: equal keys must score the same to the last bit
    dots = np.sum(keys * layer.query[head, position - layer.start], axis=1)
    return dense_attention.soft_cap(dots * layer.rule.scale, layer.rule.cap)


def softmax(x):
    terms = np.exp(x - np.max(x))
    return terms / np.sum(terms)


class Dense:
    def __init__(self, parameters, resources):
        pass

    def select(self, layer):
        return None


class Streaming:
    """The first `sinks` keys and the last `window`; rows of a block share the list of the first one."""

    def __init__(self, parameters, resources):
        self.sinks, self.window, self.block = parameters.get("sinks", 0), parameters["window"], parameters["block"]

    def select(self, layer):
        lists = []
        for a, b in layer.blocks(self.block):
            seen = range(layer.first(a), b)
            lists.append(chosen(ALL_HEADS, (a, b), [j for j in seen if j < self.sinks or j > a - self.window]))
        return lists


class BlockTopK:
    """Own block, and the best earlier blocks by the dot product of mean query and mean key."""

    def __init__(self, parameters, resources):
        self.block, self.budget = parameters["block"], parameters["budget"]
        self.shared = parameters["heads"] == "shared"

    def select(self, layer):
        lists = []
        for name, heads in layer.groups(self.shared):
            queries = np.mean(layer.query[heads], axis=0)
            keys = np.mean(layer.key if self.shared else layer.key[[layer.key_head(heads[0])]], axis=0)
            for a, b in layer.blocks(self.block):
                mean = np.mean(queries[a - layer.start:b - layer.start], axis=0)
                own, oldest = a // self.block, layer.first(a) // self.block
                scores = [np.sum(mean * self._mean_key(keys, layer, u)) for u in range(oldest, own)]
                places, threshold, margin, tied = ranked(scores, max(1, self.budget // self.block) - 1)
                listed = [j for u in [oldest + p for p in places] + [own] for j in self._visible(layer, u, a, b)]
                lists.append(chosen(name, (a, b), listed, threshold, margin,
                                    [j for p in tied for j in self._visible(layer, oldest + p, a, b)]))
        return lists

    def _mean_key(self, keys, layer, unit):
        low = max(layer.key_start, unit * self.block)
        high = min(layer.end, (unit + 1) * self.block)
        return np.mean(keys[low - layer.key_start:high - layer.key_start], axis=0)

    def _visible(self, layer, unit, a, b):
        return range(max(layer.first(a), unit * self.block), min(b, (unit + 1) * self.block))


class Oracle:
    """The keys with the most true attention weight, added up over the rows and heads that share a list."""

    def __init__(self, parameters, resources):
        self.block, self.shared = parameters.get("block", 1), parameters["heads"] == "shared"
        self.budget, self.mass = parameters.get("budget"), parameters.get("mass")

    def select(self, layer):
        lists = []
        for name, heads in layer.groups(self.shared):
            for a, b in layer.blocks(self.block):
                first = layer.first(a)
                received = np.zeros(b - first)
                for head in heads:
                    for position in range(a, b):
                        low = layer.first(position) - first
                        received[low:position + 1 - first] += softmax(row_logits(layer, head, position))
                count = self.budget if self.mass is None else self._enough(received)
                places, threshold, margin, tied = ranked(received, count)
                lists.append(chosen(name, (a, b), [first + p for p in places], threshold, margin, [first + p for p in tied]))
        return lists

    def _enough(self, received):
        """The fewest keys that hold the mass, one at least."""
        if self.mass == 1:
            return len(received)
        wanted, held, count = self.mass * float(np.sum(np.sort(received))), 0.0, 0
        for weight in sorted(received, reverse=True):
            if count > 0 and held >= wanted:
                break
            held, count = held + weight, count + 1
        return count


class PromptCache:
    """Keys of the prompt that are kept once it is read; every token after it is kept too."""

    def __init__(self, parameters, resources):
        self.parameters, self.budget = parameters, parameters["budget"]
        self.layer, self.layers = resources.layer, resources.layers
        self.kept, self.length = None, None

    def select(self, layer):
        if not layer.decoding:
            self.length = layer.end
            whole = self.length <= self.budget
            self.kept = [(ALL_HEADS, range(self.length))] if whole else self.keep(layer)
            return None
        block = (layer.start, layer.end)
        oldest = layer.first(layer.start)
        return [chosen(name, block, [j for j in [*kept, *range(self.length, layer.end)] if j >= oldest])
                for name, kept in self.kept]

    def keep(self, layer):
        raise NotImplementedError

    def received(self, layer, window):
        """[heads, past]: plain softmax weights (no cap, no window) from the last `window` queries."""
        past = self.length - window
        out = np.zeros((layer.heads(), past))
        for head in range(layer.heads()):
            keys = layer.key[layer.key_head(head)]
            for row in range(past, self.length):
                dots = np.sum(keys[:row + 1] * layer.query[head, row], axis=1) / np.sqrt(np.float64(keys.shape[1]))
                out[head] += softmax(dots)[:past]
        return out

    def with_window(self, scores, count, window):
        total = np.zeros(scores.shape[1])
        for row in scores:
            total += row
        return [*ranked(total, count)[0], *range(self.length - window, self.length)]


class H2o(PromptCache):
    def keep(self, layer):
        window = self.parameters["window"]
        return [(ALL_HEADS, self.with_window(self.received(layer, window), self.budget - window, window))]


class StreamingCache(PromptCache):
    def keep(self, layer):
        sinks = self.parameters["sinks"]
        return [(ALL_HEADS, [*range(sinks), *range(self.length - self.budget + sinks, self.length)])]


def smoothed(scores, kernel):
    """Mean over `kernel` neighbouring positions, those outside counted as zeros."""
    half, length = kernel // 2, scores.shape[1]
    out = np.zeros(scores.shape)
    for j in range(length):
        for n in range(max(0, j - half), min(length, j + half + 1)):
            out[:, j] += scores[:, n]
    return out / kernel


class PyramidKv(PromptCache):
    def keep(self, layer):
        window = self.parameters["window"]
        scores = smoothed(self.received(layer, window), self.parameters["kernel"])
        return [(ALL_HEADS, self.with_window(scores, self.past_keys(window), window))]

    def past_keys(self, window):
        """Past keys of this layer: the first keeps the most, the last the least."""
        base = self.budget - window
        if self.length < 2 * base or self.layers == 1:
            return base
        least = base // self.parameters["beta"]
        most = 2 * base - least
        if most >= self.length - window:
            most = self.length - window
            least = 2 * base - most
        return most - self.layer * ((most - least) // (self.layers - 1))


class SnapKv(PromptCache):
    def keep(self, layer):
        window = self.parameters["window"]
        scores = smoothed(self.received(layer, window), self.parameters["kernel"])
        kept = []
        for head in range(layer.heads()):
            group = [h for h in range(layer.heads()) if layer.key_head(h) == layer.key_head(head)]
            kept.append((head if layer.heads() > 1 else ALL_HEADS, self.with_window(scores[group], self.budget - window, window)))
        return kept


class Dhsa:
    """DHSA with its ablations; with predicted chunks, mean-sqrt and shared heads it is DHSA itself."""

    QUERY_POOLING = {"mean-sqrt": "avgpool_norm", "max-on-queries": "maxpool"}
    KEY_POOLING = {"mean-sqrt": "avgpool_norm", "max": "maxpool"}

    def __init__(self, parameters, resources):
        self.p, self.resources = parameters, resources
        theta = None if parameters["theta"] == "none" else parameters["theta"]
        self.shared = parameters["heads"] == "shared"
        self.settings = dhsa_attention.settings(
            block_size=parameters["block"], budget=parameters["budget"], local_tokens=parameters["local"],
            global_tokens=parameters["sinks"], instruction_tokens=None, theta=theta, nms_window=parameters["nms"],
            chunk_beta=parameters["beta"], w=resources.w, predictor_heads=resources.predictor_heads,
            quirks=q.ALL if parameters["profile"] == "upstream" else ())
        self.boundaries, self.keys, self.length = None, None, None

    def rule(self, rule, decoding):
        """How the layer attends: two of the authors' quirks change it."""
        extra = rule.window is not None and not decoding and q.WINDOW_PLUS_ONE in self.settings.quirks
        cap = dhsa_attention.layer_cap(rule.cap, self.settings)
        return SimpleNamespace(scale=rule.scale, cap=cap, window=rule.window + 1 if extra else rule.window)

    def select(self, layer):
        s = self.settings
        if layer.decoding:
            self._grow(layer)
            segments, block_rows, padding = np.array([0, 1]), [(layer.start, layer.end, layer.end, 0)], 0
            rules = frozenset()
        else:
            tail = layer.end - layer.dense_from
            s.instruction_tokens = tail or None
            self.length, self.keys, self.boundaries = layer.end, layer.key, self._prompt(layer)
            chunking = "dynamic-chunks" if self.p["queries"] == "chunks" else "fixed-blocks"
            segments = query_blocks.query_segments(self.boundaries, layer.dense_from, s.block_size, chunking)
            block_rows = query_blocks.query_blocks(segments, s.block_size, chunking)
            padding = s.block_size if chunking == "fixed-blocks" and q.PADDED_QUERY_BLOCK in s.quirks else 0
            rules = s.quirks
        lists = []
        for name, heads in layer.groups(self.shared):
            query = layer.query[heads]
            key = self.keys if self.shared else self.keys[[layer.key_head(heads[0])]]
            scores = upsampling.upsampling(self._scores(query, key, segments, padding), self.boundaries)
            for row in block_rows:
                one = top_k_selection.select(scores[row[3]], row, self.resources.window, s.budget, s.local_tokens,
                                             s.global_tokens, rules)
                pool = [j for j in range(one.low, one.high) if j not in one.forced] if one.margin == 0 else []
                tied = [j for j in pool if scores[row[3]][j] == one.threshold]
                lists.append(chosen(name, (int(row[0]), int(row[1])), one.keys, one.threshold, one.margin, tied))
        return lists

    def _scores(self, query, key, segments, padding):
        kind = self.p["aggregation"]
        rows = chunk_representation.chunk_representation(query, segments, self.QUERY_POOLING.get(kind, "avgpool"), padding)
        if kind == "min-max":
            mean, pairs = chunk_representation.head_mean(key), list(zip(self.boundaries, self.boundaries[1:]))
            low = np.array([np.min(mean[a:b], axis=0) for a, b in pairs])
            high = np.array([np.max(mean[a:b], axis=0) for a, b in pairs])
            return np.sum(np.maximum(rows[:, None] * low, rows[:, None] * high), axis=-1)
        chunks = chunk_representation.chunk_representation(key, self.boundaries, self.KEY_POOLING.get(kind, "avgpool"))
        if kind == "sum":
            chunks = chunks * np.diff(self.boundaries)[:, None]
        return np.sum(rows[:, None] * chunks, axis=-1)

    def _prompt(self, layer):
        kind, length, s = self.p["chunking"], layer.end, self.settings
        if kind == "predicted":
            return dhsa_attention.predict_boundaries(layer.key, self.resources.predictor, s).boundaries
        if kind.startswith("fixed-"):
            return np.array([*range(0, length, int(kind[6:])), length], dtype=np.int64)
        if kind == "sentences":
            ends = [p for p in range(length - 1) if int(self.resources.ids[p]) in self.resources.sentence_ends]
            return np.array([0, *(p + 1 for p in ends), length], dtype=np.int64)
        if kind == "labels":
            attention = np.zeros((length, length))
            for head in range(layer.heads()):
                for row in range(length):
                    first = layer.first(row)
                    attention[row, first:row + 1] += softmax(row_logits(layer, head, row)) / layer.heads()
            ratios = labels.mass_ratio(attention, 4, self.resources.window, smooth=True)
            budget = non_maximum_suppression.chunk_budget(length, s.block_size, s.chunk_beta)
            return non_maximum_suppression.boundaries_of(
                non_maximum_suppression.accept(ratios, s.theta, s.nms_window, budget, None), length)
        return None

    def _grow(self, layer):
        self.keys = np.concatenate([self.keys, layer.key[:, -1:]], axis=1)
        self.boundaries = generation.grow(self.boundaries, layer.end)
        kind = self.p["chunking"]
        if kind == "predicted":
            cache = SimpleNamespace(k=layer.key)
            self.boundaries = generation.close(self.boundaries, cache, self.length, self.resources.predictor, self.settings)
        elif kind.startswith("fixed-"):
            full = int(self.boundaries[-2]) + int(kind[6:])
            if layer.end > full:
                self.boundaries = np.append(self.boundaries[:-1], [full, layer.end])


POLICIES = {"dense": Dense, "sliding": Streaming, "streaming": Streaming, "block-topk": BlockTopK, "dhsa": Dhsa,
            "oracle-row": Oracle, "oracle-block": Oracle, "oracle-topp": Oracle, "h2o": H2o,
            "streaming-cache": StreamingCache, "pyramidkv": PyramidKv, "snapkv": SnapKv}


def covered(name, parameters):
    """Random chunks are drawn by a generator of the Java library."""
    return name in POLICIES and parameters.get("chunking") != "random"


def attend(layer, lists, rule):
    """-> (context [heads, rows, headDim], pairs read)"""
    out, pairs = np.zeros(layer.query.shape), 0
    for head in range(layer.heads()):
        here = slice(layer.key_head(head), layer.key_head(head) + 1)
        mine = [x for x in lists or [] if x.head in (ALL_HEADS, head)]
        dense_from = layer.start if lists is None else layer.dense_from
        out[head] = sparse_attention.sparse_attention(
            layer.query[head:head + 1], layer.key[here], layer.value[here], [(x.start, x.end) for x in mine],
            [[k for k in x.keys if k >= layer.key_start] for x in mine], rule.scale, rule.cap, rule.window, layer.start,
            layer.key_start, dense_from)[0]
        for x in mine:
            pairs += sum(np.count_nonzero(dense_attention.visible([row], x.keys, rule.window)) for row in range(x.start, x.end))
        seen = np.arange(layer.key_start, layer.end)
        pairs += sum(np.count_nonzero(dense_attention.visible([row], seen, rule.window)) for row in range(dense_from, layer.end))
    return out, pairs


def run(name, parameters, resources, query, key, value, prompt, tail, rule):
    """The prompt at once, then row by row; a local layer's cache forgets all but its last `window` rows.

    -> (lists in order, pairs of every pass, context)"""
    policy = POLICIES[name](parameters, resources)
    lists, pairs, context = [], [], []
    start, key_start = 0, 0
    while start < query.shape[1]:
        end = prompt if start == 0 else start + 1
        here = policy.rule(rule, start > 0) if hasattr(policy, "rule") else rule
        layer = Layer(query[:, start:end], key[:, key_start:end], value[:, key_start:end], start, key_start, here,
                      max(0, prompt - tail) if start == 0 else end, start > 0)
        if resources.choosing is not None:
            q, k = resources.choosing
            layer.choosing = Layer(q[:, start:end], k[:, key_start:end], None, start, key_start, here, layer.dense_from, start > 0)
        found = policy.select(layer)
        rows, read = attend(layer, found, here)
        lists += found or []
        pairs.append(read)
        context.append(rows)
        key_start = key_start if rule.window is None else max(0, end - rule.window)
        start = end
    return lists, pairs, np.concatenate(context, axis=1)
