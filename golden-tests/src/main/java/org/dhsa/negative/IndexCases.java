package org.dhsa.negative;

import static org.dhsa.negative.Bytes.entry;
import static org.dhsa.negative.Bytes.f32;
import static org.dhsa.negative.Bytes.file;
import static org.dhsa.negative.Bytes.utf8;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// `model.safetensors.index.json` beside its shards: a true one has tensor a in the first shard, b and c in the second.
final class IndexCases {

    private static final String INDEX = "model.safetensors.index.json";
    private static final String ONE = "model-00001-of-00002.safetensors";
    private static final String TWO = "model-00002-of-00002.safetensors";
    private static final String MAP = "\"weight_map\":{\"a\":\"" + ONE + "\",\"b\":\"" + TWO + "\",\"c\":\"" + TWO + "\"}";
    private static final String TRUE = "{\"metadata\":{\"total_size\":12}," + MAP + "}";
    private static final String NOT_BY_READERS = "Loaders that ask the index only where a tensor lies do not notice.";

    private final List<NegativeCase> cases = new ArrayList<>();

    private IndexCases() {}

    static List<NegativeCase> all() {
        IndexCases c = new IndexCases();
        c.broken();
        c.untrue();
        c.odd();
        return c.cases;
    }

    private void broken() {
        refuse("no-json", "weight_map: a", shards(), "index-json", "", "JSON", "No JSON.");
        refuse("is-list", "[" + TRUE + "]", shards(), "index-json", "", "object", "A list around the object.");
        refuse("cut", TRUE.substring(0, 60), shards(), "index-json", "", "JSON", "The file ends in the middle.");
        refuse("duplicate-tensor", TRUE.replace("\"b\":", "\"a\":"), shards(), "index-json", "a", "uplicate", "One tensor mapped twice, to two shards.");
        refuse("no-weight-map", "{\"metadata\":{\"total_size\":12}}", shards(), "index-weight-map", "weight_map", "weight_map", "No weight_map.");
        refuse("weight-map-is-list", "{\"weight_map\":[\"a\",\"b\"]}", shards(), "index-weight-map", "weight_map", "weight_map", "A list of names.");
        refuse("weight-map-empty", "{\"weight_map\":{}}", shards(), "index-weight-map", "weight_map", "empty", "Nothing is mapped.");
        refuse("shard-is-number", TRUE.replace("\"a\":\"" + ONE + "\"", "\"a\":1"), shards(), "index-weight-map", "a", "plain name", "A number instead of a file.");
        refuse("shard-is-null", TRUE.replace("\"a\":\"" + ONE + "\"", "\"a\":null"), shards(), "index-weight-map", "a", "plain name", "null instead of a file.");
        refuse("shard-up", TRUE.replace("\"a\":\"", "\"a\":\"../"), shards(), "index-plain-name", "a", "plain name", "A way out of the folder.");
        refuse("shard-absolute", TRUE.replace("\"a\":\"" + ONE, "\"a\":\"/etc/passwd"), shards(), "index-plain-name", "a", "plain name", "An absolute path.");
        refuse("shard-in-folder", TRUE.replace("\"a\":\"", "\"a\":\"shards/"), shards(), "index-plain-name", "a", "plain name", "A folder below.");
        refuse("shard-pickle", TRUE.replace("\"a\":\"" + ONE, "\"a\":\"pytorch_model.bin"), shards(), "index-plain-name", "a", "plain name", "A file of another format.");
        refuse("shard-empty-name", TRUE.replace("\"a\":\"" + ONE, "\"a\":\""), shards(), "index-plain-name", "a", "plain name", "An empty name: the folder itself.");
    }

    private void untrue() {
        Map<String, byte[]> missing = shards();
        missing.remove(TWO);
        refuse("shard-missing", TRUE, missing, "index-shard-there", TWO, "missing", "The second shard is not there.");
        Map<String, byte[]> cut = shards();
        cut.put(TWO, java.util.Arrays.copyOf(cut.get(TWO), cut.get(TWO).length - 1));
        refuse("shard-cut", TRUE, cut, "index-shard-there", TWO, "cut short", "The second shard lacks its last byte.");
        refuse("tensor-in-no-shard", TRUE.replace("\"c\":", "\"d\":"), shards(), "index-is-true", "d", "d", "d is mapped, and in no shard.");
        refuse("tensor-in-other-shard", TRUE.replace("\"c\":\"" + TWO, "\"c\":\"" + ONE), shards(), "index-is-true", "c", TWO, "c is mapped to the wrong shard.");
        refuse("tensor-not-mapped", TRUE.replace(",\"c\":\"" + TWO + "\"", ""), shards(), "index-is-true", "c", "not in", "The second shard holds a tensor the index does not know.",
                NOT_BY_READERS);
        Map<String, byte[]> twice = shards();
        twice.put(ONE, file("{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("b", "F32", "[1]", "[4,8]") + "}", f32(1, 9)));
        refuse("tensor-in-two-shards", TRUE, twice, "index-is-true", "b", "also in", "b is in both shards, with different values.", NOT_BY_READERS);
    }

    private void odd() {
        accept("odd-no-metadata", "{" + MAP + "}", "index-metadata", "No metadata.");
        accept("odd-metadata-first-or-last", "{" + MAP + ",\"metadata\":{\"total_size\":12.0,\"total_parameters\":3}}", "index-metadata", "Metadata last, its size as a fraction.");
        accept("odd-wrong-total-size", TRUE.replace("12", "13"), "index-metadata", "total_size is wrong: worth a warning, nothing depends on it.");
        accept("odd-order", "{\"weight_map\":{\"c\":\"" + TWO + "\",\"a\":\"" + ONE + "\",\"b\":\"" + TWO + "\"}}", "index-weight-map", "The order of the map says nothing.");
        accept("odd-unknown-field", TRUE.replace("{\"metadata\"", "{\"comment\":[1],\"metadata\""), "index-metadata", "A field nobody knows.");
    }

    private static Map<String, byte[]> shards() {
        Map<String, byte[]> files = new LinkedHashMap<>();
        files.put(ONE, file("{" + entry("a", "F32", "[1]", "[0,4]") + "}", f32(1)));
        files.put(TWO, file("{" + entry("b", "F32", "[1]", "[0,4]") + "," + entry("c", "F32", "[1]", "[4,8]") + "}", f32(2, 3)));
        return files;
    }

    private void refuse(String name, String index, Map<String, byte[]> shards, String rule, String names, String keyword, String note) {
        refuse(name, index, shards, rule, names, keyword, note, "");
    }

    private void refuse(String name, String index, Map<String, byte[]> shards, String rule, String names, String keyword, String note, String lenient) {
        add(name, index, shards, false, rule, names, keyword, note, lenient);
    }

    private void accept(String name, String index, String rule, String note) {
        add(name, index, shards(), true, rule, "", "", note, "");
    }

    private void add(String name, String index, Map<String, byte[]> shards, boolean accept, String rule, String names, String keyword, String note, String lenient) {
        String folder = "index/" + name + "/";
        Map<String, byte[]> files = new LinkedHashMap<>();
        files.put(folder + INDEX, utf8(index + "\n"));
        shards.forEach((file, bytes) -> files.put(folder + file, bytes));
        cases.add(new NegativeCase("index/" + name, folder + INDEX, files, accept, rule, names, keyword, note, lenient, Map.of()));
    }
}
