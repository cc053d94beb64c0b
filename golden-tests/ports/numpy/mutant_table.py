"""The list of mutants: id, stage, kind, bug and the changes of stage files ({module: [(old text, new text)]})."""
from types import SimpleNamespace

MUTANTS = []


def mutant(name, stage, kind, edits, bug=None, equivalent=None):
    """`equivalent`: why no output can show the change; null for all that must be found."""
    MUTANTS.append(SimpleNamespace(id=name, stage=stage, kind=kind, bug=bug, edits=edits, equivalent=equivalent))


def known(name, stage, edits, variant=None):
    """A bug of docs/bugs.md; `variant` tells several forms of one bug apart."""
    mutant(name if variant is None else f"{name}.{variant}", stage, "bug", edits, bug=name)


CAPPED = "soft_cap(q @ repeat_heads(k, q.shape[0]).transpose(0, 2, 1) * scale, cap)"
DOT = "q @ repeat_heads(k, q.shape[0]).transpose(0, 2, 1)"

# Gemma 2

known("softcap-dropped", "dense-attention", {"dense_attention": [(f"return {CAPPED}", f"return {DOT} * scale")]})
known("softcap-after-mask", "dense-attention", {"dense_attention": [
    ("weights = masked_softmax(capped_logits(q, k, scale, cap), mask)",
     "raw = np.where(mask, capped_logits(q, k, scale, None), -np.inf)\n"
     "    weights = masked_softmax(soft_cap(raw, cap), mask if cap is None else np.ones_like(mask))")]})
known("softcap-before-scale", "dense-attention", {"dense_attention": [
    (f"return {CAPPED}", f"return soft_cap({DOT}, cap) * scale")]})
known("softcap-clamped", "dense-attention", {"dense_attention": [
    (f"return {CAPPED}", f"x = {DOT} * scale\n    return x if cap is None else np.clip(x, -cap, cap)")]})
known("scale-from-head-dim", "dense-attention", {"dense_attention": [
    ("* scale, cap)", "* q.shape[-1] ** -0.5, cap)")]})
known("scale-twice", "dense-attention", {"dense_attention": [("* scale, cap)", "* scale * scale, cap)")]})
known("scale-missing", "dense-attention", {"dense_attention": [("* scale, cap)", ", cap)")]})
known("softmax-low-precision", "dense-attention", {"dense_attention": [
    ("import numpy as np\n", "import numpy as np\nfrom stages import rounding\n"),
    ("return weights @", "return rounding.to_bf16(weights) @")]})
known("layers-swapped", "decoder-layer", {"decoder_layer": [("layer % 2 == 0", "layer % 2 == 1")]})
known("window-plus-one", "dense-attention", {"dense_attention": [("distance < window", "distance <= window")]})
known("window-minus-one", "dense-attention", {"dense_attention": [("distance < window", "distance < window - 1")]})
known("window-ignored", "dense-attention", {"dense_attention": [("mask &= distance < window", "pass")]})
known("causal-mask-missing", "dense-attention", {
    "dense_attention": [("    return attend(q, k, v, visible(q_positions, k_positions, window), scale, cap)",
                         "    mask = visible(q_positions, k_positions, window)\n"
                         "    mask |= np.asarray(k_positions)[None, :] > np.asarray(q_positions)[:, None]\n"
                         "    return attend(q, k, v, mask, scale, cap)")]})
known("causal-mask-strict", "dense-attention", {"dense_attention": [("distance >= 0", "distance > 0")]})
known("gqa-interleaved", "dense-attention", {"dense_attention": [
    ("np.repeat(x, heads // x.shape[0], axis=0)", "x[np.arange(heads) % x.shape[0]]")]})
known("gqa-first-head-only", "dense-attention", {"dense_attention": [
    ("np.repeat(x, heads // x.shape[0], axis=0)", "np.repeat(x[:1], heads, axis=0)")]})
known("masked-row-nan", "dense-attention", {"dense_attention": [
    ("np.divide(terms, total, out=np.zeros_like(terms), where=total != 0)",
     "np.divide(terms, total, out=np.full_like(terms, np.nan), where=total != 0)")]})
known("embed-scale-missing", "embedding", {"embedding": [(" * factor(table.shape[1], scale)", "")]})
known("embed-scale-exact-in-bf16", "embedding", {"embedding": [
    ("rounding.to_bf16(rounding.to_f32(root))", "root")]})
known("embed-scale-rounded", "embedding", {"embedding": [
    ('if scale == "exact":\n        return root', 'if scale == "exact":\n        return rounding.to_bf16(root)')]})
