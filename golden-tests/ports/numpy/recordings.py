"""The port against the recordings of the official code (golden-tests/recordings), with their own tolerances."""
import json
import os

import numpy as np

import safetensors_io
from stages import (boundary_prediction, dhsa_attention, generation, labels, model as whole_model,
                    non_maximum_suppression, quirks)


class Check:
    """Collects the comparisons of one recording."""

    def __init__(self, tolerance):
        self.abs, self.rel = tolerance.get("abs", 0.0), tolerance.get("rel", 0.0)
        self.worst, self.failures, self.compared = 0.0, [], 0

    def close(self, name, actual, expected):
        actual, expected = np.asarray(actual, dtype=np.float64), np.asarray(expected, dtype=np.float64)
        self.compared += 1
        if actual.shape != expected.shape:
            self.failures.append(f"{name}: shape {actual.shape}, recorded {expected.shape}")
            return
        if not np.array_equal(np.isnan(actual), np.isnan(expected)):
            self.failures.append(f"{name}: NaN in other places")
            return
        error = np.nan_to_num(np.abs(actual - expected))
        self.worst = max(self.worst, float(error.max(initial=0.0)))
        if np.any(error > self.abs + self.rel * np.abs(np.nan_to_num(expected))):
            self.failures.append(f"{name}: largest error {error.max():.3g}")

    def same(self, name, actual, expected):
        self.compared += 1
        if not np.array_equal(np.asarray(actual), np.asarray(expected)):
            self.failures.append(f"{name}: differs")


def tensors(folder, name):
    return {key: value.widen() for key, value in safetensors_io.read(os.path.join(folder, name)).items()}


def model_settings(p):
    return whole_model.settings(layers=p["layers"], heads=p["heads"], kv_heads=p["kv"], head_dim=p["hd"],
                                sliding_window=p["window"], query_pre_attn_scalar=p["qpas"], attn_cap=p["acap"],
                                final_cap=p["fcap"], eps=p["eps"])


def gemma2(folder, case, check):
    p = case["hyperparameters"]
    expected, weights = tensors(folder, "expected.safetensors"), tensors(folder, "model.safetensors")
    model = model_settings(p)
    ids = expected["input_ids"][0]
    if "step_logits" in expected:
        run = generation.generate(ids, p["steps"] + 1, weights, model)
        check.close("step_logits", run.logits, expected["step_logits"])
        check.same("generated", run.tokens, expected["generated"])
        for layer, cache in enumerate(run.caches):
            for part, held in (("key", cache.k), ("value", cache.v)):
                recorded = expected[f"kv.{layer}.{part}"][0][cache.positions].transpose(1, 0, 2)
                check.close(f"kv.{layer}.{part}", held, recorded)
        return
    run = whole_model.dense_forward(ids, weights, model)
    check.close("embeddings_scaled", run.embedded, expected["embeddings_scaled"][0])
    check.close("logits", run.logits, expected["logits"][0])
    names = {"hidden_out": lambda r: r.hidden, "attn_output": lambda r: r.attn_output, "input_layernorm": lambda r: r.input_norm,
             "q_rope": lambda r: r.q.transpose(1, 0, 2), "k_rope": lambda r: r.k.transpose(1, 0, 2),
             "v": lambda r: r.v.transpose(1, 0, 2), "mlp_output": lambda r: r.mlp_output}
    for layer, result in enumerate(run.layers):
        for name, get in names.items():
            key = f"layers.{layer}.{name}"
            if key in expected:
                check.close(key, get(result), expected[key][0])


def predictor(folder, case, check):
    p = case["hyperparameters"]
    weights, t = tensors(folder, "weights.safetensors"), tensors(folder, "tensors.safetensors")
    for b in range(t["features"].shape[0]):
        left, right, cos, fused, logits = boundary_prediction.parts(
            t["features"][b].T, weights, p["w"], p.get("heads"))
        for name, actual in (("left", left), ("right", right), ("cosine", cos), ("fused", fused), ("logits", logits)):
            if name in t:
                check.close(name, actual[:t[name].shape[1]], t[name][b])


