"""Boundary prediction: one logit per position, from the w features on each side of the gap after it.

Three published predictors, told apart by their weights: `attention` (attention over the window, then LayerNorm),
`stack` (several pre-normalised attention blocks with residuals) and `cnn` (a depthwise convolution).
Weights carry PyTorch state-dict names. There are no dropouts and no positions.
"""
import numpy as np

LAYER_NORM_EPS = 1e-5


def features_of(keys):
    """Post-rotary keys [kvHeads, keyLen, headDim] -> [keyLen, kvHeads * headDim]; channel = kvHead * headDim + d."""
    heads, length, dim = keys.shape
    return keys.transpose(1, 0, 2).reshape(length, heads * dim)


def windows_of(features, w):
    """[keyLen, C] -> [keyLen, 2w, C]: tokens p-w+1 .. p+w of position p, zeros outside the sequence."""
    length, channels = features.shape
    padded = np.concatenate([np.zeros((w - 1, channels)), features, np.zeros((w, channels))])
    return padded[np.arange(length)[:, None] + np.arange(2 * w)[None, :]]


def layer_norm(x, weight, bias):
    centred = x - np.mean(x, axis=-1, keepdims=True)
    variance = np.mean(centred * centred, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + LAYER_NORM_EPS) * weight + bias


def softmax(x, axis=-1):
    terms = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return terms / np.sum(terms, axis=axis, keepdims=True)


def self_attention(x, weights, prefix, heads):
    """Multi-head self-attention inside each window; x [windows, 2w, C]. All 2w rows take part, zeros too."""
    count, length, channels = x.shape
    dim = channels // heads
    qkv = x @ weights[prefix + "in_proj_weight"].T + weights[prefix + "in_proj_bias"]
    # [3, windows, heads, 2w, dim]
    q, k, v = qkv.reshape(count, length, 3, heads, dim).transpose(2, 0, 3, 1, 4)
    attention = softmax(q @ k.transpose(0, 1, 3, 2) / np.sqrt(np.float64(dim)))
    mixed = (attention @ v).transpose(0, 2, 1, 3).reshape(count, length, channels)
    return mixed @ weights[prefix + "out_proj.weight"].T + weights[prefix + "out_proj.bias"]


def encode_attn(windows, weights, heads):
    mixed = self_attention(windows, weights, "enc.mha.", heads)
    return layer_norm(mixed, weights["enc.norm.weight"], weights["enc.norm.bias"])


def encode_stack(windows, weights, heads):
    x, block = windows, 0
    while f"enc_ls.{block}.mha.in_proj_weight" in weights:
        prefix = f"enc_ls.{block}."
        normed = layer_norm(x, weights["norm.weight"], weights["norm.bias"])
        mixed = self_attention(normed, weights, prefix + "mha.", heads)
        x = x + layer_norm(mixed, weights[prefix + "norm.weight"], weights[prefix + "norm.bias"])
        block += 1
    return x


def encode_cnn(half, weights):
    """Depthwise convolution over the w tokens of one side (one output), ReLU, 1x1 convolution, ReLU."""
    mixed = np.sum(half * weights["enc.0.weight"][:, 0, :].T[None], axis=1) + weights["enc.0.bias"]
    return np.maximum(np.maximum(mixed, 0.0) @ weights["enc.2.weight"][:, :, 0].T + weights["enc.2.bias"], 0.0)


def pool(half, weights):
    """[windows, w, C] -> [windows, C]: the mean, or a softmax-weighted sum where the weights hold a gate."""
    gate = weights.get("pool.gate.weight")
    if gate is None:
        return np.mean(half, axis=1)
    score = half @ gate[0]
    if "pool.gate.bias" in weights:
        score = score + weights["pool.gate.bias"][0]
    return np.sum(softmax(score)[..., None] * half, axis=1)


def cosine(left, right, eps):
    """left . right / (max(|left|, eps) * max(|right|, eps))"""
    left_norm = np.maximum(np.sqrt(np.sum(left * left, axis=-1)), eps)
    right_norm = np.maximum(np.sqrt(np.sum(right * right, axis=-1)), eps)
    return np.sum(left * right, axis=-1) / (left_norm * right_norm)


def kind_of(weights):
    if "enc.mha.in_proj_weight" in weights:
        return "attention"
    return "stack" if "enc_ls.0.mha.in_proj_weight" in weights else "cnn"


def parts(features, weights, w, heads, cosine_eps=None):
    """-> (left, right, cosine, fused, logits) for every position of features [keyLen, C]"""
    kind = kind_of(weights)
    windows = windows_of(features, w)
    if kind == "cnn":
        left, right = encode_cnn(windows[:, :w], weights), encode_cnn(windows[:, w:], weights)
    else:
        encoded = (encode_attn if kind == "attention" else encode_stack)(windows, weights, heads)
        left, right = pool(encoded[:, :w], weights), pool(encoded[:, w:], weights)
    cos = cosine(left, right, cosine_eps if cosine_eps is not None else (1e-8 if kind == "stack" else 1e-6))
    fused = np.concatenate([left, right, np.abs(left - right), left * right, cos[:, None]], axis=-1)
    hidden = np.maximum(fused @ weights["mlp.0.weight"].T + weights["mlp.0.bias"], 0.0)
    logits = (hidden @ weights["mlp.2.weight"].T + weights["mlp.2.bias"])[:, 0]
    return left, right, cos, fused, logits


def predict(features, weights, w, heads):
    """features [keyLen, C] -> raw logits [keyLen]"""
    return parts(features, weights, w, heads)[4]
