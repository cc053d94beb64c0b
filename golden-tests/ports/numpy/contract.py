"""From a case to the stage functions: inputs and config in the names of the contract, outputs under its names.

`run(slug, inputs, config)` takes widened arrays (float64, int64) and gives {tensor name: array}.
"""
from types import SimpleNamespace

import numpy as np

from stages import (boundary_prediction, chunk_representation, chunk_similarity, clustered_policies, decoder_layer,
                    dense_attention, dhsa_attention, embedding, feed_forward, gated_policies, generation, kept_policies,
                    lm_head, model as whole_model, non_maximum_suppression, output_projection, published_policies,
                    qkv_projection, quirks, residual_add, rms_norm, rotary_embedding, selection_policies,
                    sparse_attention, top_k_selection, upsampling)

POLICIES = "selection-policy"
for family in (published_policies, clustered_policies, kept_policies, gated_policies):
    selection_policies.POLICIES.update(family.POLICIES)


class NotCovered(Exception):
    """The port does not compute this stage or this policy."""


PREDICTOR_PREFIXES = ("enc.", "enc_ls.", "norm.", "pool.", "mlp.")


def padded(lists, width=None):
    """Lists of positions -> [rows, width], -1 behind the end; as wide as the longest one."""
    width = max((len(row) for row in lists), default=0) if width is None else width
    out = np.full((len(lists), width), -1, dtype=np.int64)
    for i, row in enumerate(lists):
        out[i, :len(row)] = row
    return out


def selection_tensors(selections):
    keys = padded([x.keys for x in selections])
    return {
        "selectedKeys": keys,
        "selectedCounts": np.array([len(x.keys) for x in selections], dtype=np.int64),
        "forcedKeys": padded([x.forced for x in selections]),
        "allowed": np.array([(x.low, x.high) for x in selections], dtype=np.int64).reshape(-1, 2),
        "threshold": np.array([x.threshold for x in selections], dtype=np.float64),
        "margin": np.array([x.margin for x in selections], dtype=np.float64)}


def predictor_of(inputs, config):
    weights = {name: value for name, value in inputs.items() if name.startswith(PREDICTOR_PREFIXES)}
    if not weights:
        return None
    kind = boundary_prediction.kind_of(weights)
    if kind != config["predictor"]:
        raise ValueError(f"config.predictor says {config['predictor']}, the weights are those of {kind}")
    return weights


def model_of(config):
    return whole_model.settings(
        layers=config.get("numHiddenLayers"), heads=config["numAttentionHeads"], kv_heads=config["numKeyValueHeads"],
        head_dim=config["headDim"], sliding_window=config["slidingWindow"],
        query_pre_attn_scalar=config["queryPreAttnScalar"], attn_cap=config["attnLogitSoftcapping"],
        final_cap=config.get("finalLogitSoftcapping"), eps=config["rmsNormEps"], rope_theta=config["ropeTheta"],
        embedding_scale=config.get("embeddingScale", "exact"))


def dhsa_of(config):
    return dhsa_attention.settings(
        w=config["boundaryWindowSize"], predictor_heads=config["predictorHeads"], block_size=config["blockSize"],
        budget=config["budget"], local_tokens=config["localTokens"], global_tokens=config["globalTokens"],
        instruction_tokens=config["instructionTokens"], theta=config["theta"], nms_window=config["nmsWindow"],
        chunk_beta=config["chunkBeta"], smooth_ends=config["smoothEnds"], aggregation=config["aggregation"],
        query_chunking=config["queryChunking"], quirks=config["quirks"],
        share_boundaries=config.get("shareBoundaries", True), share_masks=config.get("shareMasks", False),
        decode_budget=config.get("decodeBudget") or 0, decode_mode=config.get("decodeMode", "dense"))


# single stages


def run_embedding(t, c):
    return {"hidden": embedding.embedding(t["table"], t["ids"], c["embeddingScale"])}


def run_rms_norm(t, c):
    return {"normed": rms_norm.rms_norm(t["x"], t["weight"], c["rmsNormEps"])}


def run_qkv_projection(t, c):
    query, key, value = qkv_projection.qkv_projection(
        t["x"], t["qProj"], t["kProj"], t["vProj"], c["numAttentionHeads"], c["numKeyValueHeads"])
    return {"query": query, "key": key, "value": value}


def run_rotary_embedding(t, c):
    positions = c["startPosition"] + np.arange(t["x"].shape[1])
    return {"rotated": rotary_embedding.rotary_embedding(t["x"], positions, c["ropeTheta"])}