NORM = "x / np.sqrt(mean_square + eps) * (1.0 + weight)"
known("norm-plus-one-missing", "rms-norm", {"rms_norm": [("(1.0 + weight)", "weight")]})
known("norm-plus-one-twice", "rms-norm", {"rms_norm": [("(1.0 + weight)", "(2.0 + weight)")]})
known("norm-eps-outside", "rms-norm", {"rms_norm": [
    ("np.sqrt(mean_square + eps)", "(np.sqrt(mean_square) + eps)")]})
known("norm-low-precision", "rms-norm", {"rms_norm": [
    ("import numpy as np\n", "import numpy as np\nfrom stages import rounding\n"),
    (NORM, "rounding.to_bf16(rounding.to_bf16(x / np.sqrt(mean_square + eps)) * rounding.to_bf16(1.0 + weight))")]})
known("norm-mean-subtracted", "rms-norm", {"rms_norm": [
    ("    mean_square =", "    x = x - np.mean(x, axis=-1, keepdims=True)\n    mean_square =")]})
known("norm-sum-of-squares", "rms-norm", {"rms_norm": [("np.mean(x * x,", "np.sum(x * x,")]})
known("post-norms-missing", "decoder-layer", {"decoder_layer": [
    ('rms_norm.rms_norm(out.attn_output, weights["post_attention_layernorm.weight"], model.eps)', "out.attn_output"),
    ('rms_norm.rms_norm(out.mlp_output, weights["post_feedforward_layernorm.weight"], model.eps)', "out.mlp_output")]})
known("final-norm-missing", "dense-model", {"model": [
    ('rms_norm.rms_norm(x, weights["model.norm.weight"], model.eps)', "x")]})
known("kv-swapped", "qkv-projection", {"qkv_projection": [
    ("project(x, k_weight, kv_heads), project(x, v_weight, kv_heads)",
     "project(x, v_weight, kv_heads), project(x, k_weight, kv_heads)")]})
known("weight-transposed", "qkv-projection", {"qkv_projection": [
    ("y = x @ weight.T", "y = x @ weight.reshape(weight.shape[::-1])")]})
known("heads-not-transposed", "qkv-projection", {"qkv_projection": [
    ("y.reshape(x.shape[0], heads, -1).transpose(1, 0, 2)", "y.reshape(heads, x.shape[0], -1)")]})
known("gelu-erf", "feed-forward", {"feed_forward": [
    ("import numpy as np\n", "import math\n\nimport numpy as np\n"),
    ("0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))",
     "0.5 * x * (1.0 + np.vectorize(math.erf, otypes=[float])(x / np.sqrt(2.0)))")]})
known("gelu-on-up", "feed-forward", {"feed_forward": [
    ("(gelu_tanh(x @ gate_weight.T) * (x @ up_weight.T))", "(gelu_tanh(x @ up_weight.T) * (x @ gate_weight.T))")]})
known("gelu-sigmoid", "feed-forward", {"feed_forward": [
    ("0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))", "x / (1.0 + np.exp(-1.702 * x))")]})
known("silu-not-gelu", "feed-forward", {"feed_forward": [
    ("0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))", "x / (1.0 + np.exp(-x))")]})
known("residual-missing", "residual-add", {"residual_add": [("return x + branch", "return branch")]})
known("final-cap-missing", "lm-head", {"lm_head": [("dense_attention.soft_cap(x @ table.T, cap)", "x @ table.T")]})
known("untied-head", "lm-head", {"lm_head": [("x @ table.T", "x @ (0 * table).T")]})
known("head-scaled", "lm-head", {"lm_head": [("x @ table.T", "x @ (table.shape[1] ** 0.5 * table).T")]})
known("missing-bos", "dense-model", {"model": [
    ("    x = embed(ids, weights, model)\n", "    ids = ids[1:] if len(ids) > 1 else ids\n    x = embed(ids, weights, model)\n")]})
known("double-bos", "dense-model", {"model": [
    ("    x = embed(ids, weights, model)\n",
     "    ids = np.concatenate([ids[:1], ids])\n    x = embed(ids, weights, model)\n")]})
TURN = "[first * cos - second * sin, second * cos + first * sin]"
known("rope-interleaved", "rotary-embedding", {"rotary_embedding": [
    ("    first, second = x[..., :half], x[..., half:]\n"
     f"    return np.concatenate({TURN}, axis=-1)",
     "    first, second = x[..., ::2], x[..., 1::2]\n"
     f"    return np.stack({TURN}, axis=-1).reshape(x.shape)")]})
known("rope-low-precision", "rotary-embedding", {"rotary_embedding": [
    ("import numpy as np\n", "import numpy as np\nfrom stages import rounding\n"),
    ("np.cos(angle), np.sin(angle)", "rounding.to_bf16(np.cos(angle)), rounding.to_bf16(np.sin(angle))")]})
