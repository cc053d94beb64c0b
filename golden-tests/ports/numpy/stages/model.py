"""The whole model over a prompt: dense Gemma 2, and Gemma 2 with DHSA. Weights carry the Hugging Face names."""
from types import SimpleNamespace

import numpy as np

from stages import decoder_layer, dense_attention, dhsa_attention, embedding, lm_head, rms_norm


def settings(**given):
    values = dict(layers=None, heads=None, kv_heads=None, head_dim=None, sliding_window=4096, query_pre_attn_scalar=None,
                  attn_cap=50.0, final_cap=30.0, eps=1e-6, rope_theta=10000.0, embedding_scale="exact")
    unknown = set(given) - set(values)
    if unknown:
        raise ValueError(f"unknown model settings {sorted(unknown)}")
    values.update(given)
    return SimpleNamespace(**values)


def attention_scale(query_pre_attn_scalar):
    return np.float64(query_pre_attn_scalar) ** -0.5


def layer_weights(weights, layer):
    prefix = f"model.layers.{layer}."
    return {name[len(prefix):]: value for name, value in weights.items() if name.startswith(prefix)}


def embed(ids, weights, model):
    return embedding.embedding(weights["model.embed_tokens.weight"], np.asarray(ids), model.embedding_scale)


def head(x, weights, model):
    """-> (final norm, logits)"""
    normed = rms_norm.rms_norm(x, weights["model.norm.weight"], model.eps)
    return normed, lm_head.lm_head(normed, weights["model.embed_tokens.weight"], model.final_cap)


def forward(ids, weights, model, attention_of):
    """`attention_of(layer, window)` gives the layer's attention(q, k, v) -> context.
    -> namespace: embedded, layers (one namespace each), final_norm, logits [queryLen, vocab]"""
    x = embed(ids, weights, model)
    out = SimpleNamespace(embedded=x, layers=[])
    positions = np.arange(len(ids))
    for layer in range(model.layers):
        attention = attention_of(layer, decoder_layer.window_of(layer, model))
        result = decoder_layer.decoder_layer(x, layer_weights(weights, layer), positions, model, attention)
        out.layers.append(result)
        x = result.hidden
    out.final_norm, out.logits = head(x, weights, model)
    return out


def dense_prompt_attention(model, window):
    def attention(q, k, v):
        positions = np.arange(q.shape[1])
        return dense_attention.dense_attention(
            q, k, v, positions, positions, attention_scale(model.query_pre_attn_scalar), model.attn_cap, window)
    return attention


def dense_forward(ids, weights, model):
    return forward(ids, weights, model, lambda layer, window: dense_prompt_attention(model, window))


def dhsa_forward(ids, weights, model, s, predictor=None, boundaries=None):
    """Every layer through the chain. `boundaries`: given ones; else the predictor finds them, from layer 0's keys for
    all layers, or in each layer where boundaries are not shared. Adds `dhsa` (one namespace per layer): prediction
    (None where the layer did not predict), boundaries, chain, selected (False where masks came from another layer)."""
    records, shared_lists = [], {}

    def attention_of(layer, window):
        def attention(q, k, v):
            record = SimpleNamespace(prediction=None, selected=True)
            if boundaries is not None:
                record.boundaries = boundaries
            elif records and s.share_boundaries:
                record.boundaries = records[0].boundaries
            else:
                record.prediction = dhsa_attention.predict_boundaries(k, predictor, s)
                record.boundaries = record.prediction.boundaries
            kind = "global" if window is None else "local"
            if s.share_masks and kind in shared_lists:
                record.chain, record.selected = shared_lists[kind], False
            else:
                record.chain = dhsa_attention.select_chain(q, k, record.boundaries, window, s)
                shared_lists[kind] = record.chain
            records.append(record)
            return dhsa_attention.attend(
                q, k, v, record.chain, attention_scale(model.query_pre_attn_scalar), model.attn_cap, window, s)
        return attention
    out = forward(ids, weights, model, attention_of)
    out.dhsa = records
    return out
