//! JSON and SHA-256, as much of them as the vectors need. Rust 1.60 or newer, nothing but the standard library.

#[derive(Clone, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String), // as it is written: a seed may need all 64 bits
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub fn parse(text: &[u8]) -> Result<Json, String> {
        let mut at = 0;
        value(text, &mut at)
    }
    pub fn find(&self, key: &str) -> Option<&Json> {
        self.members().iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }
    pub fn at(&self, key: &str) -> Result<&Json, String> {
        self.find(key).ok_or_else(|| format!("{key} is missing"))
    }
    pub fn members(&self) -> &[(String, Json)] {
        if let Json::Object(m) = self { m } else { &[] }
    }
    pub fn list(&self) -> &[Json] {
        if let Json::List(l) = self { l } else { &[] }
    }
    pub fn text(&self) -> &str {
        if let Json::Text(t) | Json::Number(t) = self { t } else { "" }
    }
    pub fn number(&self) -> f64 {
        self.text().parse().unwrap_or(f64::NAN) // "NaN" and "Infinity" are texts
    }
    pub fn integers(&self) -> Vec<usize> {
        self.list().iter().map(|j| j.number() as usize).collect()
    }
    pub fn is_true(&self) -> bool {
        matches!(self, Json::Bool(true))
    }
}

fn take(s: &[u8], at: &mut usize, c: u8) -> bool {
    while s.get(*at).map_or(false, |b| b" \t\r\n".contains(b)) {
        *at += 1;
    }
    let found = s.get(*at) == Some(&c);
    *at += found as usize;
    found
}

fn string(s: &[u8], at: &mut usize) -> Result<String, String> {
    let mut out = Vec::new();
    if !take(s, at, b'"') {
        return Err(format!("no valid JSON at byte {at}"));
    }
    while let Some(&c) = s.get(*at) {
        *at += 1;
        match c {
            b'"' => return String::from_utf8(out).map_err(|e| e.to_string()),
            b'\\' => {
                // the files hold no other escapes
                out.push(match s.get(*at) { Some(b'n') => b'\n', Some(b't') => b'\t', Some(&x) => x, None => break });
                *at += 1;
            }
            _ => out.push(c),
        }
    }
    Err("a text does not end".into())
}

fn value(s: &[u8], at: &mut usize) -> Result<Json, String> {
    let wrong = |at: &usize| Err(format!("no valid JSON at byte {at}"));
    if take(s, at, b'{') {
        let mut members = Vec::new();
        if take(s, at, b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            let key = string(s, at)?;
            if !take(s, at, b':') {
                return wrong(at);
            }
            members.push((key, value(s, at)?));
            if !take(s, at, b',') {
                return if take(s, at, b'}') { Ok(Json::Object(members)) } else { wrong(at) };
            }
        }
    }
    if take(s, at, b'[') {
        let mut list = Vec::new();
        if take(s, at, b']') {
            return Ok(Json::List(list));
        }
        loop {
            list.push(value(s, at)?);
            if !take(s, at, b',') {
                return if take(s, at, b']') { Ok(Json::List(list)) } else { wrong(at) };
            }
        }
    }
    if s.get(*at) == Some(&b'"') {
        return Ok(Json::Text(string(s, at)?));
    }
    let begin = *at;
    while s.get(*at).map_or(false, |b| !b",]} \t\r\n".contains(b)) {
        *at += 1;
    }
    match std::str::from_utf8(&s[begin..*at]).unwrap_or("") {
        "null" => Ok(Json::Null),
        "true" => Ok(Json::Bool(true)),
        "false" => Ok(Json::Bool(false)),
        t if t.parse::<f64>().is_ok() => Ok(Json::Number(t.into())),
        _ => wrong(at),
    }
}

pub fn sha256(message: &[u8]) -> String {
    // the constants are the fractional parts of the cube roots of the first 64 primes, found by bisection in whole numbers
    let primes = (2u128..).filter(|p| (2..*p).all(|d| p % d != 0)).take(64);
    let k: Vec<u32> = primes.map(|p| (0..36).rev().fold(0u128, |r, b| { let t = r | 1 << b; if t * t * t <= p << 96 { t } else { r } }) as u32).collect();
    let mut h: [u32; 8] = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
    let mut m = message.to_vec();
    m.push(0x80);
    m.resize((m.len() + 8 + 63) / 64 * 64 - 8, 0);
    m.extend((8 * message.len() as u64).to_be_bytes());
    for block in m.chunks(64) {
        let mut w: Vec<u32> = block.chunks(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]])).collect();
        for t in 16..64 {
            let (a, b) = (w[t - 15], w[t - 2]);
            let (a, b) = (a.rotate_right(7) ^ a.rotate_right(18) ^ a >> 3, b.rotate_right(17) ^ b.rotate_right(19) ^ b >> 10);
            w.push(w[t - 16].wrapping_add(a).wrapping_add(w[t - 7]).wrapping_add(b));
        }
        let mut v = h;
        for t in 0..64 {
            let s1 = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
            let a = v[7].wrapping_add(s1).wrapping_add((v[4] & v[5]) ^ (!v[4] & v[6])).wrapping_add(k[t]).wrapping_add(w[t]);
            let s0 = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
            let b = s0.wrapping_add((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
            v = [a.wrapping_add(b), v[0], v[1], v[2], v[3].wrapping_add(a), v[4], v[5], v[6]];
        }
        (0..8).for_each(|i| h[i] = h[i].wrapping_add(v[i]));
    }
    h.iter().map(|x| format!("{x:08x}")).collect()
}