known("rope-position-off-by-one", "rotary-embedding", {"rotary_embedding": [
    ("np.asarray(positions, dtype=np.float64)[:, None]", "(1.0 + np.asarray(positions, dtype=np.float64))[:, None]")]}, "from-1")
known("rope-position-off-by-one", "generation", {"generation": [
    ("        result = decoder_layer.decoder_layer(x, whole_model.layer_weights(weights, layer), positions, model, attention)",
     "        result = decoder_layer.decoder_layer(x, whole_model.layer_weights(weights, layer), 0 * positions, model, attention)")]},
      "restart")
known("rope-theta-wrong", "rotary-embedding", {"rotary_embedding": [("math.pow(theta,", "math.pow(1e6,")]})
known("rope-backwards", "rotary-embedding", {"rotary_embedding": [("np.sin(angle)", "-np.sin(angle)")]})
known("rope-missing", "rotary-embedding", {"rotary_embedding": [("    half = x.shape[-1] // 2\n", "    return x\n    half = 0\n")]})
known("cache-rolled-wrong", "generation", {"generation": [
    ("            self.k, self.v = self.k[:, -self.window:], self.v[:, -self.window:]\n"
     "            self.positions = self.positions[-self.window:]\n",
     "            self.k, self.v = self.k[:, :self.window], self.v[:, :self.window]\n"
     "            self.positions = self.positions[:self.window]\n")]}, "first-kept")
known("cache-rolled-wrong", "generation", {"generation": [
    ("        self.k = np.concatenate([self.k, k], axis=1)\n        self.v = np.concatenate([self.v, v], axis=1)\n"
     "        self.positions = np.append(self.positions, position)\n",
     "        full = self.window is not None and len(self.positions) >= self.window\n"
     "        keep = slice(0, len(self.positions) - 1 if full else None)\n"
     "        self.k = np.concatenate([self.k[:, keep], k], axis=1)\n"
     "        self.v = np.concatenate([self.v[:, keep], v], axis=1)\n"
     "        self.positions = np.append(self.positions[keep], position)\n")]}, "last-slot")

# DHSA

POOL = 'return mean * np.sqrt(np.float64(length)) if pooling == "avgpool_norm" else mean'
known("mean-not-sqrt", "chunk-representation", {"chunk_representation": [(POOL, "return mean")]})
known("sum-not-sqrt", "chunk-representation", {"chunk_representation": [
    (POOL, 'return mean * length if pooling == "avgpool_norm" else mean')]})
known("sqrt-of-query-only", "chunk-representation", {"chunk_representation": [
    ('return "avgpool" if aggregation == "maxpool" else aggregation', 'return "avgpool"')]})
known("keys-per-query-head", "chunk-representation", {"chunk_representation": [
    ("return np.mean(states, axis=0)", "return np.sum(states, axis=0)")]}, "sum")
known("keys-per-query-head", "chunk-representation", {"chunk_representation": [
    ("return np.mean(states, axis=0)", "return states[0]")]}, "first")
known("padded-query-block", "chunk-representation", {"chunk_representation": [
    ("        if end > begin:\n            out[c] = pooled(mean[begin:end], pooling, pad_to)",
     "        if end > begin:\n            out[c] = pooled(mean[begin:end], pooling, int(max(np.diff(segments))))")]})
known("similarity-scaled", "chunk-similarity", {"chunk_similarity": [
    ("query_vectors @ chunk_vectors.T", "query_vectors @ chunk_vectors.T / query_vectors.shape[1] ** 0.5")]})
known("similarity-cosine", "chunk-similarity", {"chunk_similarity": [
    ("    return query_vectors @ chunk_vectors.T",
     "    def unit(x):\n        length = (x * x).sum(axis=1, keepdims=True) ** 0.5\n        return x / (length + (length == 0))\n"
     "    return unit(query_vectors) @ unit(chunk_vectors).T")]})
known("bisect-left", "upsampling", {"upsampling": [
    ('np.searchsorted(boundaries, np.arange(length), side="right") - 1',
     'np.maximum(np.searchsorted(boundaries, np.arange(length), side="left") - 1, 0)')]})
known("boundary-off-by-one", "non-maximum-suppression", {"non_maximum_suppression": [
    ("[p + 1 for p in sorted(accepted) if 1 <= p + 1 <= length]", "[p for p in sorted(accepted) if 1 <= p <= length]")]})
known("nms-inclusive", "non-maximum-suppression", {"non_maximum_suppression": [
    ("abs(position - other) <= window", "abs(position - other) < window")]})
