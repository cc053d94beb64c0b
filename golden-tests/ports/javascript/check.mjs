// Reads the golden vectors and checks three stages. Node 20 or newer, nothing to install.
//
//     node check.mjs VECTORS [--json RESULT]          VECTORS is golden-tests/golden/v1
//
// Put your own code in the place of the three functions in STAGES. Exit code: 0 everything compared agrees, 1 something differs,
// 2 a file is missing or is not what its hash says.
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { load, readCase } from "./golden-vectors.mjs";

function rmsNorm(config, { x, weight }) {
  const [rows, dim] = x.shape, normed = [];
  for (let r = 0; r < rows; r++) {
    const row = x.v.slice(r * dim, (r + 1) * dim), root = Math.sqrt(row.reduce((a, b) => a + b * b, 0) / dim + config.rmsNormEps);
    row.forEach((a, d) => normed.push((a / root) * (1 + weight.v[d])));
  }
  return { normed: { shape: [rows, dim], v: normed } };
}

function chunkRepresentation(config, { states, segments }) {
  const [heads, length, dim] = states.shape, bounds = segments.v, v = [];
  for (let c = 0; c + 1 < bounds.length; c++)
    for (let d = 0, n = bounds[c + 1] - bounds[c], padded = Math.max(n, config.padTo); d < dim; d++) {
      let sum = 0, max = padded > n ? 0 : -Infinity;
      for (let t = bounds[c]; t < bounds[c + 1]; t++) {
        let mean = 0;
        for (let h = 0; h < heads; h++) mean += states.v[(h * length + t) * dim + d] / heads;
        sum += mean;
        max = Math.max(max, mean);
      }
      v.push(n === 0 ? 0 : config.pooling === "maxpool" ? max : (sum / padded) * (config.pooling === "avgpool_norm" ? Math.sqrt(n) : 1));
    }
  return { chunks: { shape: [bounds.length - 1, dim], v } };
}

function topKSelection(config, { tokenScores, blocks }) {
  if (config.quirks.length) return null;             // not covered: this port follows the corrected rules
  const length = tokenScores.shape[1], lists = [];
  for (let r = 0; r < blocks.shape[0]; r++) {
    const [start, nominal, , segment] = blocks.v.slice(4 * r, 4 * r + 4), end = Math.min(length, nominal), keep = new Set();
    const first = config.slidingWindow === null ? 0 : Math.max(0, start - config.slidingWindow + 1), cut = Math.min(config.budget, length);
    const force = (k) => k >= first && k < end && keep.size < cut && keep.add(k);
    for (let k = start; k < nominal; k++) force(k);
    for (let n = 1; n <= config.localTokens; n++) force(start - n);
    for (let n = 0; n < config.globalTokens; n++) force(first + n);
    const score = (k) => { const s = tokenScores.v[segment * length + k]; return Number.isNaN(s) ? -Infinity : s; }, nan = (k) => Number.isNaN(tokenScores.v[segment * length + k]);
    const rest = Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i).filter((k) => !keep.has(k));
    rest.sort((a, b) => nan(a) - nan(b) || (score(a) === score(b) ? a - b : score(a) > score(b) ? -1 : 1));
    lists.push([...keep, ...rest.slice(0, cut - keep.size)].sort((a, b) => a - b));
  }
  const width = Math.max(0, ...lists.map((l) => l.length));
  return { selectedKeys: { shape: [lists.length, width], v: lists.flatMap((l) => [...l, ...Array(width - l.length).fill(-1)]) },
    selectedCounts: { shape: [lists.length], v: lists.map((l) => l.length) } };
}

const STAGES = { "rms-norm": rmsNorm, "chunk-representation": chunkRepresentation, "top-k-selection": topKSelection };

