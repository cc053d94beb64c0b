package org.dhsa.negative;

import static org.dhsa.negative.Bytes.bytes;
import static org.dhsa.negative.Bytes.entry;
import static org.dhsa.negative.Bytes.f32;
import static org.dhsa.negative.Bytes.f64;
import static org.dhsa.negative.Bytes.file;
import static org.dhsa.negative.Bytes.join;
import static org.dhsa.negative.Bytes.one;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dhsa.cli.Json;

/// Files of tensors that look odd and must be loaded, with what is in them.
final class OddSafetensorsCases {

    private final List<NegativeCase> cases = new ArrayList<>();

    private OddSafetensorsCases() {}

    static List<NegativeCase> all() {
        OddSafetensorsCases c = new OddSafetensorsCases();
        c.shapes();
        c.headers();
        c.layout();
        c.names();
        c.values();
        return c.cases;
    }

    private void shapes() {
        accept("odd-no-tensors", file("{}", new byte[0]), "no-hole", "No tensor and no data.", Map.of());
        accept("odd-empty-tensor", file(one("F32", "[0]", "[0,0]"), new byte[0]), "shape", "A tensor of no elements.", tensor("w", "F32", shape(0)));
        accept("odd-empty-with-sizes", file(one("F64", "[3,0,2]", "[0,0]"), new byte[0]), "shape", "One dimension of 0 among others.", tensor("w", "F64", shape(3, 0, 2)));
        accept("odd-empty-between", file("{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("e", "F32", "[0]", "[4,4]") + "," + entry("b", "F32", "[1]", "[4,8]") + "}",
                f32(1, 2)), "shape", "An empty tensor between two others.",
                both(tensor("a", "F32", shape(1), 1), both(tensor("e", "F32", shape(0)), tensor("b", "F32", shape(1), 2))));
        accept("odd-two-empties-at-one-place", file("{" + entry("e", "F32", "[0]", "[0,0]") + "," + entry("f", "I64", "[0,7]", "[0,0]") + "}", new byte[0]), "no-overlap",
                "Two empty tensors at one place share no byte.", both(tensor("e", "F32", shape(0)), tensor("f", "I64", shape(0, 7))));
        accept("odd-scalar", file(one("F32", "[]", "[0,4]"), f32(7)), "shape", "A scalar: no dimension, one element.", tensor("w", "F32", shape(), 7));
        accept("odd-nine-dimensions", file(one("F32", "[1,1,1,2,1,1,1,1,1]", "[0,8]"), f32(1, 2)), "shape", "Nine dimensions.",
                tensor("w", "F32", shape(1, 1, 1, 2, 1, 1, 1, 1, 1), 1, 2));
    }

    private void headers() {
        String good = one("F32", "[2]", "[0,8]");
        Map<String, ObjectNode> w = tensor("w", "F32", shape(2), 1, 2);
        accept("odd-padded", file(good + " ".repeat(40), f32(1, 2)), "header-padding", "Forty spaces behind the header.", w);
        accept("odd-header-of-odd-length", file(good + " ", f32(1, 2)), "alignment-free", "A header of 57 bytes: the data begins at byte 65.", w);
        accept("odd-pretty-printed", file("{\n  \"w\" : {\n    \"shape\" : [ 2 ],\n    \"data_offsets\" : [ 0, 8 ],\n    \"dtype\" : \"F32\"\n  }\n}", f32(1, 2)), "header-json",
                "Line breaks, spaces and another order of the fields.", w);
        accept("odd-metadata", file("{\"__metadata__\":{\"format\":\"pt\"}," + good.substring(1), f32(1, 2)), "metadata-strings", "Metadata as PyTorch writes it.", w);
        accept("odd-metadata-empty", file("{\"__metadata__\":{}," + good.substring(1), f32(1, 2)), "metadata-strings", "Metadata without entries.", w);
        accept("odd-metadata-last", file(good.substring(0, good.length() - 1) + ",\"__metadata__\":{\"format\":\"pt\"}}", f32(1, 2)), "metadata-strings",
                "Metadata behind the tensors.", w);
        accept("odd-metadata-unknown", file("{\"__metadata__\":{\"réglage\":\"α=½\",\"w\":\"[1, 2]\",\"\":\"\"}," + good.substring(1), f32(1, 2)), "metadata-strings",
                "Metadata nobody knows, with the name of a tensor and an empty key among them.", w);
        accept("odd-unknown-field", file("{\"w\":{\"dtype\":\"F32\",\"scale\":{\"of\":[1]},\"shape\":[2],\"data_offsets\":[0,8]}}", f32(1, 2)), "entry-fields",
                "A field that nobody knows inside an entry.", w);
    }

    private void layout() {
        accept("odd-listed-backwards", file("{" + entry("b", "F32", "[1]", "[4,8]") + "," + entry("a", "F32", "[1]", "[0,4]") + "}", f32(1, 2)), "alignment-free",
                "The header lists the last tensor first.", both(tensor("a", "F32", shape(1), 1), tensor("b", "F32", shape(1), 2)));
        accept("odd-unaligned", file("{" + entry("a", "U8", "[1]", "[0,1]") + "," + entry("b", "F64", "[1]", "[1,9]") + "}", join(bytes(5), f64(0.5))), "alignment-free",
                "A double that begins at an odd byte.", both(tensor("a", "U8", shape(1), 5), tensor("b", "F64", shape(1), 0.5)));
        StringBuilder header = new StringBuilder("{");
        Map<String, ObjectNode> expect = new LinkedHashMap<>();
        String[] types = {"BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "I16", "U16", "F16", "BF16", "I32", "U32", "F32", "I64", "U64", "F64"};
        byte[][] ones = {bytes(1), bytes(1), bytes(1), bytes(0x38), bytes(0x3c), bytes(1, 0), bytes(1, 0), bytes(0, 0x3c), bytes(0x80, 0x3f), bytes(1, 0, 0, 0),
            bytes(1, 0, 0, 0), f32(1), bytes(1, 0, 0, 0, 0, 0, 0, 0), bytes(1, 0, 0, 0, 0, 0, 0, 0), f64(1)};
        int at = 0;
        for (int i = 0; i < types.length; i++) {
            header.append(i == 0 ? "" : ",").append(entry("one." + types[i], types[i], "[1]", "[" + at + "," + (at += ones[i].length) + "]"));
            expect.putAll(tensor("one." + types[i], types[i], shape(1), 1));
        }
        accept("odd-all-types", file(header + "}", join(ones)), "dtype", "The number 1 in fifteen element types. A reader may list a type that it cannot compute with.", expect);
    }

    private void names() {
        name("odd-name-unicode", "ключ/キー/🙂", "ключ/キー/🙂", "Letters beyond ASCII, one of four bytes.");
        name("odd-name-escaped", "\\u0077\\ud83d\\ude42\\\"\\\\\\n", "w🙂\"\\\n", "Escapes: a surrogate pair, a quotation mark, a backslash, a line break.");
        name("odd-name-decomposed", "e\u0301", "e\u0301", "A letter and an accent. It is not the name é: no normalisation.");
        name("odd-name-empty", "", "", "The empty string is a name.");
        name("odd-name-path", "../../etc/passwd", "../../etc/passwd", "A name that looks like a path. It opens nothing.");
        name("odd-name-long", "layer.".repeat(200), "layer.".repeat(200), "A name of 1200 letters.");
        name("odd-name-field", "dtype", "dtype", "A tensor called like a field.");
        name("odd-name-metadata-like", "__Metadata__", "__Metadata__", "Only the exact spelling is reserved.");
    }

    private void values() {
        accept("odd-not-finite", file(one("F32", "[4]", "[0,16]"), bytes(0, 0, 0xc0, 0x7f, 0, 0, 0x80, 0x7f, 0, 0, 0x80, 0xff, 0, 0, 0, 0x80)), "values-free",
                "NaN, both infinities, negative zero. Whether a model may hold them is another question.",
                tensor("w", "F32", shape(4), Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, -0.0));
    }

    private void name(String id, String written, String meant, String note) {
        accept(id, file("{" + entry(written, "F32", "[2]", "[0,8]") + "}", f32(1, 2)), "names", note, tensor(meant, "F32", shape(2), 1, 2));
    }

    private void accept(String name, byte[] file, String rule, String note, Map<String, ObjectNode> expect) {
        String path = "safetensors/" + name + ".safetensors";
        cases.add(new NegativeCase("safetensors/" + name, path, Map.of(path, file), true, rule, "", "", note, "", expect));
    }

    private static int[] shape(int... dims) {
        return dims;
    }

    /// JSON has neither NaN nor infinities: they are texts here.
    private static Map<String, ObjectNode> tensor(String name, String dtype, int[] shape, double... values) {
        ObjectNode node = Json.object().put("dtype", dtype);
        node.set("shape", Json.array(shape));
        ArrayNode list = node.putArray("values");
        for (double v : values) {
            if (Double.isNaN(v) || Double.isInfinite(v)) {
                list.add(String.valueOf(v));
            } else {
                list.add(v);
            }
        }
        return new LinkedHashMap<>(Map.of(name, node));
    }

    private static Map<String, ObjectNode> both(Map<String, ObjectNode> a, Map<String, ObjectNode> b) {
        Map<String, ObjectNode> all = new LinkedHashMap<>(a);
        all.putAll(b);
        return all;
    }
}
