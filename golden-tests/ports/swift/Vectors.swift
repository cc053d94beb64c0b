// Reader of the golden vectors: SHA-256, safetensors, rebuilt inputs. Swift 5.7 or newer with Foundation.
//
// NOT RUN: no Swift tool chain was at hand when this was written, and no test of this project compiles it.
import Foundation

struct Broken: Error { let message: String }
typealias Object = [String: Any]

struct Tensor {
    var shape: [Int]
    var v: [Double]      // numbers of any stored type; positions fit
}

func integers(_ value: Any?) -> [Int] { (value as? [Any] ?? []).compactMap { ($0 as? NSNumber)?.intValue } }

func number(_ value: Any?) -> Double {      // NaN and infinities are texts
    if let n = value as? NSNumber { return n.doubleValue }
    switch value as? String { case "Infinity"?: return .infinity; case "-Infinity"?: return -.infinity; default: return .nan }
}

func sha256(_ message: Data) -> String {
    func turn(_ x: UInt32, _ n: UInt32) -> UInt32 { x >> n | x << (32 - n) }
    let primes = (2...311).filter { p in !(2..<p).contains { p % $0 == 0 } }
    let k = primes.map { p -> UInt32 in     // fractional part of the cube root: 36 bits, exact in Decimal steps of one bit
        var root: UInt64 = 0
        for bit in stride(from: 35, through: 0, by: -1) {
            let next = root | 1 << UInt64(bit)
            var cube = Decimal(next)
            cube = cube * Decimal(next) * Decimal(next)
            if cube <= Decimal(p) * pow(Decimal(2), 96) { root = next }
        }
        return UInt32(truncatingIfNeeded: root)
    }
    var h: [UInt32] = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19]
    var m = [UInt8](message) + [0x80]
    while m.count % 64 != 56 { m.append(0) }
    m += stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: UInt64(message.count) * 8 >> UInt64($0)) }
    for at in stride(from: 0, to: m.count, by: 64) {
        var w: [UInt32] = (0..<16).map { t in (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(m[at + 4 * t + $1]) } }
        for t in 16..<64 {
            let a = turn(w[t - 15], 7) ^ turn(w[t - 15], 18) ^ w[t - 15] >> 3
            let b = turn(w[t - 2], 17) ^ turn(w[t - 2], 19) ^ w[t - 2] >> 10
            w.append(w[t - 16] &+ a &+ w[t - 7] &+ b)
        }
        var v = h
        for t in 0..<64 {
            let s1 = turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25)
            let a = v[7] &+ s1 &+ ((v[4] & v[5]) ^ (~v[4] & v[6])) &+ k[t] &+ w[t]
            let s0 = turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)
            let b = s0 &+ ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]))
            v = [a &+ b, v[0], v[1], v[2], v[3] &+ a, v[4], v[5], v[6]]
        }
        for i in 0..<8 { h[i] = h[i] &+ v[i] }
    }
    return h.map { String(format: "%08x", $0) }.joined()
}

func decode(_ dtype: String, _ raw: Data) -> [Double] {
    let bytes = [UInt8](raw)
    func bits(_ width: Int, _ i: Int) -> UInt64 { (0..<width).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[i * width + $1]) } }
    switch dtype {
    case "F64": return (0..<bytes.count / 8).map { Double(bitPattern: bits(8, $0)) }
    case "F32": return (0..<bytes.count / 4).map { Double(Float(bitPattern: UInt32(bits(4, $0)))) }
    case "I64": return (0..<bytes.count / 8).map { Double(Int64(bitPattern: bits(8, $0))) }
    default: return (0..<bytes.count / 2).map { Double(Float(bitPattern: UInt32(bits(2, $0)) << 16)) }      // BF16
    }
}

func encode(_ dtype: String, _ x: Double) -> Data {      // BF16 rounds the float to nearest even
    func little<T: FixedWidthInteger>(_ value: T) -> Data { withUnsafeBytes(of: value.littleEndian) { Data($0) } }
    let bits = Float(x).bitPattern
    switch dtype {
    case "F64": return little(x.bitPattern)
    case "F32": return little(bits)
    case "I64": return little(Int64(x))
    default: return little(UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16))
    }
}

func generate(_ entry: Object) -> Data {      // SplitMix64
    let g = entry["generator"] as! Object, dtype = entry["dtype"] as! String, shape = integers(entry["shape"])
    var state = (g["seed"] as! NSNumber).uint64Value, parts: [Data] = []
    for _ in 0..<shape.reduce(1, *) {
        state = state &+ 0x9E3779B97F4A7C15
        var z = (state ^ state >> 30) &* 0xBF58476D1CE4E5B9
        z = (z ^ z >> 27) &* 0x94D049BB133111EB
        let top = (z ^ z >> 31) >> 40
        let whole = g["kind"] as! String == "splitmix64-int"
        parts.append(encode(dtype, whole ? number(g["low"]) + Double(top % UInt64(number(g["high"]) - number(g["low"])))
                                         : number(g["offset"]) + number(g["scale"]) * (Double(top) / 8388608 - 1)))
    }
    for s in g["set"] as? [Object] ?? [] {      // an index shorter than the shape overwrites everything below it
        let index = integers(s["index"]), below = shape[index.count...].reduce(1, *)
        let at = zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 }
        for e in at * below..<(at + 1) * below { parts[e] = encode(dtype, number(s["value"])) }
    }
    return parts.reduce(Data(), +)
}

func stored(_ path: String, _ name: String) throws -> Data {
    guard let file = FileManager.default.contents(atPath: path), file.count >= 8 else { throw Broken(message: "\(path) is missing or cut short") }
    let length = file.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(file.count - 8), let header = try JSONSerialization.jsonObject(with: file.subdata(in: 8..<8 + Int(length))) as? Object,
          let entry = header[name] as? Object else { throw Broken(message: "\(path) holds no tensor \(name)") }
    let at = integers(entry["data_offsets"]).map { $0 + 8 + Int(length) }
    guard at.count == 2, at[0] <= at[1], at[1] <= file.count else { throw Broken(message: "\(path) is cut short") }
    return file.subdata(in: at[0]..<at[1])
}

func load(_ folder: String, _ name: String, _ entry: Object) throws -> Tensor {      // hash checked
    let rebuilt = entry["generator"] is Object      // an input with both is rebuilt: the hash says whether rightly
    let raw = rebuilt ? generate(entry) : try stored(folder + "/" + (entry["file"] as? String ?? ""), name)
    guard sha256(raw) == entry["sha256"] as? String else { throw Broken(message: "\(folder): \(name) does not have the hash that case.json states") }
    return Tensor(shape: integers(entry["shape"]), v: decode(entry["dtype"] as! String, raw))
}