known("nms-by-position", "non-maximum-suppression", {"non_maximum_suppression": [
    ('order = np.argsort(-filled, kind="stable")', "order = np.arange(len(filled))")]})
known("nms-by-adjacent-only", "non-maximum-suppression", {"non_maximum_suppression": [
    ("for other in accepted)", "for other in accepted[-1:])")]})
known("theta-on-probability", "non-maximum-suppression", {"non_maximum_suppression": [
    ("logit > theta)", "1.0 / (1.0 + np.exp(-logit)) > theta)")]})
known("theta-inclusive", "non-maximum-suppression", {"non_maximum_suppression": [("logit > theta)", "logit >= theta)")]})
known("ends-not-filled", "non-maximum-suppression", {"non_maximum_suppression": [
    ("    out[:min(margin - 1, length)] = FILL\n    out[max(0, length - margin):] = FILL\n", "")]})
known("instruction-boundary-shifted", "non-maximum-suppression", {"non_maximum_suppression": [
    ("return length - tokens - 1 if 0 < tokens < length else None", "return length - tokens if 0 < tokens < length else None")]})
known("chunk-budget-plus-one", "non-maximum-suppression", {"non_maximum_suppression": [
    ("if not late and len(accepted) >= budget:", "if not late and len(accepted) > budget:")]})
known("pad-not-attended", "boundary-prediction", {"boundary_prediction": [
    ("def windows_of(features, w):", "PAD = {}\n\n\ndef windows_of(features, w):"),
    ("    return padded[np.arange(length)[:, None] + np.arange(2 * w)[None, :]]",
     "    token = np.arange(length)[:, None] + np.arange(2 * w)[None, :] - (w - 1)\n"
     "    PAD['mask'] = np.where((token < 0) | (token >= length), -np.inf, 0.0)\n"
     "    return padded[token + w - 1]"),
    ("softmax(q @ k.transpose(0, 1, 3, 2) / np.sqrt(np.float64(dim)))",
     "softmax(q @ k.transpose(0, 1, 3, 2) / np.sqrt(np.float64(dim)) + PAD['mask'][:, None, None, :])")]})
known("predictor-residual", "boundary-prediction", {"boundary_prediction": [
    ('    mixed = self_attention(windows, weights, "enc.mha.", heads)',
     '    mixed = windows + self_attention(windows, weights, "enc.mha.", heads)')]})
known("predictor-norm-missing", "boundary-prediction", {"boundary_prediction": [
    ('return layer_norm(mixed, weights["enc.norm.weight"], weights["enc.norm.bias"])', "return mixed")]})
known("predictor-window-shifted", "boundary-prediction", {"boundary_prediction": [
    ("[np.zeros((w - 1, channels)), features, np.zeros((w, channels))]",
     "[np.zeros((w, channels)), features, np.zeros((w - 1, channels))]")]})
known("predictor-heads", "boundary-prediction", {"boundary_prediction": [
    ("    dim = channels // heads\n", "    heads = heads // 2 if heads > 1 else 2\n    dim = channels // heads\n")]})
known("predictor-channels-mixed", "boundary-prediction", {"boundary_prediction": [
    ("keys.transpose(1, 0, 2).reshape(", "keys.transpose(1, 2, 0).reshape(")]})
known("keys-before-rope", "boundary-prediction", {
    "decoder_layer": [("    out.k = rotary_embedding", "    RAW['k'] = k\n    out.k = rotary_embedding"),
                      ("def window_of(", "RAW = {}\n\n\ndef window_of(")],
    "model": [("predict_boundaries(k, predictor, s)", "predict_boundaries(decoder_layer.RAW['k'], predictor, s)"),
              ("select_chain(q, k, record", "select_chain(q, decoder_layer.RAW['k'], record")]})
known("block-causality", "top-k-selection", {"top_k_selection": [
    ("high = min(length, nominal if q.ALLOWED_TO_FULL_BLOCK in quirks else end)", "high = min(length, start)")]}, "before-block")
known("block-causality", "top-k-selection", {"top_k_selection": [
    ("high = min(length, nominal if q.ALLOWED_TO_FULL_BLOCK in quirks else end)", "high = length")]}, "all-blocks")
known("forced-inside-budget", "top-k-selection", {"top_k_selection": [("max(0, cut - len(forced))", "cut")]})
known("duplicate-keys", "top-k-selection", {"top_k_selection": [
    ("    pool = [key for key in range(low, high) if key not in taken_already]", "    pool = list(range(low, high))")]}, "taken-twice")
