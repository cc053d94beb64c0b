"""Policies that cluster keys: Tactic and Squeezed Attention, with the k-means and the fit that they are made of."""
import numpy as np

import splitmix
from stages import published_policies as published, selection_policies as base


class Draws:
    """Random numbers of k-means: one SplitMix64 state, from which whole numbers below n and fractions are drawn in turn."""

    def __init__(self, seed):
        self.state = seed & splitmix.MASK

    def _next(self):
        self.state = (self.state + splitmix.GOLDEN) & splitmix.MASK
        return self.state

    def below(self, n):
        while True:
            z = self._next()
            z = ((z ^ z >> 33) * 0x62A9D9ED799705F5) & splitmix.MASK
            word = (((z ^ z >> 28) * 0xCB24D0A5C88C35B3) & splitmix.MASK) >> 32
            if n & (n - 1) == 0:
                return word & (n - 1)
            word >>= 1
            if word - word % n + n - 1 < 1 << 31:
                return word % n

    def fraction(self):
        z = self._next()
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & splitmix.MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & splitmix.MASK
        return ((z ^ z >> 31) >> 11) * 2.0**-53


def squared(points, centre):
    return np.sum((points - centre) ** 2, axis=1)


def k_means(points, count, cosine, iterations, seed):
    """-> (centroids as means of the points as given, label of each point)"""
    points = np.asarray(points, dtype=np.float64)
    norms = np.sqrt(np.sum(points ** 2, axis=1))
    x = points / np.where(norms == 0, 1, norms)[:, None] if cosine else points
    centres = starts(x, min(count, len(x)), Draws(seed))
    labels = np.full(len(x), -1)
    for _ in range(iterations):
        nearest = np.argmin(np.array([squared(x, c) for c in centres]), axis=0)
        if np.array_equal(nearest, labels):
            break
        labels = nearest
        centres = means(x, labels, centres)
    return means(points, labels, centres), labels


def starts(x, count, draws):
    """k-means++: a random point, then points in proportion to their squared distance from the nearest centre."""
    centres = [x[draws.below(len(x))]]
    while len(centres) < count:
        distance = np.min([squared(x, c) for c in centres], axis=0)
        if np.sum(distance) == 0:
            break
        reach, running = draws.fraction() * np.sum(distance), np.cumsum(distance)
        beyond = [n for n in range(len(x)) if distance[n] > 0 and running[n] > reach]
        centres.append(x[beyond[0] if beyond else np.flatnonzero(distance)[-1]])
    return centres


def means(x, labels, centres):
    return [np.mean(x[labels == c], axis=0) if np.any(labels == c) else centre for c, centre in enumerate(centres)]


def held_by(logits, p, sampling):
    """Tactic's estimate: how many of the ranked keys hold the share p."""
    n = len(logits)
    if p == 1:
        return n
    exact = min(n, int(np.ceil(sampling["exact"] * n)))
    width = min(n, max(1, int(np.ceil(sampling["width"] * n))))
    looked = np.exp(logits - np.max(logits))
    low = [min(n - width, int(np.floor(sampling[name] * n))) for name in ("first", "second")]
    (x1, y1), (x2, y2) = [(a + (width + 1) / 2, np.mean(looked[a:a + width])) for a in low]
    slope = 0.0 if low[0] == low[1] else (y1 - y2) / (1 / x1 - 1 / x2)
    a, b = (slope, y1 - slope / x1) if slope > 0 else (0.0, (y1 + y2) / 2)
    y = np.maximum(0, a / np.arange(1, n + 1) + b)
    y[:exact] = looked[:exact]
    held, wanted = 0.0, p * np.sum(y)
    for count in range(1, n + 1):
        held += y[count - 1]
        if held >= wanted:
            return count
    return n