def predict_boundaries(folder, case, check):
    p = case["hyperparameters"]
    weights, t = tensors(folder, "weights.safetensors"), tensors(folder, "tensors.safetensors")
    raw = boundary_prediction.predict(boundary_prediction.features_of(t["key_states"][0]), weights, p["w"], p["heads"])
    filled, _, boundaries = non_maximum_suppression.non_maximum_suppression(
        raw, p["w"], p["num_chunks"], p["theta"], p["nms"] if p["use_nms"] else 0, p["smooth"], p["ins"], quirks.ALL)
    check.close("raw_logits", raw, t["raw_logits"][0])
    check.close("ratios", filled, t["ratios"][0])
    check.same("boundaries", boundaries, t["boundaries"][0])


def select(folder, case, check):
    t = tensors(folder, "tensors.safetensors")
    for c in case["results"]["cases"]:
        position = non_maximum_suppression.instruction_position(c["L"], c["instruction_tokens"], quirks.ALL)
        accepted = non_maximum_suppression.accept(
            t[f"{c['index']}.ratios"], c["theta"], c["nms_window_size"], c["topk"], position, quirks.ALL)
        check.same(f"{c['index']}.result", sorted(accepted), c.get("result", c.get("result_low")))


def upstream_settings(p):
    return dhsa_attention.settings(
        quirks=quirks.ALL, block_size=p["bs"], budget=p["topk"], local_tokens=p["local"], global_tokens=p.get("G", 0),
        instruction_tokens=p.get("ins"), aggregation=p["pooling"])


def dhsa_mask(folder, case, check):
    p, t = case["hyperparameters"], tensors(folder, "tensors.safetensors")
    s = upstream_settings(p)
    # the queries end before the keys do: as with an instruction of the difference
    s.instruction_tokens = p["L"] - p["q_len"] or None
    # a tie at the cut: the recording holds the choice "lower index first" under its own name
    wanted = "indices_low" if "indices_low" in t else "indices"
    for b in range(p.get("B", 1)):
        k, boundaries = t["key"][b], t["boundaries"][b]
        q = np.zeros(k.shape)
        q[:, :p["q_len"]] = t["query"][b]
        chain = dhsa_attention.select_chain(q, k, boundaries, p["W"], s)
        check.close("q_repr", chain.query_chunks, t["q_repr"][b])
        check.close("k_repr", chain.key_chunks, t["k_repr"][b])
        check.close("chunk_scores", chain.chunk_scores, t["chunk_scores"][b])
        check.close("token_scores", chain.token_scores, t["token_scores"][b])
        check.close("threshold", [x.threshold for x in chain.selections], t["threshold"][b])
        check.same(wanted, np.stack([x.plain for x in chain.selections]), t[wanted][b])


def dhsa_sdpa(folder, case, check):
    p, t = case["hyperparameters"], tensors(folder, "tensors.safetensors")
    prefix = "low." if "low.output" in t else ""
    q, k, v, boundaries = t["query"][0], t["key"][0], t["value"][0], t["boundaries"][0]
    for name, cap in (("output", None), ("output_softcap5", 5.0), ("dense_output", None)):
        key = name if name == "dense_output" else prefix + name
        if key not in t:
            continue
        s = upstream_settings(p)
        s.quirks = quirks.ALL if cap is None else quirks.ALL - {quirks.SOFT_CAP_DROPPED}
        chain = dhsa_attention.select_chain(q, k, boundaries, p["W"], s)
        context = dhsa_attention.attend(q, k, v, chain, p["scaling"], cap, p["W"], s)
        check.close(name, context, t[key][0])
        for key, lists in (("indices_before_global", [x.plain for x in chain.selections]),
                           ("topk_indices", [x.keys for x in chain.selections])):
            if prefix + key in t:
                check.same(key, np.stack(lists), t[prefix + key][0])