known("duplicate-keys", "top-k-selection", {"top_k_selection": [
    ("if q.PADDED_WITH_LAST_KEY in quirks and", "if")]}, "padding")
known("tie-order", "top-k-selection", {"top_k_selection": [("np.lexsort((pool, -scores[pool]))", "np.lexsort((-pool, -scores[pool]))")]})
known("window-in-selection", "top-k-selection", {"top_k_selection": [("if window is None:\n        return 0, high", "if True:\n        return 0, high")]})
known("window-from-block-end", "top-k-selection", {"top_k_selection": [("if q.WINDOW_FROM_BLOCK_END in quirks:", "if True:")]})
known("budget-cut-to-window", "top-k-selection", {"top_k_selection": [
    ("if window is not None and q.BUDGET_CUT_TO_WINDOW in quirks:", "if window is not None:")]})
known("own-tokens-not-forced", "top-k-selection", {"top_k_selection": [("if q.LOCAL_TOKENS_AT_BLOCK_END in quirks:", "if True:")]})
known("selection-lowest-first", "top-k-selection", {"top_k_selection": [("np.lexsort((pool, -scores[pool]))", "np.lexsort((pool, scores[pool]))")]})
known("future-tokens-used", "sparse-attention", {"sparse_attention": [
    ("            mask = dense_attention.visible(np.arange(begin, end), keys, window)\n",
     "            mask = dense_attention.visible(np.arange(begin, end), keys, window)\n"
     "            if dense_from is None or begin < dense_from:\n"
     "                mask |= keys[None, :] > np.arange(begin, end)[:, None]\n")]})
known("window-missing-in-block", "sparse-attention", {"sparse_attention": [
    ("np.arange(begin, end), keys, window)", "np.arange(begin, end), keys, window if dense_from is not None and begin >= dense_from else None)")]})
known("duplicates-dropped", "sparse-attention", {"sparse_attention": [
    ("np.asarray(keys, dtype=np.int64))\n", "np.unique(np.asarray(keys, dtype=np.int64)))\n")]})
known("instruction-sparse", "sparse-attention", {"sparse_attention": [
    ("np.arange(key_start, key_start + key.shape[1]))",
     "np.union1d(np.asarray(lists[-1], dtype=np.int64), np.arange(dense_from, stop)) if len(lists) else "
     "np.arange(key_start, key_start + key.shape[1]))")]})
known("boundaries-per-layer", "dhsa-model", {"model": [("elif records and s.share_boundaries:", "elif False:")]})
known("decode-chunks-stale", "generation", {"generation": [
    ("    return np.append(boundaries[:-1], length)\n", "    return boundaries\n"),
    ("cache.all_keys, boundaries,", "cache.all_keys[:, :boundaries[-1]], boundaries,"),
    ("    block = np.array([position,", "    scores = np.concatenate([scores, np.full((1, position + 1 - scores.shape[1]), -np.inf)], axis=1)\n"
     "    block = np.array([position,"),
    ("    if position < prompt_len - 1 or", "    if True or")]})

# Systematic changes that are none of the bugs above

mutant("norm-eps-dropped", "rms-norm", "drop-term", {"rms_norm": [("mean_square + eps", "mean_square")]})
mutant("norm-f32", "rms-norm", "wrong-dtype", {"rms_norm": [
    ("np.mean(x * x, axis=-1, keepdims=True)", "np.mean((x * x).astype(np.float32), axis=-1, keepdims=True)")]})
mutant("norm-wrong-axis", "rms-norm", "swap-axes", {"rms_norm": [("np.mean(x * x, axis=-1", "np.mean(x * x, axis=0")]})
mutant("embedding-index-shifted", "embedding", "shift-index", {"embedding": [("return table[ids]", "return table[(ids + 1) % len(table)]")]})
mutant("rope-frequency-shifted", "rotary-embedding", "shift-index", {"rotary_embedding": [
    ("range(head_dim // 2)", "range(1, head_dim // 2 + 1)")]})
mutant("rope-exponent-halved", "rotary-embedding", "wrong-factor", {"rotary_embedding": [("-2.0 * j", "-1.0 * j")]})
mutant("rope-angle-f32", "rotary-embedding", "wrong-dtype", {"rotary_embedding": [
    ("    cos, sin =", "    angle = angle.astype(np.float32).astype(np.float64)\n    cos, sin =")]})
mutant("rope-cross-term-dropped", "rotary-embedding", "drop-term", {"rotary_embedding": [
    ("second * cos + first * sin", "second * cos")]})
mutant("qkv-weight-order", "qkv-projection", "swap-axes", {"qkv_projection": [
    ("y.reshape(x.shape[0], heads, -1).transpose(1, 0, 2)", "y.reshape(x.shape[0], -1, heads).transpose(2, 0, 1)")]})
