// SHA-256 (FIPS 180-4) as lower-case hexadecimal digits.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

inline std::string sha256(std::string m) {
    static const auto k = [] {                            // fractional parts of the cube roots of the first 64 primes, computed in integers
        std::vector<uint32_t> k;
        for (unsigned p = 2; k.size() < 64; p++) {
            bool prime = true;
            for (unsigned d = 2; d * d <= p; d++) prime = prime && p % d;
            if (!prime) continue;
            unsigned __int128 root = 0;                   // floor(cbrt(p) * 2^32)
            for (int bit = 35; bit >= 0; bit--) { auto r = root | ((unsigned __int128) 1 << bit); if (r * r * r <= (unsigned __int128) p << 96) root = r; }
            k.push_back((uint32_t) root);
        }
        return k;
    }();
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint64_t bits = 8 * (uint64_t) m.size();
    for (m += (char) 0x80; m.size() % 64 != 56;) m += '\0';
    for (int b = 56; b >= 0; b -= 8) m += (char) (bits >> b);
    auto turn = [](uint32_t x, int n) { return x >> n | x << (32 - n); };
    for (size_t at = 0; at < m.size(); at += 64) {
        uint32_t w[64], v[8];
        for (int t = 0; t < 16; t++) w[t] = (uint8_t) m[at + 4 * t] << 24 | (uint8_t) m[at + 4 * t + 1] << 16 | (uint8_t) m[at + 4 * t + 2] << 8 | (uint8_t) m[at + 4 * t + 3];
        for (int t = 16; t < 64; t++) w[t] = w[t - 16] + w[t - 7] + (turn(w[t - 15], 7) ^ turn(w[t - 15], 18) ^ w[t - 15] >> 3) + (turn(w[t - 2], 17) ^ turn(w[t - 2], 19) ^ w[t - 2] >> 10);
        std::memcpy(v, h, sizeof v);
        for (int t = 0; t < 64; t++) {
            uint32_t a = v[7] + (turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[t] + w[t];
            uint32_t b = (turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
            for (int n = 7; n > 0; n--) v[n] = v[n - 1];
            v[4] += a; v[0] = a + b;
        }
        for (int n = 0; n < 8; n++) h[n] += v[n];
    }
    std::string hex;
    for (uint32_t x : h) for (int b = 28; b >= 0; b -= 4) hex += "0123456789abcdef"[x >> b & 15];
    return hex;
}
