// Reads the golden vectors and checks two stages.
//
//     swiftc -O Vectors.swift main.swift -o check && ./check VECTORS [--json RESULT]        VECTORS is golden-tests/golden/v1
//
// NOT RUN: no Swift tool chain was at hand when this was written, and no test of this project compiles it.
// Put your own code in the place of the two functions in stages. Exit code: 0 everything compared agrees, 1 something differs,
// 2 a file is missing or is not what its hash says.
import Foundation

typealias Tensors = [String: Tensor]

func rmsNorm(_ config: Object, _ input: Tensors) -> Tensors {
    let x = input["x"]!, weight = input["weight"]!.v, dim = x.shape[1]
    var out: [Double] = []
    for r in 0..<x.shape[0] {
        let row = x.v[r * dim..<(r + 1) * dim]
        let root = (row.reduce(0) { $0 + $1 * $1 } / Double(dim) + number(config["rmsNormEps"])).squareRoot()
        out += zip(row, weight).map { $0 / root * (1 + $1) }
    }
    return ["normed": Tensor(shape: x.shape, v: out)]
}

func chunkRepresentation(_ config: Object, _ input: Tensors) -> Tensors {
    let x = input["states"]!, bounds = input["segments"]!.v.map { Int($0) }, pooling = config["pooling"] as! String
    let (heads, length, dim) = (x.shape[0], x.shape[1], x.shape[2])
    var out: [Double] = []
    for (begin, end) in zip(bounds, bounds.dropFirst()) {
        let n = Double(end - begin), padded = max(n, number(config["padTo"]))
        for d in 0..<dim {
            let means = (begin..<end).map { t in (0..<heads).reduce(0.0) { $0 + x.v[($1 * length + t) * dim + d] } / Double(heads) }
            let sum = means.reduce(0, +)
            let largest = max(means.max() ?? 0, padded > n ? 0 : -Double.infinity)
            out.append(n == 0 ? 0 : pooling == "maxpool" ? largest : sum / padded * (pooling == "avgpool_norm" ? n.squareRoot() : 1))
        }
    }
    return ["chunks": Tensor(shape: [bounds.count - 1, dim], v: out)]
}

let stages: [String: (Object, Tensors) -> Tensors] = ["rms-norm": rmsNorm, "chunk-representation": chunkRepresentation]

func compare(_ rule: Object, _ got: Tensor, _ want: Tensor) -> (String, String) {
    guard got.shape == want.shape else { return ("fail", "shape \(got.shape), expected \(want.shape)") }
    let budget = rule["kind"] as! String == "continuous" ? number(rule["ratio"]) * number(rule["baselineError"]) + number(rule["floor"]) : 0
    for (i, (x, y)) in zip(got.v, want.v).enumerated() {
        let bothNaN = x.isNaN && y.isNaN && rule["allowNaN"] as? Bool == true
        if x == y || bothNaN || x.isFinite && y.isFinite && abs(x - y) <= budget { continue }
        return ("fail", "element \(i): expected \(y), got \(x), allowed \(budget)")
    }
    return ("pass", "")
}

func check(_ folder: String, _ golden: Object) throws -> (String, String) {
    guard let id = golden["id"] as? String, id.split(separator: "/").count == 3, let inputs = golden["inputs"] as? [String: Object],
          let expected = golden["expected"] as? [String: Object], let config = golden["config"] as? Object else { throw Broken(message: "\(folder): is no case") }
    guard let stage = stages[String(id.split(separator: "/")[1])] else { return ("not-covered", "") }
    var all: Tensors = [:]
    for (name, entry) in inputs { all[name] = try load(folder, name, entry) }
    let got = stage(config, all)
    var result = ("pass", "")
    for (name, entry) in expected where got[name] != nil || entry["required"] as? Bool == true {
        let want = try load(folder, name, entry)
        let (verdict, note) = got[name].map { compare(entry["comparison"] as! Object, $0, want) } ?? ("fail", "is missing")
        if verdict == "fail" && result.0 != "fail" { result = (verdict, name + " " + note) }
    }
    return result
}

func run(_ arguments: [String]) throws -> Int32 {
    guard let root = arguments.first, let walk = FileManager.default.enumerator(atPath: root) else { throw Broken(message: "usage: check VECTORS [--json RESULT]") }
    var count: [String: Int] = [:], results: [Object] = []
    for path in walk.compactMap({ $0 as? String }).filter({ $0 == "case.json" || $0.hasSuffix("/case.json") }).sorted() {
        do {
            let file = root + "/" + path
            guard let text = FileManager.default.contents(atPath: file), let golden = try JSONSerialization.jsonObject(with: text) as? Object else { throw Broken(message: "\(file) is no case") }
            let (verdict, note) = try check(String(file.dropLast("/case.json".count)), golden)
            count[verdict, default: 0] += 1
            if verdict == "fail" { print("\(golden["id"] ?? ""): \(note)") }
            results.append(["id": golden["id"] ?? "", "level": golden["level"] ?? "", "verdict": verdict, "firstDivergence": NSNull(), "diagnosis": [String](), "metrics": Object()])
        } catch {
            count["broken", default: 0] += 1
            FileHandle.standardError.write(Data("\((error as? Broken)?.message ?? "\(path): \(error)")\n".utf8))
        }
    }
    let tally = ["pass", "near-tie", "fail", "not-covered", "broken"].map { "\(count[$0, default: 0]) \($0)" }
    print("swift: " + tally.joined(separator: ", "))
    if arguments.count == 3, arguments[1] == "--json", count["broken"] == nil {
        let result: Object = ["schema": "dhsa-golden-result/1", "cases": results,
                              "implementation": ["name": "swift-reader", "version": "1", "backend": "swift", "device": "cpu"]]
        try JSONSerialization.data(withJSONObject: result).write(to: URL(fileURLWithPath: arguments[2]))
    }
    if count["broken"] != nil || count["pass", default: 0] + count["fail", default: 0] == 0 { return 2 }
    return count["fail"] == nil ? 0 : 1
}

do {
    exit(try run(Array(CommandLine.arguments.dropFirst())))
} catch {
    FileHandle.standardError.write(Data("check: \((error as? Broken)?.message ?? "\(error)")\n".utf8))
    exit(2)
}