mutant("softmax-no-max", "dense-attention", "drop-term", {"dense_attention": [("np.exp(masked - top)", "np.exp(masked)")]})
mutant("softmax-over-queries", "dense-attention", "swap-axes", {"dense_attention": [
    ("total = np.sum(terms, axis=-1, keepdims=True)", "total = np.sum(terms, axis=-2, keepdims=True)")]})
mutant("attention-key-position-shifted", "dense-attention", "shift-index", {"dense_attention": [
    ("np.asarray(k_positions)[None, :]\n", "np.asarray(k_positions)[None, :] - 1\n")]})
mutant("cap-f32", "dense-attention", "wrong-dtype", {"dense_attention": [
    ("cap * np.tanh(x / cap)", "cap * np.tanh((x / cap).astype(np.float32)).astype(np.float64)")]})
mutant("heads-merged-wrong", "output-projection", "swap-axes", {"output_projection": [
    ("context.transpose(1, 0, 2)", "context.transpose(1, 2, 0)")]})
mutant("output-weight-transposed", "output-projection", "swap-axes", {"output_projection": [
    ("merge_heads(context) @ weight.T", "merge_heads(context) @ weight.reshape(weight.shape[::-1])")]})
mutant("residual-subtracted", "residual-add", "flip-sign", {"residual_add": [("x + branch", "x - branch")]})
mutant("gelu-cubic-dropped", "feed-forward", "drop-term", {"feed_forward": [("(x + 0.044715 * x**3)", "x")]})
mutant("gelu-constant-rounded", "feed-forward", "wrong-factor", {"feed_forward": [("0.044715", "0.0447")]})
mutant("up-dropped", "feed-forward", "drop-term", {"feed_forward": [(" * (x @ up_weight.T)", "")]})
mutant("head-f32", "lm-head", "wrong-dtype", {"lm_head": [
    ("x @ table.T", "x.astype('float32') @ table.T.astype('float32')")]})
mutant("head-cap-attention", "lm-head", "wrong-factor", {"lm_head": [
    ("x @ table.T, cap)", "x @ table.T, None if cap is None else 50.0)")]})
mutant("residual-from-input-norm", "decoder-layer", "wrong-input", {"decoder_layer": [
    ("residual_add.residual_add(x, out.post_attn_norm)", "residual_add.residual_add(out.input_norm, out.post_attn_norm)")]})
mutant("pre-ffw-norm-skipped", "decoder-layer", "drop-term", {"decoder_layer": [
    ('rms_norm.rms_norm(between, weights["pre_feedforward_layernorm.weight"], model.eps)', "between")]})
mutant("norm-names-exchanged", "decoder-layer", "swap-inputs", {"decoder_layer": [
    ('out.attn_output, weights["post_attention_layernorm.weight"]', 'out.attn_output, weights["pre_feedforward_layernorm.weight"]')]})
mutant("keys-not-rotated", "decoder-layer", "drop-term", {"decoder_layer": [
    ("out.k = rotary_embedding.rotary_embedding(k, positions, model.rope_theta)", "out.k = k")]})
mutant("predictor-window-reversed", "boundary-prediction", "shift-index", {"boundary_prediction": [
    ("padded[np.arange(length)[:, None] + np.arange(2 * w)[None, :]]", "padded[np.arange(length)[:, None] + np.arange(2 * w)[None, ::-1]]")]})
mutant("predictor-scale-dropped", "boundary-prediction", "drop-term", {"boundary_prediction": [
    (" / np.sqrt(np.float64(dim)))", ")")]})
mutant("predictor-eps-outside", "boundary-prediction", "wrong-factor", {"boundary_prediction": [
    ("np.sqrt(variance + LAYER_NORM_EPS)", "(np.sqrt(variance) + LAYER_NORM_EPS)")]})
mutant("predictor-variance-unbiased", "boundary-prediction", "wrong-factor", {"boundary_prediction": [
    ("variance = np.mean(centred * centred, axis=-1, keepdims=True)", "variance = np.sum(centred * centred, axis=-1, keepdims=True) / (x.shape[-1] - 1)")]})
mutant("predictor-difference-signed", "boundary-prediction", "drop-term", {"boundary_prediction": [("np.abs(left - right)", "left - right")]})
mutant("predictor-cosine-unnormed", "boundary-prediction", "drop-term", {"boundary_prediction": [("/ (left_norm * right_norm)", "")]})
mutant("predictor-relu-missing", "boundary-prediction", "drop-term", {"boundary_prediction": [
    ('np.maximum(fused @ weights["mlp.0.weight"].T + weights["mlp.0.bias"], 0.0)', 'fused @ weights["mlp.0.weight"].T + weights["mlp.0.bias"]')]})
