"""One Gemma 2 layer: h = x + postAttnNorm(attn(inputNorm(x))); x = h + postFfwNorm(mlp(preFfwNorm(h)))."""
from types import SimpleNamespace

from stages import feed_forward, output_projection, qkv_projection, residual_add, rms_norm, rotary_embedding


def window_of(layer, model):
    """The window of a local layer (even ones), None for a global layer."""
    return model.sliding_window if layer % 2 == 0 else None


def queries_keys_values(x, weights, positions, model):
    """-> namespace: normed input, rotated q, rotated k, v"""
    out = SimpleNamespace(input_norm=rms_norm.rms_norm(x, weights["input_layernorm.weight"], model.eps))
    q, k, out.v = qkv_projection.qkv_projection(
        out.input_norm, weights["self_attn.q_proj.weight"], weights["self_attn.k_proj.weight"],
        weights["self_attn.v_proj.weight"], model.heads, model.kv_heads)
    out.q = rotary_embedding.rotary_embedding(q, positions, model.rope_theta)
    out.k = rotary_embedding.rotary_embedding(k, positions, model.rope_theta)
    return out


def after_attention(x, out, weights, model):
    """From the attention's context to the layer's output; adds what is between to `out`."""
    out.attn_output = output_projection.output_projection(out.context, weights["self_attn.o_proj.weight"])
    out.post_attn_norm = rms_norm.rms_norm(out.attn_output, weights["post_attention_layernorm.weight"], model.eps)
    between = residual_add.residual_add(x, out.post_attn_norm)
    out.pre_ffw_norm = rms_norm.rms_norm(between, weights["pre_feedforward_layernorm.weight"], model.eps)
    out.mlp_output = feed_forward.feed_forward(
        out.pre_ffw_norm, weights["mlp.gate_proj.weight"], weights["mlp.up_proj.weight"], weights["mlp.down_proj.weight"])
    out.post_ffw_norm = rms_norm.rms_norm(out.mlp_output, weights["post_feedforward_layernorm.weight"], model.eps)
    out.hidden = residual_add.residual_add(between, out.post_ffw_norm)
    return out


def decoder_layer(x, weights, positions, model, attention):
    """`attention(q, k, v)` -> context; x [queryLen, modelDim] -> namespace with `hidden` and every intermediate"""
    out = queries_keys_values(x, weights, positions, model)
    out.context = attention(out.q, out.k, out.v)
    return after_attention(x, out, weights, model)