def e2e(folder, case, check):
    p, t = case["hyperparameters"], tensors(folder, "tensors.safetensors")
    shared = os.path.join(os.path.dirname(folder), "model")
    with open(os.path.join(shared, "case.json"), encoding="utf-8") as file:
        recorded = json.load(file)["hyperparameters"]
    model = model_settings(recorded)
    model.attn_cap = p["attn_softcap"]
    weights, predictor_weights = tensors(shared, "model.safetensors"), tensors(shared, "predictor.safetensors")
    s = dhsa_attention.settings(
        quirks=quirks.ALL if p["attn_softcap"] is None else quirks.ALL - {quirks.SOFT_CAP_DROPPED},
        block_size=p["block_size"], budget=p["budget_prefill"],
        local_tokens=p["local_tokens"], global_tokens=p["global_tokens"], instruction_tokens=p["instruction_tokens"],
        aggregation=p["pooling"], chunk_beta=p["chunk_beta"], theta=p["theta"], w=p["boundary_window_size"],
        nms_window=p["nms_window_size"], share_masks=p["share_sparsity_masks"],
        predictor_heads=recorded["predictor"]["heads"])
    given = t["boundaries"][0] if p["boundaries"].startswith("given") else None
    run = whole_model.dhsa_forward(t["input_ids"][0], weights, model, s, predictor_weights, given)
    check.same("boundaries", run.dhsa[0].boundaries, t["boundaries"][0])
    if "ratios" in t:
        check.close("ratios", run.dhsa[0].prediction.filled, t["ratios"][0])
    for layer, (result, record) in enumerate(zip(run.layers, run.dhsa)):
        lists = np.stack([x.keys for x in record.chain.selections])
        for name, actual in (("topk_indices", lists), ("attn_context", result.context),
                             ("attn_output", result.attn_output), ("hidden_out", result.hidden)):
            key = f"layers.{layer}.{name}"
            if key in t:
                (check.same if t[key].dtype == np.int64 else check.close)(key, actual, t[key][0])
    for key in ("logits", "logits_tail"):
        if key in t:
            check.close(key, run.logits[-t[key].shape[1]:], t[key][0])


def label_family(folder, case, check):
    p, t = case["hyperparameters"], tensors(folder, "tensors.safetensors")
    for sliding in (0, 1):
        for smooth in (0, 1):
            key = f"ratio_sliding{sliding}_smooth{smooth}"
            check.close(key, labels.mass_ratio(t["attention"], p["w"], p["S"] if sliding else None, bool(smooth)), t[key])


FAMILIES = {"gemma2": gemma2, "predictor": predictor, "predict_boundaries": predict_boundaries, "select": select,
            "dhsa_mask": dhsa_mask, "dhsa_sdpa": dhsa_sdpa, "dhsa_quirk": dhsa_sdpa, "e2e": e2e, "labels": label_family}


def covers(family, name, case):
    """None, or why the port does not compute this recording."""
    if family not in FAMILIES:
        return f"family {family} is a baseline or a tool, no stage of Gemma 2 or DHSA"
    if name == "model":
        return "weights only"
    if case["hyperparameters"].get("tie_order") == "high":
        return "ties are taken lowest position first here"
    if family == "labels" and not name.startswith("ratio"):
        return "only the mass ratio is computed here"
    return None


def run(root):
    """-> [(id, "pass" | "fail" | "not-covered", worst error, messages)]"""
    out = []
    for family in sorted(os.listdir(root)):
        if not os.path.isdir(os.path.join(root, family)):
            continue
        for name in sorted(os.listdir(os.path.join(root, family))):
            folder = os.path.join(root, family, name)
            if not os.path.isfile(os.path.join(folder, "case.json")):
                continue
            with open(os.path.join(folder, "case.json"), encoding="utf-8") as file:
                case = json.load(file)
            why = covers(family, name, case)
            if why is not None:
                out.append((f"{family}/{name}", "not-covered", None, [why]))
                continue
            check = Check(case["tolerance"].get("double_port", {}))
            FAMILIES[family](folder, case, check)
            verdict = "fail" if check.failures or check.compared == 0 else "pass"
            out.append((f"{family}/{name}", verdict, check.worst, check.failures))
    return out
