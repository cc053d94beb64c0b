// Reader of the golden vectors: JSON, SHA-256, safetensors, rebuilt inputs. C++17, nothing but the standard library. Little-endian machines.
#pragma once
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>
#include "sha256.hpp"

struct Json {                                             // null is '0'
    char kind = '0';                                      // o a s n b 0
    std::vector<std::pair<std::string, Json>> members;    // of an object; of a list with empty names
    std::string text;                                     // of a string, a number, a literal
    const Json* find(const std::string& key) const { for (auto& m : members) if (m.first == key) return &m.second; return nullptr; }
    const Json& at(const std::string& key) const { if (auto* j = find(key)) return *j; throw std::runtime_error("case.json: " + key + " is missing"); }
    double number() const { return std::stod(text); }
    std::vector<int64_t> integers() const { std::vector<int64_t> v; for (auto& m : members) v.push_back(std::stoll(m.second.text)); return v; }
};

struct Parser {
    const std::string& s; size_t i = 0;
    [[noreturn]] void fail() const { throw std::runtime_error("no valid JSON at byte " + std::to_string(i)); }
    void space() { while (i < s.size() && std::strchr(" \t\r\n", s[i])) i++; }
    bool take(char c) { space(); if (i < s.size() && s[i] == c) { i++; return true; } return false; }
    std::string string() {                                // escapes beyond ASCII are kept as they are: no name here has them
        if (!take('"')) fail();
        std::string out;
        while (i < s.size() && s[i] != '"') {
            if (s[i] == '\\' && ++i < s.size()) { out += s[i] == 'n' ? '\n' : s[i] == 't' ? '\t' : s[i]; i++; }
            else out += s[i++];
        }
        if (i++ >= s.size()) fail();
        return out;
    }
    Json value() {
        Json j;
        space();
        if (i >= s.size()) fail();
        if (s[i] == '{' || s[i] == '[') {
            j.kind = s[i] == '{' ? 'o' : 'a';
            char close = s[i++] == '{' ? '}' : ']';
            if (take(close)) return j;
            do {
                std::string name = j.kind == 'o' ? string() : "";
                if (j.kind == 'o' && !take(':')) fail();
                j.members.emplace_back(name, value());
            } while (take(','));
            if (!take(close)) fail();
        } else if (s[i] == '"') {
            j.kind = 's'; j.text = string();
        } else {
            while (i < s.size() && !std::strchr(",]} \t\r\n", s[i])) j.text += s[i++];
            j.kind = j.text == "null" ? '0' : j.text == "true" || j.text == "false" ? 'b' : 'n';
        }
        return j;
    }
};

inline std::string slurp(const std::string& path) {
    std::ifstream f(path, std::ios::binary);
    if (!f) throw std::runtime_error(path + " is missing");
    return {std::istreambuf_iterator<char>(f), {}};
}

struct Tensor { std::vector<int64_t> shape; std::vector<double> v; };
using Files = std::map<std::string, std::map<std::string, std::string>>;    // file -> tensor -> bytes

inline std::map<std::string, std::string> read_safetensors(const std::string& path) {
    std::string file = slurp(path);
    uint64_t length = 0;
    if (file.size() >= 8) std::memcpy(&length, file.data(), 8);
    if (file.size() < 8 || length > file.size() - 8) throw std::runtime_error(path + " is cut short");
    std::string header = file.substr(8, length);
    std::map<std::string, std::string> tensors;
    for (auto& [name, e] : Parser{header}.value().members)
        if (name != "__metadata__") { auto o = e.at("data_offsets").integers(); tensors[name] = file.substr(8 + length + o.at(0), o.at(1) - o.at(0)); }
    return tensors;
}

inline Tensor decode(const std::string& dtype, std::vector<int64_t> shape, const std::string& raw) {
    auto all = [&](auto one) { std::vector<double> v; for (size_t i = 0; i + sizeof one <= raw.size(); i += sizeof one) { std::memcpy(&one, raw.data() + i, sizeof one); v.push_back((double) one); } return v; };
    if (dtype != "BF16") return {shape, dtype == "F64" ? all(double{}) : dtype == "F32" ? all(float{}) : all(int64_t{})};
    std::string wide;                                     // a BF16 is the upper half of a float
    for (size_t i = 0; i + 1 < raw.size(); i += 2) wide += std::string(2, '\0') + raw[i] + raw[i + 1];
    return decode("F32", shape, wide);
}

inline std::string encode(const std::string& dtype, double x) {
    auto bytes = [](auto v) { return std::string((const char*) &v, sizeof v); };
    if (dtype == "I64") return bytes((int64_t) x);
    if (dtype == "F64") return bytes(x);
    float f = (float) x;
    if (dtype == "F32") return bytes(f);
    uint32_t b;
    std::memcpy(&b, &f, 4);
    return bytes((uint16_t) ((b + 0x7fff + (b >> 16 & 1)) >> 16));
}

inline std::string generate(const Json& entry) {          // SplitMix64
    const Json& g = entry.at("generator");
    std::string dtype = entry.at("dtype").text, raw;
    auto shape = entry.at("shape").integers();
    bool whole = g.at("kind").text == "splitmix64-int";
    uint64_t state = std::stoull(g.at("seed").text);
    int64_t count = 1;
    for (auto d : shape) count *= d;
    for (int64_t e = 0; e < count; e++) {
        uint64_t z = state += 0x9E3779B97F4A7C15;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        uint64_t top = (z ^ z >> 31) >> 40;
        raw += encode(dtype, whole ? g.at("low").number() + (double) (top % (uint64_t) (g.at("high").number() - g.at("low").number()))
                                   : g.at("offset").number() + g.at("scale").number() * ((double) top / 8388608 - 1));
    }
    if (const Json* set = g.find("set"))
        for (auto& [_, s] : set->members) {               // an index shorter than the shape overwrites everything below it
            auto index = s.at("index").integers();
            int64_t at = 0, below = 1;
            for (size_t a = 0; a < shape.size(); a++) a < index.size() ? at = at * shape[a] + index[a] : below *= shape[a];
            std::string one = encode(dtype, s.at("value").number());
            for (int64_t e = at * below; e < (at + 1) * below; e++) raw.replace(e * one.size(), one.size(), one);
        }
    return raw;
}

inline Tensor load(const std::string& folder, const std::string& name, const Json& entry, Files& files) {   // hash checked
    std::string raw;
    if (!entry.find("generator")) {                       // an input with both is rebuilt: the hash says whether rightly
        std::string path = folder + "/" + entry.at("file").text;
        if (!files.count(path)) files[path] = read_safetensors(path);
        if (!files[path].count(name)) throw std::runtime_error(path + " holds no tensor " + name);
        raw = files[path][name];
    } else raw = generate(entry);
    if (sha256(raw) != entry.at("sha256").text) throw std::runtime_error(folder + ": " + name + " does not have the hash that case.json states");
    return decode(entry.at("dtype").text, entry.at("shape").integers(), raw);
}
