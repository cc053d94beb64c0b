//! Reads the golden vectors and checks the stages of stages.rs.
//!
//!     rustc -O check.rs && ./check VECTORS [--json RESULT]          VECTORS is golden-tests/golden/v1
//!
//!     dhsa golden check VECTORS --exec "./check --case"             one case at a time, compared by dhsa
//!
//! Exit code: 0 everything compared agrees, 1 something differs, 2 a file is missing or is not what its hash says.
mod json;
mod stages;
mod vectors;
use json::Json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use vectors::{load, read, write, Tensor, Tensors};

/// "pass", "near-tie" or "fail", and where.
fn compare(rule: &Json, got: &Tensor, want: &Tensor, all: &Tensors) -> Result<(&'static str, String), String> {
    if got.shape != want.shape {
        return Ok(("fail", format!("shape {:?}, expected {:?}", got.shape, want.shape)));
    }
    if rule.at("kind")?.text() == "selection" && rule.find("scores").is_some() && got.v != want.v {
        let named = |key: &str| all.get(rule.at(key)?.text()).ok_or(format!("{key} names no tensor"));
        let (scores, threshold, forced, width) = (named("scores")?, named("threshold")?, named("forced")?, want.shape[1]);
        for r in 0..want.shape[0] {
            let row = |t: &Tensor| -> BTreeSet<i64> { t.v[r * width..(r + 1) * width].iter().map(|&k| k as i64).filter(|&k| k >= 0).collect() };
            let (a, b, kept, allowed) = (row(got), row(want), row(forced), &all["allowed"].v);
            let score = |k: i64| scores.v.get(all["blocks"].v[4 * r + 3] as usize * scores.shape[1] + k as usize);
            let tied = |k: &i64| score(*k) == Some(&threshold.v[r]) && !kept.contains(k) && *k as f64 >= allowed[2 * r] && (*k as f64) < allowed[2 * r + 1];
            if a.len() != b.len() || !a.symmetric_difference(&b).all(tied) {
                return Ok(("fail", format!("row {r}")));
            }
        }
        return Ok(("near-tie", String::new()));
    }
    let number = |key: &str| rule.at(key).map(Json::number);
    let budget = if rule.at("kind")?.text() == "continuous" { number("ratio")? * number("baselineError")? + number("floor")? } else { 0.0 };
    let nan = rule.find("allowNaN").map_or(false, Json::is_true);
    let wrong = |(x, y): (&f64, &f64)| !(x == y || nan && x.is_nan() && y.is_nan() || x.is_finite() && y.is_finite() && (x - y).abs() <= budget);
    Ok(match got.v.iter().zip(&want.v).position(wrong) {
        Some(i) => ("fail", format!("element {i}: expected {}, got {}, allowed {budget:e}", want.v[i], got.v[i])),
        None => ("pass", String::new()),
    })
}

fn check(folder: &Path, case: &Json) -> Result<(&'static str, String), String> {
    let Some(stage) = stages::stage(case.at("id")?.text().split('/').nth(1).unwrap_or("")) else { return Ok(("not-covered", String::new())) };
    let mut all = Tensors::new();
    for part in ["inputs", "expected"] {
        for (name, entry) in case.at(part)?.members() {
            all.insert(name.clone(), load(folder, name, entry)?);
        }
    }
    let got: BTreeMap<_, _> = stage(case.at("config")?, &all)?.into_iter().collect();
    if got.is_empty() {
        return Ok(("not-covered", String::new()));
    }
    let mut result = ("pass", String::new());
    for (name, entry) in case.at("expected")?.members() {
        let (verdict, note) = match got.get(name.as_str()) {
            Some(tensor) => compare(entry.at("comparison")?, tensor, &all[name], &all)?,
            None if entry.at("required")?.is_true() => ("fail", "is missing".into()),
            None => continue,
        };
        if verdict == "fail" && result.0 != "fail" || verdict == "near-tie" && result.0 == "pass" {
            result = (verdict, format!("{name} {note}"));
        }
    }
    Ok(result)
}

fn cases(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            cases(&path, found)?;
        } else if path.ends_with("case.json") {
            found.push(path);
        }
    }
    Ok(())
}

/// What `golden check --exec` asks for: outputs of one case into a file; 3: not covered.
fn one_case(folder: &Path, out: &Path) -> Result<i32, String> {
    let text = std::fs::read(folder.join("case.json")).map_err(|e| format!("{}: {e}", folder.display()))?;
    let case = Json::parse(&text)?;
    let Some(stage) = stages::stage(case.at("id")?.text().split('/').nth(1).unwrap_or("")) else { return Ok(3) };
    let outputs = stage(case.at("config")?, &read(&folder.join("inputs.safetensors"))?)?;
    if outputs.is_empty() {
        return Ok(3);
    }
    write(out, &outputs)?;
    Ok(0)
}

fn run() -> Result<i32, String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, folder, out] = &args[..] {
        if mode == "--case" {
            return one_case(Path::new(folder), Path::new(out));
        }
    }
    let root = args.first().ok_or("usage: check VECTORS [--json RESULT] or check --case IN_DIR OUT_FILE")?;
    let mut found = Vec::new();
    cases(Path::new(root), &mut found).map_err(|e| format!("{root}: {e}"))?;
    found.sort();
    let mut count: BTreeMap<&str, usize> = ["pass", "near-tie", "fail", "not-covered", "broken"].iter().map(|v| (*v, 0)).collect();
    let mut results = Vec::new();
    for path in &found {
        let checked = std::fs::read(path).map_err(|e| e.to_string()).and_then(|text| Json::parse(&text)).and_then(|case| {
            let (verdict, note) = check(path.parent().unwrap(), &case)?;
            Ok((case.at("id")?.text().to_string(), case.at("level")?.text().to_string(), verdict, note))
        });
        match checked {
            Ok((id, level, verdict, note)) => {
                *count.get_mut(verdict).unwrap() += 1;
                if verdict == "fail" {
                    println!("{id}: {note}");
                }
                results.push(format!(r#"{{"id":"{id}","level":"{level}","verdict":"{verdict}","firstDivergence":null,"diagnosis":[],"metrics":{{}}}}"#));
            }
            Err(e) => {
                *count.get_mut("broken").unwrap() += 1;
                eprintln!("{}: {e}", path.display());
            }
        }
    }
    println!("rust: {} pass, {} near-tie, {} fail, {} not-covered, {} broken", count["pass"], count["near-tie"], count["fail"], count["not-covered"], count["broken"]);
    if let (Some("--json"), Some(out), 0) = (args.get(1).map(String::as_str), args.get(2), count["broken"]) {
        let text = format!(
            r#"{{"schema":"dhsa-golden-result/1","implementation":{{"name":"rust-reader","version":"1","backend":"rust","device":"cpu"}},"cases":[{}]}}"#,
            results.join(",\n")
        );
        std::fs::write(out, text).map_err(|e| format!("{out}: {e}"))?;
    }
    let compared = count["pass"] + count["near-tie"] + count["fail"];
    Ok(if count["broken"] > 0 || compared == 0 { 2 } else { (count["fail"] > 0) as i32 })
}

fn main() {
    std::process::exit(run().unwrap_or_else(|e| {
        eprintln!("check: {e}");
        2
    }));
}