def run_dense_attention(t, c):
    return {"context": dense_attention.dense_attention(
        t["query"], t["key"], t["value"], c["queryStart"] + np.arange(t["query"].shape[1]),
        c["keyStart"] + np.arange(t["key"].shape[1]), whole_model.attention_scale(c["queryPreAttnScalar"]),
        c["attnLogitSoftcapping"], c["slidingWindow"])}


def run_boundary_prediction(t, c):
    return {"logits": boundary_prediction.predict(
        boundary_prediction.features_of(t["key"]), predictor_of(t, c), c["boundaryWindowSize"], c["predictorHeads"])}


def run_non_maximum_suppression(t, c):
    filled, accepted, boundaries = non_maximum_suppression.non_maximum_suppression(
        t["logits"], c["boundaryWindowSize"], c["chunkBudget"], c["theta"], c["nmsWindow"], c["smoothEnds"],
        c["instructionTokens"], quirks.checked(c["quirks"]))
    return {"filled": filled, "accepted": accepted, "boundaries": boundaries}


def run_chunk_representation(t, c):
    return {"chunks": chunk_representation.chunk_representation(t["states"], t["segments"], c["pooling"], c["padTo"])}


def run_chunk_similarity(t, c):
    return {"chunkScores": chunk_similarity.chunk_similarity(t["queryChunks"], t["keyChunks"])}


def run_upsampling(t, c):
    return {"tokenScores": upsampling.upsampling(t["chunkScores"], t["boundaries"])}


def run_top_k_selection(t, c):
    return selection_tensors(top_k_selection.top_k_selection(
        t["tokenScores"], t["blocks"], c["slidingWindow"], c["budget"], c["localTokens"], c["globalTokens"],
        quirks.checked(c["quirks"])))


def run_sparse_attention(t, c):
    window = c["slidingWindow"]
    if window is not None and c["extraWindowKey"]:
        window += 1
    return {"context": sparse_attention.sparse_attention(
        t["query"], t["key"], t["value"], t["blocks"], [row[row >= 0] for row in t["selectedKeys"]],
        whole_model.attention_scale(c["queryPreAttnScalar"]), c["attnLogitSoftcapping"], window,
        c["queryStart"], c["keyStart"], c["denseFrom"])}


def run_output_projection(t, c):
    return {"hidden": output_projection.output_projection(t["context"], t["oProj"])}


def run_residual_add(t, c):
    return {"hidden": residual_add.residual_add(t["x"], t["branch"])}


def run_feed_forward(t, c):
    return {"hidden": feed_forward.feed_forward(t["x"], t["gateProj"], t["upProj"], t["downProj"])}


def run_lm_head(t, c):
    return {"logits": lm_head.lm_head(t["x"], t["table"], c["finalLogitSoftcapping"])}


# composites


def layer_tensors(result):
    return {"inputLayernorm": result.input_norm, "query": result.q, "key": result.k, "value": result.v,
            "context": result.context, "attnOutput": result.attn_output,
            "postAttentionLayernorm": result.post_attn_norm, "preFeedforwardLayernorm": result.pre_ffw_norm,
            "mlpOutput": result.mlp_output, "postFeedforwardLayernorm": result.post_ffw_norm, "hidden": result.hidden}


def run_decoder_layer(t, c):
    model = model_of(c)
    attention = whole_model.dense_prompt_attention(model, decoder_layer.window_of(c["layer"], model))
    weights = whole_model.layer_weights(t, c["layer"]) or t
    return layer_tensors(decoder_layer.decoder_layer(
        t["x"], weights, np.arange(t["x"].shape[0]), model, attention))


def model_tensors(result):
    out = {"embeddings": result.embedded, "finalNorm": result.final_norm, "logits": result.logits}
    for layer, record in enumerate(result.layers):
        out.update({f"layers.{layer}.{name}": value for name, value in layer_tensors(record).items()})
    return out


def run_dense_model(t, c):
    return model_tensors(whole_model.dense_forward(t["ids"], t, model_of(c)))


def chain_tensors(chain):
    out = {"keyChunks": chain.key_chunks}
    if len(chain.blocks):
        out.update({"blocks": chain.blocks, "queryChunks": chain.query_chunks, "chunkScores": chain.chunk_scores,
                    "tokenScores": chain.token_scores})
        out.update(selection_tensors(chain.selections))
    return out


