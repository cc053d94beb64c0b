package org.dhsa.negative;

import java.util.LinkedHashMap;
import java.util.Map;

/// The rules that the cases break or test, in our words, with the place where each stands.
final class Rules {

    private static final String FORMAT = "safetensors, README, section Format";
    private static final String READER = "safetensors, its own reader (Rust)";
    private static final String JSON = "RFC 8259";
    private static final String INDEX = "Hugging Face, sharded checkpoints";
    private static final String CONFIG = "Hugging Face, Gemma 2 config.json";

    /// A rule and its source.
    record Rule(String text, String source) {}

    static final Map<String, Rule> ALL = all();

    private Rules() {}

    private static Map<String, Rule> all() {
        Map<String, Rule> r = new LinkedHashMap<>();
        r.put("header-length", new Rule("The file begins with 8 bytes: the header's length, unsigned, little-endian. That many bytes must follow.", FORMAT));
        r.put("header-cap", new Rule("A header has at most 100,000,000 bytes.", FORMAT));
        r.put("header-start", new Rule("The first byte of the header is { (0x7B).", FORMAT));
        r.put("header-padding", new Rule("The header may be padded at its end with spaces (0x20), with nothing else.", FORMAT));
        r.put("header-json", new Rule("The header is one JSON object and nothing more.", JSON));
        r.put("header-utf8", new Rule("The header is valid UTF-8, and its strings are valid Unicode.", JSON));
        r.put("no-duplicate-keys", new Rule("No key occurs twice in an object, escapes resolved.", FORMAT));
        r.put("metadata-strings", new Rule("__metadata__ is an object whose values are strings. Its keys are free.", FORMAT));
        r.put("entry-fields", new Rule("A tensor has dtype, shape and data_offsets. Further keys are passed over.", READER));
        r.put("names", new Rule("A tensor's name is any string. It is a name and never a path.", FORMAT));
        r.put("dtype", new Rule("dtype is one of the format's names, in capitals.", FORMAT));
        r.put("shape", new Rule("shape is a list of whole numbers, 0 or greater. An empty list is a scalar, a 0 in it an empty tensor.", FORMAT));
        r.put("offsets", new Rule("data_offsets is [begin, end], counted from the end of the header, end exclusive, begin <= end.", FORMAT));
        r.put("size", new Rule("end - begin is the product of the shape times the bytes of one element.", FORMAT));
        r.put("no-overflow", new Rule("That product is computed without wrapping round.", READER));
        r.put("within-data", new Rule("No tensor ends behind the end of the file.", FORMAT));
        r.put("no-overlap", new Rule("No byte belongs to two tensors.", FORMAT));
        r.put("no-hole", new Rule("Every byte of the data belongs to a tensor: none before, between or behind them is left over.", FORMAT));
        r.put("values-free", new Rule("Values are not judged by the format: NaN and infinities are values.", FORMAT));
        r.put("alignment-free", new Rule("A tensor may begin at any byte, and tensors may be listed in any order.", FORMAT));
        r.put("bounded-depth", new Rule("A reader limits the depth of nesting and does not fall over.", JSON));
        r.put("index-json", new Rule("The index is one JSON object without duplicate keys.", INDEX));
        r.put("index-weight-map", new Rule("weight_map is an object from tensor name to shard, and not empty.", INDEX));
        r.put("index-plain-name", new Rule("A shard is the plain name of a .safetensors file beside the index.", INDEX));
        r.put("index-shard-there", new Rule("Every shard is there and is itself valid.", INDEX));
        r.put("index-is-true", new Rule("Every tensor is in the shard it is mapped to, in no other, and no shard holds one that is not mapped.", INDEX));
        r.put("index-metadata", new Rule("metadata informs; nothing is computed from it.", INDEX));
        r.put("config-json", new Rule("config.json is one JSON object without duplicate keys.", CONFIG));
        r.put("config-model", new Rule("The model is Gemma 2 and says so.", CONFIG));
        r.put("config-size", new Rule("Sizes are whole numbers greater than 0, and all are stated.", CONFIG));
        r.put("config-number", new Rule("What divides, or is a base or a cap, is a finite number greater than 0.", CONFIG));
        r.put("config-heads", new Rule("Query heads are a multiple of key/value heads; head_dim is even, stated, and free of hidden_size.", CONFIG));
        r.put("config-caps", new Rule("Each soft cap is stated: a number greater than 0, or null for none.", CONFIG));
        r.put("config-supported", new Rule("A setting that changes the numbers and is not computed is refused, not passed over.", CONFIG));
        r.put("config-consistent", new Rule("Two spellings of one setting do not contradict each other.", CONFIG));
        r.put("config-tokens", new Rule("Token ids lie inside the vocabulary; eos may be one id or a list.", CONFIG));
        r.put("config-layers", new Rule("Layers alternate: sliding, full, sliding, full.", CONFIG));
        r.put("config-unknown", new Rule("Fields without effect on the forward pass, and fields nobody knows, do no harm.", CONFIG));
        return r;
    }
}
