//! Reader of the golden vectors: safetensors, rebuilt inputs, hashes.
use crate::json::{sha256, Json};
use std::collections::HashMap;
use std::path::Path;

#[derive(Clone, Debug, Default)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub v: Vec<f64>, // numbers of any stored type; positions fit
}

pub type Tensors = HashMap<String, Tensor>;

fn decode(dtype: &str, raw: &[u8]) -> Vec<f64> {
    let chunks = |n| raw.chunks_exact(n);
    match dtype {
        "F64" => chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect(),
        "F32" => chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()) as f64).collect(),
        "I64" => chunks(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64).collect(),
        _ => chunks(2).map(|b| f32::from_bits((u16::from_le_bytes([b[0], b[1]]) as u32) << 16) as f64).collect(), // BF16
    }
}

fn encode(dtype: &str, x: f64) -> Vec<u8> {
    let bits = (x as f32).to_bits();
    match dtype {
        "F64" => x.to_le_bytes().to_vec(),
        "F32" => bits.to_le_bytes().to_vec(),
        "I64" => (x as i64).to_le_bytes().to_vec(),
        _ => (((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16).to_le_bytes().to_vec(), // to nearest even
    }
}

/// SplitMix64.
fn generate(entry: &Json) -> Result<Vec<u8>, String> {
    let (g, dtype, shape) = (entry.at("generator")?, entry.at("dtype")?.text(), entry.at("shape")?.integers());
    let number = |key: &str| g.find(key).map_or(0.0, Json::number);
    let mut state: u64 = g.at("seed")?.text().parse().map_err(|_| "seed is no number of 64 bits")?;
    let mut raw = Vec::new();
    for _ in 0..shape.iter().product() {
        state = state.wrapping_add(0x9E3779B97F4A7C15);
        let mut z = (state ^ state >> 30).wrapping_mul(0xBF58476D1CE4E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D049BB133111EB);
        let top = (z ^ z >> 31) >> 40;
        raw.extend(encode(dtype, match g.at("kind")?.text() {
            "splitmix64-int" => number("low") + (top % (number("high") - number("low")) as u64) as f64,
            _ => number("offset") + number("scale") * (top as f64 / 8388608.0 - 1.0),
        }));
    }
    for s in g.find("set").map_or(&[][..], Json::list) {
        // an index shorter than the shape overwrites everything below it
        let (index, one) = (s.at("index")?.integers(), encode(dtype, s.at("value")?.number()));
        let below: usize = shape[index.len()..].iter().product();
        let at = index.iter().zip(&shape).fold(0, |at, (i, extent)| at * extent + i);
        for e in at * below..(at + 1) * below {
            raw[e * one.len()..(e + 1) * one.len()].copy_from_slice(&one);
        }
    }
    Ok(raw)
}

/// Every tensor of a safetensors file.
pub fn read(path: &Path) -> Result<Tensors, String> {
    let file = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let cut = || format!("{} is cut short", path.display());
    let data = 8 + u64::from_le_bytes(file.get(..8).ok_or_else(cut)?.try_into().unwrap()) as usize;
    let header = Json::parse(file.get(8..data).ok_or_else(cut)?)?;
    let tensors = header.members().iter().filter(|(name, _)| name != "__metadata__");
    tensors.map(|(name, entry)| {
        let at = entry.at("data_offsets")?.integers();
        let raw = file.get(data + at[0]..data + at[1]).ok_or_else(cut)?;
        Ok((name.clone(), Tensor { shape: entry.at("shape")?.integers(), v: decode(entry.at("dtype")?.text(), raw) }))
    }).collect()
}

/// Writes them as F64; lists of positions may be F64 too.
pub fn write(path: &Path, tensors: &[(&str, Tensor)]) -> Result<(), String> {
    let (mut entries, mut data) = (Vec::new(), Vec::new());
    for (name, t) in tensors {
        let begin = data.len();
        data.extend(t.v.iter().flat_map(|x| x.to_le_bytes()));
        entries.push(format!(r#""{name}":{{"dtype":"F64","shape":{:?},"data_offsets":[{begin},{}]}}"#, t.shape, data.len()));
    }
    let header = format!("{{{}}}", entries.join(","));
    let header = format!("{header:<width$}", width = (header.len() + 7) / 8 * 8);
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat();
    std::fs::write(path, file).map_err(|e| format!("{}: {e}", path.display()))
}

fn stored(path: &Path, name: &str) -> Result<Vec<u8>, String> {
    let file = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let cut = || format!("{} is cut short", path.display());
    let length = u64::from_le_bytes(file.get(..8).ok_or_else(cut)?.try_into().unwrap()) as usize;
    let header = Json::parse(file.get(8..8usize.saturating_add(length)).ok_or_else(cut)?)?;
    let offsets = header.at(name).map_err(|_| format!("{} holds no tensor {name}", path.display()))?.at("data_offsets")?.integers();
    Ok(file.get(8 + length + offsets[0]..8 + length + offsets[1]).ok_or_else(cut)?.to_vec())
}

/// One tensor of a case, its hash checked.
pub fn load(folder: &Path, name: &str, entry: &Json) -> Result<Tensor, String> {
    let raw = match entry.find("generator") {
        Some(_) => generate(entry)?, // an input with both is rebuilt: the hash says whether rightly
        None => stored(&folder.join(entry.at("file")?.text()), name)?,
    };
    if sha256(&raw) != entry.at("sha256")?.text() {
        return Err(format!("{}: {name} does not have the hash that case.json states", folder.display()));
    }
    Ok(Tensor { shape: entry.at("shape")?.integers(), v: decode(entry.at("dtype")?.text(), &raw) })
}
