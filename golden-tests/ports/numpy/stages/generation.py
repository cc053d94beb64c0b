"""Greedy generation with a cache: a prompt pass, then one token at a time.

The cache holds keys after rotation; positions go on. Attention sees what is held, filtered by position; then a local
layer forgets all but its last `slidingWindow` rows. A new token reads densely, or sparsely: it is a block of one then.
"""
from types import SimpleNamespace

import numpy as np

from stages import (boundary_prediction, chunk_representation, chunk_similarity, decoder_layer, dense_attention,
                    dhsa_attention, model as whole_model, non_maximum_suppression, top_k_selection, upsampling)


class Cache:
    """One layer's keys and values with their positions. `all_keys` is what chunk vectors are made from: a closed chunk
    stands for all its keys, also those that a local layer no longer holds."""

    def __init__(self, k, v, window):
        self.window = window
        self.k, self.v, self.positions = k, v, np.arange(k.shape[1])
        self.all_keys = k
        self.forget()

    def append(self, k, v, position):
        self.k = np.concatenate([self.k, k], axis=1)
        self.v = np.concatenate([self.v, v], axis=1)
        self.positions = np.append(self.positions, position)
        self.all_keys = np.concatenate([self.all_keys, k], axis=1)

    def forget(self):
        if self.window is not None and len(self.positions) > self.window:
            self.k, self.v = self.k[:, -self.window:], self.v[:, -self.window:]
            self.positions = self.positions[-self.window:]

    def of(self, wanted):
        """Keys and values at absolute positions, which the cache must hold."""
        index = np.searchsorted(self.positions, wanted)
        return self.k[:, index], self.v[:, index]


def grow(boundaries, length):
    """The open chunk takes the new token in."""
    return np.append(boundaries[:-1], length)


def close(boundaries, cache, prompt_len, predictor, s):
    """The newest judgeable gap follows p = t - w; it becomes a boundary by the prompt's rules, in order of time."""
    length = int(boundaries[-1])
    position = length - 1 - s.w
    if position < prompt_len - 1 or cache.k.shape[1] < 2 * s.w:
        return boundaries
    features = boundary_prediction.features_of(cache.k[:, -2 * s.w:])
    # in these 2w tokens the gap in the middle is that of row w - 1
    logit = boundary_prediction.predict(features, predictor, s.w, s.predictor_heads)[s.w - 1]
    if not non_maximum_suppression.passes(logit, s.theta):
        return boundaries
    chunks, last_accepted = len(boundaries) - 1, int(boundaries[-2]) - 1
    if chunks > 1 and position - last_accepted <= s.nms_window:
        return boundaries
    if chunks - 1 >= non_maximum_suppression.chunk_budget(length, s.block_size, s.chunk_beta):
        return boundaries
    return np.append(boundaries[:-1], [position + 1, length])


def select_one(q, cache, boundaries, position, window, s):
    """The keys of one new token: a block of one, without quirks."""
    chunks = chunk_representation.chunk_representation(
        cache.all_keys, boundaries, chunk_representation.key_pooling(s.aggregation))
    query = chunk_representation.chunk_representation(q, np.array([0, 1]), s.aggregation)
    scores = upsampling.upsampling(chunk_similarity.chunk_similarity(query, chunks), boundaries)
    block = np.array([position, position + 1, position + 1, 0])
    return top_k_selection.select(scores[0], block, window, s.decode_budget, s.local_tokens, s.global_tokens)


def step(token, position, caches, weights, model, s=None, chunks=None, predictor=None, prompt_len=None):
    """One new token -> namespace: logits [vocab], layers, selections, boundaries (per layer, decode mode dhsa)"""
    x = whole_model.embed([token], weights, model)
    out = SimpleNamespace(layers=[], selections=[], boundaries=[])
    shared, positions = {}, np.array([position])
    scale = whole_model.attention_scale(model.query_pre_attn_scalar)
    cap = model.attn_cap if s is None else dhsa_attention.layer_cap(model.attn_cap, s)

    def sparse(layer, window, cache, q):
        if layer == 0 or not s.share_boundaries:
            chunks[layer] = close(grow(chunks[layer], position + 1), cache, prompt_len, predictor, s)
        else:
            chunks[layer] = chunks[0]
        kind = "global" if window is None else "local"
        if not s.share_masks or kind not in shared:
            shared[kind] = select_one(q, cache, chunks[layer], position, window, s)
        out.selections.append(shared[kind])
        out.boundaries.append(chunks[layer])
        keys, values = cache.of(shared[kind].keys)
        mask = dense_attention.visible(positions, shared[kind].keys, window)
        return dense_attention.attend(q, keys, values, mask, scale, cap)

    for layer in range(model.layers):
        window, cache = decoder_layer.window_of(layer, model), caches[layer]

        def attention(q, k, v):
            cache.append(k, v, position)
            if s is not None and s.decode_mode == "dhsa":
                context = sparse(layer, window, cache, q)
            else:
                context = dense_attention.dense_attention(
                    q, cache.k, cache.v, positions, cache.positions, scale, cap, window)
            cache.forget()
            return context
        result = decoder_layer.decoder_layer(x, whole_model.layer_weights(weights, layer), positions, model, attention)
        out.layers.append(result)
        x = result.hidden
    out.logits = whole_model.head(x, weights, model)[1][0]
    return out


def greedy(logits):
    """The largest logit, the lowest id among equals."""
    return int(np.argmax(logits))


def generate(ids, new_tokens, weights, model, s=None, predictor=None, boundaries=None, forced=None):
    """-> namespace: prompt, caches, steps, tokens [newTokens], logits [newTokens, vocab]

    logits[0] is the prompt's last row; logits[n+1] follows from feeding forced[n], or tokens[n].
    """
    prompt = (whole_model.dense_forward(ids, weights, model) if s is None else
              whole_model.dhsa_forward(ids, weights, model, s, predictor, boundaries))
    caches = [Cache(layer.k, layer.v, decoder_layer.window_of(i, model)) for i, layer in enumerate(prompt.layers)]
    out = SimpleNamespace(prompt=prompt, caches=caches, steps=[], logits=[prompt.logits[-1]])
    out.tokens = [greedy(out.logits[0])]
    chunks = None if s is None else [record.boundaries for record in prompt.dhsa]
    for n in range(new_tokens - 1):
        token = out.tokens[n] if forced is None else forced[n]
        result = step(token, len(ids) + n, caches, weights, model, s, chunks, predictor, len(ids))
        out.steps.append(result)
        out.logits.append(result.logits)
        out.tokens.append(greedy(result.logits))
    return out
