"""Policies of published sparse attention, by the paper (corrected) or by the official code (upstream).

Lines are whole columns and whole distances; blocks are read whole or not at all. A decoded token is dense but with Quest.
"""
import numpy as np

from stages import dense_attention, selection_policies as base


def logit(layer, x):
    return dense_attention.soft_cap(x * layer.rule.scale, layer.rule.cap)


def count_of(total, size):
    return -(-total // size)


def heads_of(layer):
    """(head as published, query head)"""
    return [(name, heads[0]) for name, heads in layer.groups(False)]


def fewest(scores, mass):
    """Places of the fewest entries, largest first, that hold a share of the sum."""
    scores = np.asarray(scores, dtype=np.float64)
    order = sorted(range(len(scores)), key=lambda j: (-scores[j], j))
    if mass == 1:
        return order
    wanted, held, count = mass * float(np.sum(np.sort(scores))), 0.0, 0
    for j in order:
        if count > 0 and held >= wanted:
            break
        held, count = held + scores[j], count + 1
    return order[:count]


def best(scores, count):
    return base.ranked(scores, count)[0]


def lines(layer, head, rows):
    """Weight by column and by distance, added over the last rows of the prompt."""
    return mass_of(layer, head, range(max(0, layer.end - rows), layer.end))


def mass_of(layer, head, rows):
    vertical, slash = np.zeros(layer.end), np.zeros(layer.end)
    for i in rows:
        weights, first = base.softmax(base.row_logits(layer, head, i)), layer.first(i)
        for n, weight in enumerate(weights):
            vertical[first + n] += weight
            slash[i - first - n] += weight
    return vertical, slash


def on_lines(j, a, b, columns, distances):
    return j in columns or any(a <= j + d < b for d in distances)


def mean(states, low, high):
    return np.mean(states[low:high], axis=0)


def of_blocks(layer, a, b, size, kept):
    kept = set(kept)
    return [j for j in range(layer.first(a), b) if j // size in kept]


class Prompt:
    """Lists for each head in the prompt; tokens after it are dense."""

    def __init__(self, parameters, resources):
        self.p, self.upstream = parameters, parameters.get("profile") == "upstream"

    def select(self, layer):
        if layer.decoding or layer.dense_from == 0 or self.dense(layer):
            return None
        return [x for name, head in heads_of(layer) for x in self.head(layer, name, head)]

    def dense(self, layer):
        return False


class AShape:
    def __init__(self, parameters, resources):
        self.streaming = base.Streaming({"sinks": parameters["n_init"], "window": parameters["n_local"], "block": parameters["block"]}, resources)

    def select(self, layer):
        return None if layer.decoding else self.streaming.select(layer)


class VerticalSlash(Prompt):
    def head(self, layer, name, head):
        vertical, slash = lines(layer, head, self.p["last_q"])
        if self.upstream:
            vertical[:30], slash[:100] = np.inf, np.inf
            columns, distances = best(vertical, max(self.p["vertical_size"], 30)), best(slash, max(self.p["slash_size"], 50))
        else:
            slash[0] = np.inf
            columns, distances = best(vertical, self.p["vertical_size"]), best(slash, self.p["slash_size"])
        columns, found = set(columns), []
        for a, b in layer.blocks(self.p["block_size"]):
            inside = self._ranges(a // 64, distances) if self.upstream else None
            found.append(base.chosen(name, (a, b), [
                j for j in range(layer.first(a), b)
                if (j in columns or any(low <= j < high for low, high in inside) if self.upstream else on_lines(j, a, b, columns, distances))]))
        return found

    @staticmethod
    def _ranges(block, distances):
        nominal, ranges, end = 64 * (block + 1), [], None
        for d in sorted(distances, reverse=True):
            x = max(nominal - d, 64)
            if d >= nominal:
                continue
            if end is None or x > end + 64:
                ranges.append((x - 64, x))
                end = x
            elif x > end:
                ranges.append((end, end + 64))
                end += 64
        return ranges


class BlockSparse(Prompt):
    def head(self, layer, name, head):
        size, keys, queries, found = self.p["block_size"], layer.key[layer.key_head(head)], layer.query[head], []
        for a, b in layer.blocks(size):
            own, old = a // size, layer.first(a) // size
            scores = [np.sum(self._mean(queries[a:b], size) * self._mean(keys[c * size:(c + 1) * size], size)) for c in range(old, own + 1)]
            found.append(base.chosen(name, (a, b), of_blocks(layer, a, b, size, [old + p for p in best(scores, self.p["top_k"])])))
        return found

    def _mean(self, rows, size):
        return np.sum(rows, axis=0) / (size if self.upstream else len(rows))


class XAttention(Prompt):
    def head(self, layer, name, head):
        size, t = self.p["block_size"], self.p["stride"]
        scores, found = self._scores(layer, head, size, t), []
        for a, b in layer.blocks(size):
            own, old = a // size, layer.first(a) // size
            if self.upstream:
                kept = self._official(scores[own], own)
            else:
                kept = [old + p for p in fewest(scores[own, old:own + 1], self.p["threshold"])]
            found.append(base.chosen(name, (a, b), of_blocks(layer, a, b, size, kept)))
        return found

    def _scores(self, layer, head, size, t):
        groups, per = count_of(layer.dense_from, t), size // t
        padding = np.zeros((t, layer.query.shape[2]))
        queries = np.concatenate([layer.query[head], padding])
        keys = np.concatenate([layer.key[layer.key_head(head)], padding])
        scores = np.zeros((count_of(layer.dense_from, size), count_of(layer.end, size)))
        for a in range(groups):
            first = layer.first(a * t) // t
            weights = base.softmax(np.array([logit(layer, np.sum(queries[a * t:(a + 1) * t][::-1] * keys[b * t:(b + 1) * t]) / t)
                                             for b in range(first, a + 1)]))
            for n, weight in enumerate(weights):
                scores[a // per, (first + n) // per] += weight
        return scores

    def _official(self, scores, own):
        order = [own] + [c for c in sorted(range(len(scores)), key=lambda c: (-scores[c], c)) if c != own]
        wanted, kept = self.p["threshold"] * np.sum(scores), {0}
        for n, c in enumerate(order):
            if n >= 2 and sum(scores[o] for o in order[:n - 1]) >= wanted or n < 2 and not wanted > 0:
                break
            kept.add(c)
        return [c for c in kept if c <= own]


class FlexPrefill(Prompt):
    def dense(self, layer):
        size = self.p["block_size"]
        return self.upstream and layer.end <= max(2 * size, count_of(self.p["min_budget"], size) * size)

    def head(self, layer, name, head):
        size, length, keys = self.p["block_size"], layer.end, layer.key[layer.key_head(head)]
        rows, blocks = min(size, length), count_of(length, size)
        vertical, slash = (x / rows for x in lines(layer, head, size))
        means = [mean(keys, c * size, (c + 1) * size) for c in range(blocks)]
        observed = np.array([np.sum(vertical[c * size:(c + 1) * size]) for c in range(blocks)])
        estimated = self._weights(layer, mean(layer.query[head], length - rows, length), means, layer.first(length - rows) // size, blocks - 1)
        aware = self._distance(estimated, observed) < self.p["tau"]
        mapped = length if self.upstream else layer.dense_from
        pairs = np.array([self._weights(layer, mean(layer.query[head], r * size, min((r + 1) * size, mapped)), means, layer.first(r * size) // size, r)
                          for r in range(count_of(mapped, size))])
        if self.upstream:
            kept = self._official(vertical, slash, pairs, aware, blocks)
            return [base.chosen(name, (a, b), of_blocks(layer, a, b, size, [c for r, c in kept if r == a // size])) for a, b in layer.blocks(size)]
        columns, distances = set(self._lines(vertical, aware)), self._lines(slash, aware)
        kept = {divmod(n, blocks) for n in fewest(pairs.flatten(), self.p["gamma"])} if aware else set()
        return [base.chosen(name, (a, b), [j for j in range(layer.first(a), b) if j // size in (0, a // size) or (a // size, j // size) in kept
                                           or on_lines(j, a, b, columns, distances)]) for a, b in layer.blocks(size)]

    @staticmethod
    def _weights(layer, query, means, first, last):
        row = np.zeros(len(means))
        row[first:last + 1] = base.softmax(np.array([logit(layer, np.sum(query * means[c])) for c in range(first, last + 1)]))
        return row

    @staticmethod
    def _distance(p, o):
        m = (p + o) / 2
        return np.sqrt(max(0.0, sum(sum(x[b] * np.log(x[b] / m[b]) for b in range(len(x)) if x[b] > 0) / 2 for x in (p, o))))

    def _lines(self, scores, aware):
        count = self.p["min_budget"] if aware else max(self.p["min_budget"], len(fewest(scores, self.p["gamma"])))
        return best(scores, count if self.p["max_budget"] == "none" else min(count, self.p["max_budget"]))

    def _official(self, vertical, slash, pairs, aware, blocks):
        size, length, gamma = self.p["block_size"], len(vertical), self.p["gamma"]
        least = count_of(self.p["min_budget"], size)
        most = blocks if self.p["max_budget"] == "none" else min(blocks, count_of(self.p["max_budget"], size))
        found = []
        for scores, block in ((vertical, lambda d: d // size), (slash, lambda d: blocks - 1 - (length - 1 - d) // size)):
            sums = np.zeros(blocks)
            for d in range(length):
                sums[block(d)] += scores[d]
            sums[0] = np.inf
            cover = 1 + np.count_nonzero(np.cumsum(np.sort(scores)[::-1]) <= gamma)
            found.append(best(sums, min(most, least if aware else max(least, cover // 128 + 1))))
        kept = {(r, c) for r in range(blocks) for c in range(r + 1) if c in found[0] or r - c in found[1]}
        held, flat = 0.0, pairs.flatten()
        for n in sorted(range(len(flat)), key=lambda n: (-flat[n], n)) if aware else ():
            held += flat[n]
            if held > gamma * blocks:
                break
            kept.add(divmod(n, blocks))
        return {(r, c) for r, c in kept if c <= r}


class SampleAttention(Prompt):
    """Columns that hold a share of the mass of sampled rows, and a window."""

    def head(self, layer, name, head):
        length = layer.end
        count = int(np.ceil(self.p["r_row"] * length))
        vertical = np.zeros(length)
        for i in (length - 1 - n * (length // count) for n in range(count)):
            vertical[layer.first(i):i + 1] += base.softmax(base.row_logits(layer, head, i))
        columns, window = set(fewest(vertical, self.p["alpha"])), int(np.ceil(self.p["r_window"] * length))
        return [base.chosen(name, (a, b), [j for j in range(layer.first(a), b) if j in columns or a - j < window])
                for a, b in layer.blocks(self.p["block"])]


class Quest:
    def __init__(self, parameters, resources):
        self.p, self.resources, self.bounds = parameters, resources, None

    def select(self, layer):
        if self.p["chunking"] != "pages":
            self._grow(layer)
        if self.resources.layer < self.p["dense-layers"] or not layer.decoding and self.p["prompt"] == "dense":
            return None
        return [self._row(layer, name, head, i) for name, head in heads_of(layer) for i, _ in layer.blocks(1)]

    def _grow(self, layer):
        kind, size = self.p["chunking"], int(self.p["chunking"][6:]) if self.p["chunking"].startswith("fixed-") else None
        if not layer.decoding:
            inner = range(size, layer.end, size) if size else [
                p + 1 for p in range(layer.end - 1) if int(self.resources.ids[p]) in self.resources.sentence_ends]
            self.bounds = [0, *inner, layer.end]
            return
        self.bounds[-1] = layer.end
        if size and layer.end > self.bounds[-2] + size:
            self.bounds[-1:] = [self.bounds[-2] + size, layer.end]

    def _units(self, layer, i):
        first, page = layer.first(i), self.p["page"]
        if self.p["chunking"] == "pages":
            units = [(u * page, (u + 1) * page) for u in range(first // page, i // page + 1)]
        else:
            units = [(a, b) for a, b in zip(self.bounds, self.bounds[1:]) if b > first and a <= i]
        return [(max(a, layer.key_start), min(b, i + 1)) for a, b in units]

    def _row(self, layer, name, head, i):
        units, first, query = self._units(layer, i), layer.first(i), layer.query[head, i - layer.start]
        keys = layer.key[layer.key_head(head)]
        scores = []
        for a, b in units:
            here = keys[a - layer.key_start:b - layer.key_start]
            scores.append(np.sum(np.maximum(query * np.min(here, axis=0), query * np.max(here, axis=0))))
        seen = [b - max(a, first) for a, b in units]
        places, threshold, margin, _ = base.ranked(scores, self._count(scores, seen))
        return base.chosen(name, (i, i + 1), [j for p in places for j in range(max(units[p][0], first), units[p][1])], threshold, margin)

    def _count(self, scores, seen):
        budget, least = self.p["budget"], self.p["min-pages"]
        if self.p["chunking"] == "pages":
            return len(scores) if budget >= sum(seen) else max(least, budget // self.p["page"])
        held, count = 0, 0
        for u in sorted(range(len(scores)), key=lambda u: (-scores[u], u)):
            held += seen[u]
            if held > budget and count >= least:
                break
            count += 1
        return count


def cut(scores, count):
    """The best of {place: score}; scores within 1e-9 of the last one taken are equal, the lower place goes first."""
    count = min(count, len(scores))
    if count <= 0:
        return []
    threshold = sorted(scores.values(), reverse=True)[count - 1]
    clear = [j for j, x in scores.items() if x > threshold + 1e-9]
    equal = sorted(j for j, x in scores.items() if abs(x - threshold) <= 1e-9)
    return clear + equal[:count - len(clear)]


class BlockMask(Prompt):
    """The masks of the authors' later code."""

    KIND = None

    def head(self, layer, name, head):
        b, kb, up = self.p["block"], self.p["key-block"], self.upstream
        whole = np.lcm(b, kb)
        length = count_of(layer.end, whole) * whole if up else layer.end
        rows = length if up else layer.dense_from
        extra = ((0, 0), (0, length - layer.end), (0, 0))
        padded = base.Layer(np.pad(layer.query, extra), np.pad(layer.key, extra), None, 0, 0, layer.rule, rows, False)
        blocks = count_of(length, kb)
        if "budget" in self.p:
            budget = max(1, self.p["budget"] // kb)
        else:
            share = 1 - (1 - self.p["density"]) if up else self.p["density"]
            budget = max(1, int(np.floor(share * blocks)))
        budget = min(budget, blocks)
        places = []
        for s in range(0, rows, b):
            e = min(s + b, rows)
            places.append((s, e, s // kb, (e - 1) // kb, layer.first(s) // kb))
        scores = self.scores(padded, head, places, blocks, budget)
        return [base.chosen(name, (a, e), of_blocks(layer, a, e, kb, self._kept(i, places, scores[i], blocks, budget, length)))
                for i, (a, e) in enumerate(layer.blocks(b))]

    def _kept(self, i, places, scores, blocks, budget, length):
        _, _, start, recent, old = places[i]
        if self.upstream and self.KIND == "topk":
            return cut(dict(enumerate(scores)), budget)
        tokens = min(length, budget * self.p["key-block"])
        prefix = self.upstream and self.KIND in ("vs", "vsb") and (i < count_of(tokens, self.p["block"]) or i == len(places) - 1)
        if recent - old + 1 <= budget or prefix:
            return range(old, recent + 1)
        forced = {recent} if self.upstream and self.KIND in ("a", "vs") else set(range(start, recent + 1))
        if self.KIND != "topk" and (self.upstream or len(forced) < budget):
            forced.add(old)
        again = self.upstream and self.KIND == "vsb"
        others = {j: scores[j] for j in range(old, recent) if j not in forced or again and j > old}
        return forced | set(cut(others, budget - len(forced)))


class BlockMeans(BlockMask):
    def scores(self, layer, head, places, blocks, budget):
        kb, keys = self.p["key-block"], layer.key[layer.key_head(head)]
        means = [mean(keys, j * kb, (j + 1) * kb) for j in range(blocks)]
        return [[np.sum(mean(layer.query[head], s, e) * k) for k in means] for s, e, *_ in places]


class BlockTopKMask(BlockMeans):
    KIND = "topk"


class BlockAShape(BlockMeans):
    KIND = "a"


class BlockVerticalSlash(BlockMask):
    KIND = "vs"

    def scores(self, layer, head, places, blocks, budget):
        kb = self.p["key-block"]
        vertical, slash = self.mass(layer, head)
        tokens = min(layer.end, budget * kb)
        columns = cut(dict(enumerate(vertical)), int(np.floor(tokens * self.p["ratio"])))
        distances = cut(dict(enumerate(slash)), tokens - int(np.floor(tokens * self.p["ratio"])))
        out = []
        for s, e, *_ in places:
            row = np.zeros(blocks)
            for j in sorted(columns):
                row[j // kb] += vertical[j]
            for x in sorted(distances):
                if e - 1 - x >= 0:
                    row[max(0, s - x) // kb:(e - 1 - x) // kb + 1] += slash[x]
            out.append(row)
        return out


    def mass(self, layer, head):
        return lines(layer, head, self.p["block"])


class BlockVerticalSlashSample(BlockVerticalSlash):
    """From some of the last queries, at equal distances."""

    def mass(self, layer, head):
        rows = min(self.p["block"], layer.end)
        count = min(self.p["samples"], rows)
        return mass_of(layer, head, [layer.end - rows + (n + 1) * rows // count - 1 for n in range(count)])


class BlockVerticalSlashMeans(BlockMask):
    KIND = "vsb"

    def scores(self, layer, head, places, blocks, budget):
        kb, keys = self.p["key-block"], layer.key[layer.key_head(head)]
        last = mean(layer.query[head], max(0, layer.end - self.p["block"]), layer.end)
        dots = np.array([np.sum(last * mean(keys, j * kb, (j + 1) * kb)) for j in range(blocks)])
        z = dots * layer.rule.scale if self.upstream else base.softmax(logit(layer, dots))
        vertical = int(np.floor(budget * self.p["ratio"]))
        columns = cut(dict(enumerate(z)), vertical)
        distances = [blocks - 1 - j for j in cut(dict(enumerate(z)), budget - vertical)]
        out = []
        for _, _, start, recent, _ in places:
            row = np.zeros(blocks)
            row[columns] = z[columns]
            for x in sorted(distances):
                if recent - x >= 0:
                    row[max(0, (start if self.upstream else recent) - x):recent - x + 1] += z[blocks - 1 - x]
            out.append(row)
        return out


POLICIES = {"minference-a-shape": AShape, "minference-vertical-slash": VerticalSlash, "minference-block-sparse": BlockSparse,
            "xattention": XAttention, "flexprefill": FlexPrefill, "sample-attention": SampleAttention, "quest": Quest, "icml-topk": BlockTopKMask, "icml-a": BlockAShape,
            "icml-vs": BlockVerticalSlash, "icml-vs-sample": BlockVerticalSlashSample, "icml-vsb": BlockVerticalSlashMeans}