mutant("predictor-gate-ignored", "boundary-prediction", "drop-term", {"boundary_prediction": [("if gate is None:", "if True:")]})
mutant("cnn-kernel-reversed", "boundary-prediction", "shift-index", {"boundary_prediction": [
    ('weights["enc.0.weight"][:, 0, :].T[None]', 'weights["enc.0.weight"][:, 0, ::-1].T[None]')]})
mutant("stack-residual-missing", "boundary-prediction", "drop-term", {"boundary_prediction": [
    ("        x = x + layer_norm(mixed,", "        x = layer_norm(mixed,")]})
mutant("stack-shared-norm-missing", "boundary-prediction", "drop-term", {"boundary_prediction": [
    ('normed = layer_norm(x, weights["norm.weight"], weights["norm.bias"])', "normed = x")]})
mutant("fill-one-less-left", "non-maximum-suppression", "shift-index", {"non_maximum_suppression": [("min(margin - 1, length)", "max(0, min(margin - 2, length))")]})
mutant("fill-one-less-right", "non-maximum-suppression", "shift-index", {"non_maximum_suppression": [("max(0, length - margin):", "max(0, length - margin + 1):")]})
mutant("fill-smooth-ignored", "non-maximum-suppression", "drop-term", {"non_maximum_suppression": [("margin = 2 * w if smooth else w", "margin = w")]})
mutant("nms-lowest-first", "non-maximum-suppression", "flip-sign", {"non_maximum_suppression": [("np.argsort(-filled", "np.argsort(filled")]})
mutant("nms-ties-last", "non-maximum-suppression", "shift-index", {"non_maximum_suppression": [
    ('order = np.argsort(-filled, kind="stable")', 'order = len(filled) - 1 - np.argsort(-filled[::-1], kind="stable")')]})
mutant("instruction-not-accepted", "non-maximum-suppression", "drop-term", {"non_maximum_suppression": [
    ("accepted = [] if instruction is None else [instruction]", "accepted = []")]})
mutant("after-instruction-allowed", "non-maximum-suppression", "drop-term", {"non_maximum_suppression": [
    ("if instruction is not None and position > instruction:", "if False:")]})
mutant("boundaries-without-end", "non-maximum-suppression", "drop-term", {"non_maximum_suppression": [
    ("        out.append(length)\n", "        pass\n")]})
mutant("chunk-budget-rounded-up", "selection-chain", "shift-index", {"non_maximum_suppression": [
    ("length // block_size * chunk_beta", "-(-length // block_size) * chunk_beta")]})
mutant("chunk-end-inclusive", "chunk-representation", "shift-index", {"chunk_representation": [
    ("pooled(mean[begin:end], pooling, pad_to)", "pooled(mean[begin:end + 1], pooling, pad_to)")]})
mutant("maxpool-is-mean", "chunk-representation", "wrong-branch", {"chunk_representation": [('if pooling == "maxpool":', "if False:")]})
mutant("pad-to-ignored", "chunk-representation", "drop-term", {"chunk_representation": [
    ("    length = rows.shape[0]\n", "    length, pad_to = rows.shape[0], 0\n")]})
mutant("maxpool-of-keys", "selection-chain", "wrong-branch", {"chunk_representation": [
    ('return "avgpool" if aggregation == "maxpool" else aggregation', "return aggregation")]})
mutant("similarity-transposed-query", "chunk-similarity", "flip-sign", {"chunk_similarity": [("query_vectors @", "-query_vectors @")]})
mutant("upsampling-next-chunk", "upsampling", "shift-index", {"upsampling": [
    ("chunk_scores[:, chunk_of(", "np.roll(chunk_scores, -1, axis=1)[:, chunk_of(")]})
mutant("topk-window-oldest-plus-one", "top-k-selection", "shift-index", {"top_k_selection": [("start - window + 1", "start - window + 2")]})
mutant("topk-local-one-less", "top-k-selection", "shift-index", {"top_k_selection": [("start - 1 - local_tokens, -1)", "start - local_tokens, -1)")]})
mutant("topk-global-one-late", "top-k-selection", "shift-index", {"top_k_selection": [
    ("wanted += list(range(low, low + global_tokens))", "wanted += list(range(low + 1, low + 1 + global_tokens))")]})
mutant("topk-budget-minus-one", "top-k-selection", "shift-index", {"top_k_selection": [("    return min(budget, length)\n", "    return min(budget - 1, length)\n")]})
mutant("topk-segment-is-block", "top-k-selection", "shift-index", {"top_k_selection": [
    ("select(token_scores[block[3]], block,", "select(token_scores[min(i, len(token_scores) - 1)], block,"), ("for block in blocks]", "for i, block in enumerate(blocks)]")]})