function compare(rule, got, want, all) {             // -> [verdict, index, error, budget]
  if (String(got.shape) !== String(want.shape)) return ["fail", -1, Infinity, 0];
  if (rule.kind === "selection" && rule.scores && String(got.v) !== String(want.v)) {
    const [rows, width] = want.shape, scores = all[rule.scores], row = (t, r) => t.v.slice(r * width, (r + 1) * width).filter((k) => k >= 0);
    for (let r = 0; r < rows; r++) {
      const a = row(got, r), b = row(want, r), only = [...a.filter((k) => !b.includes(k)), ...b.filter((k) => !a.includes(k))];
      const tied = (k) => scores.v[all.blocks.v[4 * r + 3] * scores.shape[1] + k] === all[rule.threshold].v[r] && !row(all[rule.forced], r).includes(k)
        && k >= all.allowed.v[2 * r] && k < all.allowed.v[2 * r + 1];
      if (new Set(a).size !== b.length || a.length !== b.length || !only.every(tied)) return ["fail", r * width, Infinity, 0];
    }
    return ["near-tie", -1, 0, 0];
  }
  const errors = want.v.map((y, i) => (got.v[i] === y || (rule.allowNaN && Number.isNaN(y) && Number.isNaN(got.v[i])) ? 0 : Number.isFinite(y) && Number.isFinite(got.v[i]) ? Math.abs(got.v[i] - y) : Infinity));
  const worst = errors.reduce((w, e, i) => (e > (errors[w] ?? -1) ? i : w), -1), error = errors[worst] ?? 0;
  const budget = rule.kind === "continuous" ? rule.ratio * rule.baselineError + rule.floor : 0;
  return [error <= budget ? "pass" : "fail", worst, error, budget];
}

const number = (x) => (Number.isFinite(x) ? x : String(x));   // JSON has no NaN and no infinity

function check(folder, golden) {                     // -> result entry
  const result = { id: golden.id, level: golden.level, verdict: "not-covered", firstDivergence: null, diagnosis: [], metrics: {} };
  const stage = STAGES[golden.id.split("/")[1]], files = new Map(), all = {};
  if (!stage) return result;
  for (const [name, entry] of Object.entries(golden.inputs)) all[name] = load(folder, name, entry, files);
  const got = stage(golden.config, all);
  if (!got) return result;
  for (const [name, entry] of Object.entries(golden.expected)) all[name] = load(folder, name, entry, files);
  result.verdict = "pass";
  for (const [name, entry] of Object.entries(golden.expected).sort(([, a], [, b]) => a.order - b.order)) {
    if (!got[name] && !entry.required) continue;
    const [verdict, at, error, budget] = got[name] ? compare(entry.comparison, got[name], all[name], all) : ["fail", -1, Infinity, 0];
    if (verdict === "fail" || (verdict === "near-tie" && result.verdict === "pass")) result.verdict = verdict;
    if (verdict !== "pass") result.firstDivergence ??= { stage: entry.stage, layer: entry.layer, tensor: name, index: String(at), error: number(error), budget,
      expected: number(at >= 0 ? all[name].v[at] : NaN), actual: number(at >= 0 && got[name] ? got[name].v[at] : NaN) };
  }
  return result;
}

function main([root, option, out]) {
  if (!root) throw new Error("usage: node check.mjs VECTORS [--json RESULT]");
  const results = [], count = (v) => results.filter((r) => r.verdict === v).length;
  let broken = 0;
  for (const file of readdirSync(root, { recursive: true }).filter((f) => /(^|[\\/])case\.json$/.test(f)).sort())
    try {
      results.push(check(join(root, dirname(file)), readCase(join(root, file))));
    } catch (e) {
      broken++;
      console.error(`${file}: ${e.message}`);
    }
  results.filter((r) => r.verdict === "fail").forEach((r) => console.log(r.id, r.firstDivergence));
  console.log("javascript:", ["pass", "near-tie", "fail", "not-covered"].map((v) => `${count(v)} ${v}`).join(", ") + `, ${broken} broken`);
  const manifest = join(root, "manifest.json"), levels = {};
  for (const r of results) (levels[r.level] ??= { pass: 0, nearTie: 0, fail: 0, notCovered: 0 })[{ pass: "pass", "near-tie": "nearTie", fail: "fail" }[r.verdict] ?? "notCovered"]++;
  if (option === "--json" && !broken)
    writeFileSync(out, JSON.stringify({ schema: "dhsa-golden-result/1", environment: { node: process.version }, levels,
      vectors: existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")).version : "unversioned",
      implementation: { name: "javascript-reader", version: "1", backend: "node", device: "cpu" }, cases: results }));
  return broken || count("pass") + count("near-tie") + count("fail") === 0 ? 2 : count("fail") ? 1 : 0;
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (e) {
  console.error(`check.mjs: ${e.message}`);
  process.exitCode = 2;
}
