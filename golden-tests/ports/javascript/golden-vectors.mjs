// Reader of the golden vectors: safetensors, rebuilt inputs, hashes. Node 20 or newer, nothing to install.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const product = (list) => list.reduce((a, b) => a * b, 1);
const WIDTH = { F64: 8, F32: 4, I64: 8, BF16: 2 };

function decode(dtype, raw) {                        // little-endian bytes -> numbers; positions fit into a double
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length), word = new DataView(new ArrayBuffer(4));
  return Array.from({ length: raw.length / WIDTH[dtype] }, (_, i) => {
    if (dtype === "F64") return view.getFloat64(8 * i, true);
    if (dtype === "F32") return view.getFloat32(4 * i, true);
    if (dtype === "I64") return Number(view.getBigInt64(8 * i, true));
    word.setUint32(0, view.getUint16(2 * i, true) << 16);
    return word.getFloat32(0);
  });
}

function encode(dtype, values) {                     // BF16 rounds the float to nearest even
  const raw = Buffer.alloc(values.length * WIDTH[dtype]), view = new DataView(raw.buffer, raw.byteOffset, raw.length), word = new DataView(new ArrayBuffer(4));
  values.forEach((v, i) => {
    if (dtype === "F64") view.setFloat64(8 * i, v, true);
    else if (dtype === "F32") view.setFloat32(4 * i, v, true);
    else if (dtype === "I64") view.setBigInt64(8 * i, BigInt(v), true);
    else {
      word.setFloat32(0, v);
      const bits = word.getUint32(0);
      view.setUint16(2 * i, Math.floor((bits + 0x7fff + ((bits >>> 16) & 1)) / 65536), true);
    }
  });
  return raw;
}

function readSafetensors(path) {
  if (!existsSync(path)) throw new Error(`${path} is missing`);
  const file = readFileSync(path), begin = 8 + Number(file.readBigUInt64LE(0)), tensors = new Map();
  for (const [name, e] of Object.entries(JSON.parse(file.subarray(8, begin).toString("utf8"))))
    if (name !== "__metadata__") tensors.set(name, file.subarray(begin + e.data_offsets[0], begin + e.data_offsets[1]));
  return tensors;
}

function generate({ generator: g, shape, dtype }) {   // SplitMix64
  const mask = (1n << 64n) - 1n, count = product(shape), values = [];
  for (let state = BigInt(g.seed) & mask, i = 0; i < count; i++) {
    state = (state + 0x9e3779b97f4a7c15n) & mask;
    let z = ((state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    const top = Number((z ^ (z >> 31n)) >> 40n);
    values.push(g.kind === "splitmix64-int" ? g.low + (top % (g.high - g.low)) : g.offset + g.scale * (top / 2 ** 23 - 1));
  }
  for (const { index, value } of g.set ?? []) {      // an index shorter than the shape overwrites everything below it
    const below = product(shape.slice(index.length)), at = index.reduce((a, i, axis) => a * shape[axis] + i, 0);
    values.fill(Number(value), at * below, (at + 1) * below);
  }
  return encode(dtype, values);
}

// JSON, with seeds beyond 2^53 kept as texts: a double would round them.
export const readCase = (path) => JSON.parse(readFileSync(path, "utf8").replace(/("seed"\s*:\s*)(\d+)/g, '$1"$2"'));

export function load(folder, name, entry, files) {          // -> {shape, v}, hash checked
  let raw;
  if (!entry.generator) {                            // an input with both is rebuilt: the hash says whether rightly
    if (!files.has(entry.file)) files.set(entry.file, readSafetensors(join(folder, entry.file)));
    raw = files.get(entry.file).get(name);
    if (!raw) throw new Error(`${join(folder, entry.file)} holds no tensor ${name}`);
  } else raw = generate(entry);
  if (createHash("sha256").update(raw).digest("hex") !== entry.sha256) throw new Error(`${folder}: ${name} does not have the hash that case.json states`);
  return { shape: entry.shape, v: decode(entry.dtype, raw) };
}
