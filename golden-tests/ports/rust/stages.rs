//! The three stages that check.rs checks: put your own code in their place.
use crate::json::Json;
use crate::vectors::{Tensor, Tensors};

type Outputs = Result<Vec<(&'static str, Tensor)>, String>; // empty: not covered

pub fn stage(slug: &str) -> Option<fn(&Json, &Tensors) -> Outputs> {
    match slug {
        "rms-norm" => Some(rms_norm),
        "chunk-representation" => Some(chunk_representation),
        "top-k-selection" => Some(top_k_selection),
        _ => None,
    }
}

fn rms_norm(config: &Json, input: &Tensors) -> Outputs {
    let (x, weight) = (&input["x"], &input["weight"].v);
    let (eps, dim) = (config.at("rmsNormEps")?.number(), x.shape[1]);
    let v = x.v.chunks(dim).flat_map(|row| {
        let root = (row.iter().map(|a| a * a).sum::<f64>() / dim as f64 + eps).sqrt();
        row.iter().zip(weight).map(move |(a, w)| a / root * (1.0 + w))
    });
    Ok(vec![("normed", Tensor { shape: x.shape.clone(), v: v.collect() })])
}

fn chunk_representation(config: &Json, input: &Tensors) -> Outputs {
    let (x, bounds, pooling) = (&input["states"], &input["segments"].v, config.at("pooling")?.text());
    let (heads, length, dim) = (x.shape[0], x.shape[1], x.shape[2]);
    let mut v = Vec::new();
    for c in bounds.windows(2) {
        let n = c[1] - c[0];
        let padded = n.max(config.at("padTo")?.number());
        for d in 0..dim {
            let mean = |t: usize| (0..heads).map(|h| x.v[(h * length + t) * dim + d]).sum::<f64>() / heads as f64;
            let means: Vec<f64> = (c[0] as usize..c[1] as usize).map(mean).collect();
            let sum: f64 = means.iter().sum();
            v.push(match pooling {
                _ if n == 0.0 => 0.0,
                "maxpool" => means.iter().cloned().fold(if padded > n { 0.0 } else { f64::NEG_INFINITY }, f64::max),
                "avgpool_norm" => sum / padded * n.sqrt(),
                _ => sum / padded,
            });
        }
    }
    Ok(vec![("chunks", Tensor { shape: vec![bounds.len() - 1, dim], v })])
}

fn top_k_selection(config: &Json, input: &Tensors) -> Outputs {
    if !config.at("quirks")?.list().is_empty() {
        return Ok(vec![]); // this port follows the corrected rules
    }
    let (scores, blocks) = (&input["tokenScores"], &input["blocks"]);
    let length = scores.shape[1] as i64;
    let whole = |name: &str| config.at(name).map(|j| j.number() as i64);
    let mut lists: Vec<Vec<i64>> = Vec::new();
    for b in blocks.v.chunks(4) {
        let (start, stop, segment) = (b[0] as i64, b[1] as i64, b[3] as i64);
        let first = if let Json::Null = config.at("slidingWindow")? { 0 } else { (start - whole("slidingWindow")? + 1).max(0) };
        let (end, cut) = (length.min(stop), whole("budget")?.min(length) as usize);
        let own = start..stop;
        let local = (1..=whole("localTokens")?).map(|n| start - n);
        let global = first..first + whole("globalTokens")?;
        let mut list: Vec<i64> = Vec::new();
        for k in own.chain(local).chain(global) {
            if k >= first && k < end && list.len() < cut && !list.contains(&k) {
                list.push(k);
            }
        }
        let score = |k: i64| scores.v[(segment * length + k) as usize];
        let mut rest: Vec<i64> = (first..end).filter(|k| !list.contains(k)).collect();
        rest.sort_by(|&a, &b| score(a).is_nan().cmp(&score(b).is_nan()).then(score(b).partial_cmp(&score(a)).unwrap_or(std::cmp::Ordering::Equal)));
        let left = cut - list.len();
        list.extend(rest.iter().take(left));
        list.sort();
        lists.push(list);
    }
    let width = lists.iter().map(Vec::len).max().unwrap_or(0);
    let counts = lists.iter().map(|l| l.len() as f64).collect();
    let keys = lists.iter().flat_map(|l| (0..width).map(move |i| l.get(i).map_or(-1.0, |&k| k as f64))).collect();
    Ok(vec![("selectedKeys", Tensor { shape: vec![lists.len(), width], v: keys }), ("selectedCounts", Tensor { shape: vec![lists.len()], v: counts })])
}