def run_chain(t, c):
    s = dhsa_of(c)
    prediction = dhsa_attention.predict_boundaries(t["key"], predictor_of(t, c), s)
    chain = dhsa_attention.select_chain(t["query"], t["key"], prediction.boundaries, c["slidingWindow"], s)
    return {"boundaryLogits": prediction.logits, "filled": prediction.filled, "boundaries": prediction.boundaries,
            **chain_tensors(chain)}, chain, s


def run_selection_chain(t, c):
    return run_chain(t, c)[0]


def run_sparse_chain(t, c):
    out, chain, s = run_chain(t, c)
    out["context"] = dhsa_attention.attend(
        t["query"], t["key"], t["value"], chain, whole_model.attention_scale(c["queryPreAttnScalar"]),
        c["attnLogitSoftcapping"], c["slidingWindow"], s)
    return out


def run_dhsa_model(t, c):
    result = whole_model.dhsa_forward(t["ids"], t, model_of(c), dhsa_of(c), predictor_of(t, c))
    out = model_tensors(result)
    for layer, record in enumerate(result.dhsa):
        here = {"boundaries": record.boundaries}
        if record.prediction is not None:
            here.update({"boundaryLogits": record.prediction.logits, "filled": record.prediction.filled})
        chain = chain_tensors(record.chain)
        if not record.selected:
            chain = {name: value for name, value in chain.items() if name in ("selectedKeys", "selectedCounts")}
        out.update({f"layers.{layer}.{name}": value for name, value in {**here, **chain}.items()})
    return out


def run_generation(t, c):
    sparse = c["attention"] == "dhsa"
    result = generation.generate(
        t["ids"], c["newTokens"], t, model_of(c), dhsa_of(c) if sparse else None, predictor_of(t, c) if sparse else None,
        forced=c.get("forcedIds"))
    vocab = len(result.logits[0])
    out = {"promptLogits": result.logits[0], "generated": np.array(result.tokens, dtype=np.int64),
           "stepLogits": np.array(result.logits[1:]).reshape(-1, vocab),
           "cacheStart": np.array([cache.positions[0] for cache in result.caches], dtype=np.int64)}
    for layer, cache in enumerate(result.caches):
        out[f"layers.{layer}.cacheKey"], out[f"layers.{layer}.cacheValue"] = cache.k, cache.v
    if result.steps and result.steps[0].selections:
        out["stepBoundaries"] = padded([step.boundaries[0] for step in result.steps])
        for layer in range(len(result.caches)):
            out[f"layers.{layer}.stepSelectedKeys"] = padded([step.selections[layer].keys for step in result.steps])
    return out


def run_selection_policy(t, c):
    name = c["policy"].split(":")[0]
    if not selection_policies.covered(name, c["parameters"]):
        raise NotCovered(f"policy {c['policy']} is not computed here")
    resources = SimpleNamespace(
        layer=c["layer"], layers=c["numHiddenLayers"], window=c["slidingWindow"], ids=t.get("ids"),
        sentence_ends=set(c.get("sentenceEndIds", ())), w=c.get("boundaryWindowSize", 4),
        predictor=predictor_of(t, c), predictor_heads=c.get("predictorHeads") or 1, weights=t, config=c,
        choosing_layer=c.get("choosingLayer"), choosing=(t["choosing.query"], t["choosing.key"]) if "choosing.query" in t else None)
    rule = SimpleNamespace(scale=whole_model.attention_scale(c["queryPreAttnScalar"]), cap=c["attnLogitSoftcapping"],
                           window=c["slidingWindow"])
    lists, pairs, context = selection_policies.run(
        name, c["parameters"], resources, t["query"], t["key"], t["value"], c["promptLength"], c["denseTail"], rule)
    out = {"pairs": np.array(pairs, dtype=np.int64), "context": context}
    if lists:
        out.update({"lists": np.array([(x.head, x.start, x.end) for x in lists], dtype=np.int64),
                    "selectedKeys": padded([x.keys for x in lists])})
        if any(not np.isnan(x.threshold) for x in lists):
            out.update({"threshold": np.array([x.threshold for x in lists]), "margin": np.array([x.margin for x in lists])})
        if any(x.tied for x in lists):
            out["tiedKeys"] = padded([x.tied for x in lists])
    return out


STAGES = {name[4:].replace("_", "-"): function for name, function in list(globals().items())
          if name.startswith("run_") and name != "run_chain"}


def run(slug, inputs, config):
    if slug not in STAGES:
        raise NotCovered(f"stage {slug} is not known here; known: {', '.join(sorted(STAGES))}")
    return STAGES[slug](inputs, config)