mutant("topk-forced-own-dropped", "top-k-selection", "drop-term", {"top_k_selection": [("list(range(start, end)) + ", "")]})
mutant("topk-nan-first", "top-k-selection", "flip-comparison", {"top_k_selection": [
    ("np.lexsort((pool, -scores[pool]))", "np.lexsort((pool, -np.nan_to_num(scores[pool], nan=np.inf, posinf=np.inf, neginf=-np.inf)))")]})
mutant("splice-start-shifted", "top-k-selection", "shift-index", {"top_k_selection": [("max(0, int(block[0]) - window)\n    out", "max(0, int(block[0]) - window + 1)\n    out")]})
mutant("splice-cap-missing", "top-k-selection", "drop-term", {"top_k_selection": [
    ("np.minimum(np.arange(first, first + count), min(length, int(block[2])) - 1)", "np.minimum(np.arange(first, first + count), length - 1)")]})
mutant("sparse-key-start-ignored", "sparse-attention", "shift-index", {"sparse_attention": [("keys - key_start\n", "keys - 0\n")]})
mutant("instruction-missing", "sparse-attention", "drop-term", {"sparse_attention": [("if dense_from is not None and dense_from < stop:", "if False:")]})
mutant("row-window-not-widened", "sparse-chain", "drop-term", {"dhsa_attention": [
    ("return window + 1 if window is not None and q.WINDOW_PLUS_ONE in s.quirks else window", "return window")]})
mutant("shared-masks-ignored", "dhsa-model", "drop-term", {"model": [("if s.share_masks and kind in shared_lists:", "if False:")]})
mutant("dynamic-blocks-not-split", "selection-chain", "drop-term", {"query_blocks": [
    ("for start in range(int(begin), int(end), block_size):\n            stop = min(start + block_size, int(end))",
     "for start in [int(begin)] * int(end > begin):\n            stop = int(end) if chunking != 'fixed-blocks' else min(start + block_size, int(end))")]})
mutant("dense-from-shifted", "sparse-chain", "shift-index", {"query_blocks": [("max(0, length - instruction_tokens)", "max(0, length - instruction_tokens + 1)")]})
mutant("greedy-last-of-equals", "generation", "shift-index", {"generation": [
    ("int(np.argmax(logits))", "len(logits) - 1 - int(np.argmax(logits[::-1]))")]})
mutant("decode-boundary-judged-late", "generation", "shift-index", {"generation": [("position = length - 1 - s.w", "position = length - 2 - s.w")]})
mutant("decode-nms-ignored", "generation", "drop-term", {"generation": [("if chunks > 1 and position - last_accepted <= s.nms_window:", "if False:")]})
mutant("decode-budget-of-prompt", "generation", "wrong-input", {"generation": [("s.decode_budget", "s.budget")]})
mutant("decode-position-shifted", "generation", "shift-index", {"generation": [("len(ids) + n, caches", "len(ids) + n + 1, caches")]})
mutant("forced-ids-ignored", "generation", "wrong-branch", {"generation": [("tokens[n] if forced is None else forced[n]", "tokens[n]")]})
mutant("decode-forgets-before-attention", "generation", "wrong-order", {"generation": [
    ("        self.all_keys = np.concatenate([self.all_keys, k], axis=1)\n",
     "        self.all_keys = np.concatenate([self.all_keys, k], axis=1)\n        self.forget()\n")]})
mutant("decode-nms-asked-of-start", "generation", "wrong-branch", {"generation": [("if chunks > 1 and position", "if position")]})
mutant("decode-chunk-budget-of-prompt", "generation", "wrong-input", {"generation": [
    ("chunk_budget(length, s.block_size", "chunk_budget(prompt_len, s.block_size")]})
mutant("decode-other-layers-stale", "generation", "wrong-branch", {"generation": [
    ("            chunks[layer] = chunks[0]\n", "            chunks[layer] = grow(chunks[layer], position + 1)\n")]})
mutant("decode-window-key-extra", "generation", "shift-index", {"generation": [
    ("mask = dense_attention.visible(positions, shared[kind].keys, window)",
     "mask = dense_attention.visible(positions, shared[kind].keys, None)")]},
       equivalent="the selection has cut the list to the window already: no listed key lies outside it")
mutant("decode-boundary-of-prompt-judged", "generation", "shift-index", {"generation": [
    ("if position < prompt_len - 1 or", "if position < prompt_len - 2 or")]})
