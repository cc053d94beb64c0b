"""Policies that choose by a small trained network: SeerAttention, VSPrefill, the learned masks of the authors' later code."""
import numpy as np

from stages import published_policies as published, rotary_embedding, selection_policies as base

POOLS = {"max": np.max, "min": np.min, "avg": np.mean}


class SeerAttention(published.Prompt):
    def __init__(self, parameters, resources):
        super().__init__(parameters, resources)
        self.gate, self.weights = resources.config, resources.weights

    def head(self, layer, name, head):
        size, p = self.gate["gateBlockSize"], self.p
        scores, places, found = self._scores(layer, head, size), layer.blocks(size), []
        for r, (a, b) in enumerate(places):
            old = layer.first(a) // size
            row = scores[r, old:r + 1]
            if "threshold" in p:
                kept = {old + n for n in np.flatnonzero(base.softmax(row) > p["threshold"])}
            else:
                count = max(1, p["budget"] // size if "budget" in p else int(np.floor((1 - np.sqrt(1 - p["nz-ratio"])) * len(scores))))
                own = [r - old] if p["own"] == "forced" else []
                kept = {old + n for n in own + published.best(row[:len(row) - len(own)], count - len(own))}
            if p["own"] == "forced":
                kept.add(r)
            if p["last"] == "dense" and r >= len(scores) - 2:
                kept = range(old, r + 1)
            found.append(base.chosen(name, (a, b), published.of_blocks(layer, a, b, size, kept)))
        return found

    def _scores(self, layer, head, size):
        kinds = {part[0]: [part[n:n + 3] for n in range(1, len(part), 3)] for part in self.gate["gateType"].split("_")}
        back = -np.arange(layer.end)
        query = rotary_embedding.rotary_embedding(layer.query[head], back)
        key = rotary_embedding.rotary_embedding(layer.key[layer.key_head(head)], back)
        q, k = self._pooled(query, kinds["Q"], size), self._pooled(key, kinds["K"], size)
        mapped = "mask_linear_q.weight" in self.weights
        if mapped:
            q = q @ self.weights["mask_linear_q.weight"][head]
        k = k @ self.weights["mask_linear_k.weight"][layer.key_head(head) if mapped else head]
        if self.gate["gateBlockRope"]:
            starts = np.arange(len(q)) * size
            q, k = (rotary_embedding.rotary_embedding(x, starts, self.gate["gateRopeTheta"]) for x in (q, k))
        return q @ k.T / np.sqrt(q.shape[1])

    @staticmethod
    def _pooled(states, kinds, size):
        return np.array([np.concatenate([POOLS[kind](states[a:a + size], axis=0) for kind in kinds]) for a in range(0, len(states), size)])


class VsPrefill(published.Prompt):
    def __init__(self, parameters, resources):
        super().__init__(parameters, resources)
        self.weights = resources.weights

    def head(self, layer, name, head):
        p, g = self.p, layer.key_head(head)
        worth = self._indexed(np.concatenate([layer.key[g], layer.value[g]], axis=1))
        vertical, slash = base.softmax(worth[:, 0]), base.softmax(worth[::-1, 1])
        if "budget" in p:
            columns, distances = published.best(vertical, -(-p["budget"] // 2)), published.best(slash, p["budget"] // 2)
        else:
            columns, distances = published.fewest(vertical, p["threshold"]), published.fewest(slash, p["threshold"])
        columns, distances = set(columns), {0, *distances}
        return [base.chosen(name, (a, b), [j for j in range(layer.first(a), b) if "budget" in p and b - layer.first(a) <= p["budget"]
                                           or published.on_lines(j, a, b, columns, distances)]) for a, b in layer.blocks(p["block"])]

    def _indexed(self, x):
        hidden = x @ self.weights["inner.weight"].T + self.weights["inner.bias"]
        return (hidden / (1 + np.exp(-hidden))) @ self.weights["outer.weight"].T


class Learned(published.Prompt):
    """Static or dynamic budgets by block scores that a small network has corrected."""

    def __init__(self, parameters, resources):
        super().__init__(parameters, resources)
        self.weights, self.bound = resources.weights, resources.config["residualBound"]

    def select(self, layer):
        if layer.decoding or layer.dense_from == 0:
            return None
        b, kb = self.p["block"], self.p["key-block"]
        blocks = published.count_of(layer.end, kb)
        budget = self.p["budget"] // kb if "budget" in self.p else int(np.floor(self.p["density"] * blocks))
        budget = min(max(1, budget), blocks)
        places = [(s, e, s // kb, (e - 1) // kb, layer.first(s) // kb) for s, e in layer.blocks(b)]
        forced = [self._forced(budget, *x[2:]) for x in places]
        counts = self._counts(layer, places, forced, budget)
        found = []
        for name, head in published.heads_of(layer):
            for r, (s, e, start, recent, old) in enumerate(places):
                scores = self._row(layer, head, places[r])
                others = [j for j in range(old, recent + 1) if j not in forced[r]]
                places_best = published.best([scores[j - old] for j in others], counts[head][r] - len(forced[r]))
                kept = forced[r] | {others[n] for n in places_best}
                found.append(base.chosen(name, (s, e), published.of_blocks(layer, s, e, kb, kept)))
        return found

    @staticmethod
    def _forced(budget, start, recent, old):
        forced = set(range(start, recent + 1))
        return forced | {old} if len(forced) < budget else forced

    def _row(self, layer, head, place):
        """Scores of the blocks old to recent."""
        s, e, _, recent, old = place
        kb = self.p["key-block"]
        products = np.array([self._products(layer, head, s, e, j * kb, min((j + 1) * kb, layer.end)) for j in range(old, recent + 1)])
        top = np.max(products, axis=1)
        raw = top + np.log(np.sum(np.exp(products - top[:, None]), axis=1)) - np.log(8.0)
        context = np.concatenate([np.mean(products, axis=0), np.std(products, axis=0), products[0], products[-1]])
        visible = recent - old + 1
        age = np.arange(visible)[::-1].astype(np.float64)
        local = np.concatenate([np.tanh(products - raw[:, None]), np.tanh(np.stack([
            raw, np.std(products, axis=1), np.max(products, axis=1) - raw, raw - np.min(products, axis=1)], axis=1)), np.stack([
                age / max(visible - 1, 1), np.log(1 + age) / max(np.log(1.0 + visible), 1), 1 / np.sqrt(age + 1)], axis=1)], axis=1)
        w = {name: self.weights[name][head] for name in ("local_weight", "context_weight", "input_bias", "output_weight", "output_bias")}
        hidden = local @ w["local_weight"] + context @ w["context_weight"] + w["input_bias"]
        return raw + self.bound * np.tanh(hidden / (1 + np.exp(-hidden)) @ w["output_weight"] + w["output_bias"])

    @staticmethod
    def _products(layer, head, s, e, low, high):
        queries = Learned._segments(layer.query[head], s, e, 4)
        keys = Learned._segments(layer.key[layer.key_head(head)], low, high, 2)
        return [published.logit(layer, np.sum(q * k)) for q in queries for k in keys]

    @staticmethod
    def _segments(states, low, high, parts):
        """Means of equal parts; a part without rows is the mean of all."""
        n, out = high - low, []
        for part in range(parts):
            a, b = low + part * n // parts, low + (part + 1) * n // parts
            out.append(np.mean(states[a:b] if b > a else states[low:high], axis=0))
        return out

    def _counts(self, layer, places, forced, budget):
        visible = [recent - old + 1 for *_, recent, old in places]
        plain = [max(len(f), min(budget, v)) for f, v in zip(forced, visible)]
        if self.p["budgets"] == "static":
            return [plain] * layer.heads()
        low = [min(n, max(budget // 2, len(f))) for n, f in zip(plain, forced)]
        high = [max(n, min(2 * budget, v)) for n, v in zip(plain, visible)]
        table, last = self.weights["budget_bias"], max(1, published.count_of(layer.end, self.p["key-block"]) - 1)
        buckets = [min(table.shape[1] - 1, place[3] * table.shape[1] // last) for place in places]
        heads = layer.heads()
        shared = shared_out(np.concatenate([table[h][buckets] for h in range(heads)]), low * heads, high * heads, sum(plain) * heads)
        return [shared[h * len(places):(h + 1) * len(places)] for h in range(heads)]


def shared_out(logits, low, high, total):
    """Whole numbers between bounds that add up to a total, in proportion to softmax weights above the lower bounds."""
    weights, part = base.softmax(np.asarray(logits, dtype=np.float64)), np.array(low, dtype=np.float64)
    high, left = np.array(high, dtype=np.float64), float(total - sum(low))
    for _ in range(8):
        below = part < high
        if left <= 0 or not np.any(below):
            break
        wanted = np.where(below, part + left * weights / np.sum(weights[below]), part)
        left, part = float(np.sum(np.maximum(0, wanted - high)[below])), np.minimum(wanted, high)
    whole = [int(np.floor(x)) for x in part]
    while sum(whole) < total:
        whole[max((n for n in range(len(whole)) if whole[n] < high[n]), key=lambda n: (part[n] - whole[n], -n))] += 1
    return whole


POLICIES = {"seerattention": SeerAttention, "vsprefill": VsPrefill, "icml-learned": Learned}