class Tactic:
    def __init__(self, parameters, resources):
        self.p = parameters

    def select(self, layer):
        if not layer.decoding:
            self.length = layer.end
            count = published.count_of(layer.end, self.p["cluster"])
            self.clusters = [k_means(keys, count, False, self.p["iterations"], self.p["seed"] + g) for g, keys in enumerate(layer.key)]
            if self.p["prompt"] == "dense":
                return None
        return [self._row(layer, name, head, i) for name, head in published.heads_of(layer) for i, _ in layer.blocks(1)]

    def _row(self, layer, name, head, i):
        first, end = layer.first(i), min(i + 1, self.length)
        kept = set(range(max(first, self.length), i + 1))
        for other in [h for h in range(layer.heads()) if layer.key_head(h) == layer.key_head(head) and first < end]:
            ranking, logits = self._ranking(layer, other, i, first, end), base.row_logits(layer, other, i)
            kept |= set(ranking[:held_by(logits[np.array(ranking) - first], self.p["p"], self.p)])
        return base.chosen(name, (i, i + 1), sorted(kept))

    def _ranking(self, layer, head, i, first, end):
        centroids, labels = self.clusters[layer.key_head(head)]
        worth = [np.sum(layer.query[head, i - layer.start] * c) for c in centroids]
        return sorted(range(first, end), key=lambda j: (-worth[labels[j]], j))


class Squeezed:
    """Clusters of the prefix whose score exceeds a threshold; the prefix itself is dense."""

    def __init__(self, parameters, resources):
        self.p, self.fine = parameters, None

    def select(self, layer):
        if not layer.decoding:
            self.prefix = max(0, layer.end - self.p["input"])
            self.clustered = self.prefix - self.p["window"]
            if self.clustered > 0 and self.p["keep"] < 1:
                self._prepare(layer)
        if self.fine is None:
            return None
        dense = 0 if layer.decoding else min(self.prefix, layer.dense_from)
        blocks = layer.blocks(1) if layer.decoding else ([(0, dense)] if dense else []) + [(i, i + 1) for i in range(dense, layer.dense_from)]
        return [base.chosen(name, (a, b), range(b) if b <= dense else self._row(layer, head, a)) for name, head in published.heads_of(layer) for a, b in blocks]

    def _prepare(self, layer):
        n, p = self.clustered, self.p
        self.fine = [k_means(keys[:n], self._count(p["centroids"]), True, p["iterations"], p["seed"] + g) for g, keys in enumerate(layer.key)]
        self.coarse = None
        if p["levels"] == 2:
            self.coarse = [k_means(c, self._count(p["coarse"]), True, p["iterations"], p["seed"] + g) for g, (c, _) in enumerate(self.fine)]
        self.threshold = self._calibrated(layer, p["keep"], lambda g: self.fine[g])
        if self.coarse:
            self.opening = self._calibrated(layer, p["keep-coarse"], lambda g: (self.coarse[g][0], self.coarse[g][1][self.fine[g][1]]))

    def _count(self, share):
        return max(1, int(np.floor(share * self.clustered)))

    def _calibrated(self, layer, keep, clusters_of):
        """What the share `keep` of the keys' mean scores exceeds."""
        scores = []
        for head in range(layer.heads()):
            centroids, labels = clusters_of(layer.key_head(head))
            of_head = np.full((self.p["window"], self.clustered), np.nan)
            for n, i in enumerate(range(self.clustered, self.prefix)):
                first = layer.first(i)
                if first < self.clustered:
                    of_head[n, first:] = base.softmax(self._logits(layer, head, i, centroids)[labels[first:]])
            scores += [np.nanmean(column) for column in of_head.T if not np.all(np.isnan(column))]
        return -np.inf if keep == 1 or not scores else np.quantile(scores, 1 - keep)

    @staticmethod
    def _logits(layer, head, i, centroids):
        return published.logit(layer, np.array([np.sum(layer.query[head, i - layer.start] * c) for c in centroids]))

    def _row(self, layer, head, i):
        g, first = layer.key_head(head), layer.first(i)
        centroids, labels = self.fine[g]
        logits, opened = self._logits(layer, head, i, centroids), np.full(len(centroids), True)
        estimate = logits
        if self.coarse:
            above, group = self.coarse[g]
            rough = self._logits(layer, head, i, above)
            opened = self._exceeding(rough, group[labels[first:]], self.opening)[group]
            estimate = np.where(opened, logits, rough[group])
        kept = opened & self._exceeding(estimate, labels[first:], self.threshold)
        return [j for j in range(first, i + 1) if j >= self.clustered or kept[labels[j]]]

    @staticmethod
    def _exceeding(logits, labels, threshold):
        """Which clusters' score exceeds a threshold; `labels` are those of the keys in sight."""
        terms = np.exp(logits - np.max(logits))
        if len(labels) == 0:
            return np.full(len(logits), True)
        return terms / np.sum(terms * np.bincount(labels, minlength=len(logits))) > threshold


POLICIES = {"tactic": Tactic, "squeezed": Squeezed}
