"""Policies that decide what is kept rather than what is looked for: DELTA, the cascading cache, TCA, SparseAccelerate."""
import numpy as np

from stages import published_policies as published, selection_policies as base


class SubCache:
    def __init__(self, size):
        self.size, self.held = size, []

    def full(self):
        return len(self.held) >= self.size


class CascadingCache:
    """Sub-cache i takes every 2^i-th token that reaches it; at the others the newest is fought for."""

    def __init__(self, capacity, sinks, cascades, beta):
        room = capacity - sinks
        self.sinks, self.beta, self.scores = sinks, beta, {}
        self.subs = [SubCache(room // cascades + (1 if n < room % cascades else 0)) for n in range(cascades)]
        self.first = []

    def positions(self):
        return sorted(self.first + [j for sub in self.subs for j in sub.held])

    def looked_at(self, weights):
        for j, weight in weights.items():
            self.scores[j] = self.beta * self.scores.get(j, 0.0) + (1 - self.beta) * weight

    def take(self, position):
        if position < self.sinks:
            self.first.append(position)
            return
        coming, filled = position, all(sub.full() for sub in self.subs)
        for n, sub in enumerate(self.subs):
            if not sub.full():
                sub.held.append(coming)
                return
            if not filled or (position - self.sinks) % 2**n == 0:
                sub.held.append(coming)
                coming = sub.held.pop(0)
            else:
                if self.scores[coming] >= self.scores[sub.held[-1]]:
                    sub.held[-1] = coming
                return


class Cascade:
    def __init__(self, parameters, resources):
        self.p = parameters

    def select(self, layer):
        p = self.p
        if not layer.decoding:
            self.caches = [CascadingCache(p["budget"], p["sinks"], p["cascades"], p["beta"]) for _ in layer.key]
        lists = []
        for g, cache in enumerate(self.caches):
            heads = [h for h in range(layer.heads()) if layer.key_head(h) == g]
            lists.append([self._stride(layer, heads, cache, a, b) for a, b in layer.blocks(p["stride"])])
            if not layer.decoding:
                for a in range(layer.dense_from, layer.end, p["stride"]):
                    self._stride(layer, heads, cache, a, min(a + p["stride"], layer.end))
        return [base.chosen(name, block, keys) for name, head in published.heads_of(layer)
                for block, keys in zip(layer.blocks(p["stride"]), lists[layer.key_head(head)])]

    @staticmethod
    def _stride(layer, heads, cache, a, b):
        held = cache.positions()
        for i in range(a, b):
            keys = [j for j in [*held, *range(a, i + 1)] if j >= layer.first(i)]
            weights = [base.softmax(base.row_logits(layer, h, i)[np.array(keys) - layer.first(i)]) for h in heads]
            cache.looked_at(dict(zip(keys, np.mean(weights, axis=0))))
        for i in range(a, b):
            cache.take(i)
        return [j for j in [*held, *range(a, b)] if j >= layer.first(a)]


class Delta:
    """A sparse layer reads the pages that another layer chose; queries and keys of that one are among the inputs."""

    def __init__(self, parameters, resources):
        self.p, self.chooser = parameters, self._chooser(parameters, resources)
        if self.chooser != resources.choosing_layer:
            raise ValueError(f"layer {self.chooser} chooses for layer {resources.layer}, states are given of {resources.choosing_layer}")

    @staticmethod
    def _chooser(p, resources):
        """The layer that chooses for this one, None if it is dense: of its kind, the first from the last rise on, and before it."""
        layers, dense = resources.layers, p["dense-layers"]
        if p["deltas"] == "spread":
            deltas = {dense + n * max(0, layers - dense) // 3 for n in range(3)}
        else:
            deltas = {int(x) for x in str(p["deltas"]).split("+")}
        choosers = [d if d % 2 == resources.layer % 2 else d + 1 for d in sorted(deltas)]
        before = [c for c in choosers if c <= resources.layer]
        return before[-1] if before and before[-1] < resources.layer else None

    def select(self, layer):
        if self.chooser is None or not layer.decoding and self.p["prompt"] == "dense":
            return None
        return [self._row(layer.choosing, i) for i, _ in layer.blocks(1)]

    def _row(self, layer, i):
        first, page, own = layer.first(i), self.p["page"], i // self.p["page"]
        if self.p["budget"] >= i - first + 1:
            return base.chosen(base.ALL_HEADS, (i, i + 1), range(first, i + 1))
        worth = np.max([base.softmax(base.row_logits(layer, h, i)) for h in range(layer.heads())], axis=0)
        count, old = max(1, self.p["budget"] // page), first // page
        recent = max(old, own + 1 - min(self.p["recent"], count))
        sums = [np.sum(worth[max(0, u * page - first):(u + 1) * page - first]) for u in range(old, recent)]
        places, threshold, margin, _ = base.ranked(sums, count - (own + 1 - recent))
        kept = {old + n for n in places} | set(range(recent, own + 1))
        return base.chosen(base.ALL_HEADS, (i, i + 1), [j for j in range(first, i + 1) if j // page in kept], threshold, margin)


class Tca:
    """Of each block between the first and the own one a head keeps the keys that are least like the block's mean."""

    def __init__(self, parameters, resources):
        self.p = parameters

    def select(self, layer):
        size = self.p["block"]
        if not layer.decoding:
            self.shares, self.kept = self._shares(layer), [[] for _ in layer.key]
        for g, kept in enumerate(self.kept):
            for b in range(len(kept), layer.end // size):
                start = max(b * size, layer.key_start)
                keys = layer.key[g, start - layer.key_start:(b + 1) * size - layer.key_start]
                count = max(1, min(size, int(np.floor(self.shares[g] * size + 1e-9))))
                kept.append({start + n for n in published.best(-self._redundancy(keys), count)})
        return [self._list(layer, name, self.kept[layer.key_head(head)], block) for name, head in published.heads_of(layer) for block in layer.blocks(size)]

    def _list(self, layer, name, kept, block):
        own = block[0] // self.p["block"]
        return base.chosen(name, block, [j for j in range(layer.first(block[0]), block[1])
                                         if j // self.p["block"] in (0, own) or j in kept[j // self.p["block"]]])

    @staticmethod
    def _redundancy(keys):
        mean = np.mean(keys, axis=0)
        lengths = np.sqrt(np.sum(keys ** 2, axis=1)) * np.sqrt(np.sum(mean ** 2))
        return np.where(lengths == 0, 1, np.sum(keys * mean, axis=1) / np.where(lengths == 0, 1, lengths))

    def _shares(self, layer):
        size, budget, length = self.p["block"], self.p["budget"], layer.end
        mean = 1.0 if budget >= length else min(1.0, max(0.0, (budget - 2 * size) / max(1, length - 2 * size)))
        need = np.zeros(len(layer.key))
        for head in range(layer.heads()):
            for i in range(max(0, length - self.p["window"]), length):
                weights = base.softmax(base.row_logits(layer, head, i))
                need[layer.key_head(head)] += len(published.fewest(weights, self.p["mass"])) / len(weights)
        return self._in_proportion(need, mean)

    @staticmethod
    def _in_proportion(need, mean):
        """Shares in proportion, none above 1: who would have more has 1, and the others share the rest."""
        shares, open_ = np.zeros(len(need)), np.full(len(need), True)
        left = mean * len(need)
        while np.any(open_):
            wanted = need * left / np.sum(need[open_])
            above = [g for g in range(len(need)) if open_[g] and wanted[g] >= 1]
            if not above:
                return np.where(open_, wanted, shares)
            shares[above[0]], open_[above[0]], left = 1, False, left - 1
        return shares


class SparseAccelerate(published.Prompt):
    """Each head has the pattern that held most of its attention in the last sparse rows."""

    def dense(self, layer):
        return self.p["budget"] >= layer.end

    def head(self, layer, name, head):
        budget, judges = self.p["budget"], range(max(0, layer.dense_from - self.p["window"]), layer.dense_from)
        weights = {i: base.softmax(base.row_logits(layer, head, i)) for i in judges}
        sinks = min(budget - 1, max(1, budget // 8))
        triangular = base.Streaming({"sinks": sinks, "window": budget - sinks, "block": 1}, None).select(layer)
        clusters = [x for x in base.BlockTopK({"block": self.p["block"], "budget": budget, "heads": "each"}, None).select(layer) if x.head == name]
        best = max((triangular, self._slashes(layer, weights), clusters), key=lambda lists: self._held(layer, lists, weights))
        return [base.chosen(name, (x.start, x.end), x.keys, x.threshold, x.margin, x.tied) for x in best]

    def _slashes(self, layer, weights):
        size = self.p["interval"]
        mass = np.zeros(published.count_of(layer.end, size))
        for i, row in weights.items():
            for n, weight in enumerate(row):
                mass[(i - layer.first(i) - n) // size] += weight
        kept = {0, *(1 + n for n in published.best(mass[1:], self.p["budget"] // size - 1))}
        return [base.chosen(0, (i, i + 1), [j for j in range(layer.first(i), i + 1) if (i - j) // size in kept]) for i, _ in layer.blocks(1)]

    @staticmethod
    def _held(layer, lists, weights):
        return sum(weights[i][j - layer.first(i)] for x in lists for i in range(x.start, x.end) if i in weights for j in x.keys if layer.first(i) <= j <= i)


POLICIES = {"delta": Delta, "cascade": Cascade, "tca": Tca, "sparse-accelerate": SparseAccelerate}
