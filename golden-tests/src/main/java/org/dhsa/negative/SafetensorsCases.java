package org.dhsa.negative;

import static org.dhsa.negative.Bytes.bytes;
import static org.dhsa.negative.Bytes.entry;
import static org.dhsa.negative.Bytes.f32;
import static org.dhsa.negative.Bytes.file;
import static org.dhsa.negative.Bytes.join;
import static org.dhsa.negative.Bytes.one;
import static org.dhsa.negative.Bytes.utf8;
import static org.dhsa.negative.Bytes.withLength;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Files of tensors that must be refused.
final class SafetensorsCases {

    private static final String GOOD = one("F32", "[2]", "[0,8]");
    private static final byte[] TWO = f32(1, 2);
    private static final String A = entry("a", "F32", "[1]", "[0,4]");

    private final List<NegativeCase> cases = new ArrayList<>();

    private SafetensorsCases() {}

    static List<NegativeCase> all() {
        SafetensorsCases c = new SafetensorsCases();
        c.lengths();
        c.json();
        c.duplicates();
        c.metadata();
        c.entries();
        c.shapes();
        c.offsets();
        c.layout();
        return c.cases;
    }

    private void lengths() {
        refuse("empty-file", new byte[0], "header-length", "", "8 bytes", "No byte at all: a failed download.");
        refuse("seven-bytes", new byte[7], "header-length", "", "8 bytes", "Too short for the length itself.");
        refuse("length-zero", new byte[8], "header-length", "", "length is 0", "Length 0: there is no object, and no room for its two braces.");
        refuse("length-beyond-file", withLength(1000, utf8(GOOD), TWO), "header-length", "", "follow", "The length says more than the file has.");
        refuse("length-one-beyond-file", withLength(utf8(GOOD).length + TWO.length + 1, utf8(GOOD), TWO), "header-length", "", "follow",
                "The length reaches one byte behind the end.");
        refuse("length-all-ones", withLength(-1, utf8(GOOD), TWO), "header-cap", "", "18446744073709551615",
                "Length 2^64 - 1. As a signed number it is -1, and 8 + length wraps to 7.");
        refuse("length-top-bit", withLength(Long.MIN_VALUE | utf8(GOOD).length, utf8(GOOD), TWO), "header-cap", "", "length is",
                "The true length with the top bit set: negative as a signed number, true as its lower half.");
        refuse("length-upper-half", withLength(1L << 32 | utf8(GOOD).length, utf8(GOOD), TWO), "header-cap", "", "length is",
                "The true length plus 2^32: a reader that takes 32 bits does not see it.");
        refuse("length-over-cap", withLength(100_000_001, utf8(GOOD), TWO), "header-cap", "", "100000000", "One more than the cap.");
        refuse("length-big-endian", join(ByteBuffer.allocate(8).putLong(utf8(GOOD).length).array(), utf8(GOOD), TWO), "header-length", "", "length is",
                "The length with its bytes reversed.");
        refuse("length-one-short", withLength(utf8(GOOD).length - 1, utf8(GOOD), TWO), "header-json", "", "JSON",
                "The length leaves the closing brace out; the brace becomes data.");
    }

    private void json() {
        refuse("header-starts-with-space", file(" " + GOOD, TWO), "header-start", "", "start", "A space before the brace.");
        refuse("header-starts-with-mark", file(join(bytes(0xef, 0xbb, 0xbf), utf8(GOOD)), TWO), "header-start", "", "start", "A byte order mark before the brace.");
        refuse("header-is-list", file("[]", new byte[0]), "header-start", "", "start", "A list instead of an object.");
        refuse("header-is-pickle", join(bytes(0x80, 0x02), utf8("}q.")), "header-length", "", "8 bytes", "The first bytes of a Python pickle.");
        refuse("header-no-json", file("{tensors}", new byte[0]), "header-json", "", "JSON", "A brace, then no JSON.");
        refuse("header-not-closed", file(GOOD.substring(0, GOOD.length() - 1) + " ", TWO), "header-json", "", "JSON", "The last brace is missing.");
        refuse("header-trailing-comma", file("{" + entry("w", "F32", "[2]", "[0,8]") + ",}", TWO), "header-json", "", "JSON", "A comma before the last brace.");
        refuse("header-single-quotes", file(GOOD.replace('"', '\''), TWO), "header-json", "", "JSON", "Python's quotes are not JSON's.");
        refuse("header-comment", file("{/* weights */" + GOOD.substring(1), TWO), "header-json", "", "JSON", "JSON has no comments.");
        refuse("header-raw-newline-in-name", file("{" + entry("w\nx", "F32", "[2]", "[0,8]") + "}", TWO), "header-json", "", "JSON",
                "A line break inside a string must be escaped.");
        refuse("header-goes-on", file(GOOD + "{}", TWO), "header-json", "", "closing brace", "A second object behind the first.");
        refuse("header-text-behind", file(GOOD + " x", TWO), "header-json", "", "JSON", "Text behind the object.");
        refuse("header-padded-with-zeros", file(join(utf8(GOOD), new byte[3]), TWO), "header-padding", "", "JSON", "Padding is spaces, not zero bytes.");
        refuse("header-bad-utf8", file(join(utf8("{\"w"), bytes(0xff), utf8(GOOD.substring(3))), TWO), "header-utf8", "", "UTF-8", "Byte 0xFF occurs in no UTF-8.");
        refuse("header-overlong-utf8", file(join(utf8("{\"w"), bytes(0xc1, 0xb7), utf8(GOOD.substring(3))), TWO), "header-utf8", "", "UTF-8",
                "The letter w in two bytes: a second spelling of one name.");
        refuse("header-surrogate-utf8", file(join(utf8("{\"w"), bytes(0xed, 0xa0, 0x80), utf8(GOOD.substring(3))), TWO), "header-utf8", "", "UTF-8",
                "Half a surrogate pair as UTF-8.");
        refuse("header-surrogate-escape", file("{" + entry("w\\ud800", "F32", "[2]", "[0,8]") + "}", TWO), "header-utf8", "w\\ud800", "surrogate",
                "Half a surrogate pair as an escape: the name has no UTF-8 spelling.");
        refuse("header-nested-deep", file("{\"w\":{\"x\":" + "[".repeat(5000) + "]".repeat(5000) + "}}", new byte[0]), "bounded-depth", "", "depth",
                "5000 lists inside each other: a recursive reader runs out of stack.");
    }

    private void duplicates() {
        String w = entry("w", "F32", "[2]", "[0,8]");
        refuse("duplicate-tensor", file("{" + w + "," + w + "}", TWO), "no-duplicate-keys", "w", "uplicate", "One name twice, equal entries.");
        refuse("duplicate-tensor-other-place", file("{" + A + "," + entry("a", "F32", "[1]", "[4,8]") + "}", TWO), "no-duplicate-keys", "a", "uplicate",
                "One name twice, different bytes: two readers, two models.");
        refuse("duplicate-by-escape", file("{" + w + "," + entry("\\u0077", "F32", "[2]", "[8,16]") + "}", f32(1, 2, 3, 4)), "no-duplicate-keys", "w", "uplicate",
                "w and its escape are one name.");
        refuse("duplicate-field", file("{\"w\":{\"dtype\":\"F32\",\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[0,8]}}", TWO), "no-duplicate-keys", "dtype", "uplicate",
                "Two dtypes of one size.");
        refuse("duplicate-metadata", file("{\"__metadata__\":{},\"__metadata__\":{}," + w + "}", TWO), "no-duplicate-keys", "__metadata__", "uplicate", "Metadata twice.");
        refuse("duplicate-metadata-key", file("{\"__metadata__\":{\"format\":\"pt\",\"format\":\"np\"}," + w + "}", TWO), "no-duplicate-keys", "format", "uplicate",
                "One key of the metadata twice.");
    }

    private void metadata() {
        String w = entry("w", "F32", "[2]", "[0,8]");
        refuse("metadata-number", file("{\"__metadata__\":{\"step\":7}," + w + "}", TWO), "metadata-strings", "step", "string", "A number is not a string.");
        refuse("metadata-null", file("{\"__metadata__\":{\"step\":null}," + w + "}", TWO), "metadata-strings", "step", "string", "Neither is null.");
        refuse("metadata-nested", file("{\"__metadata__\":{\"a\":{\"b\":\"c\"}}," + w + "}", TWO), "metadata-strings", "a", "string", "Nor an object.");
        refuse("metadata-list", file("{\"__metadata__\":[\"pt\"]," + w + "}", TWO), "metadata-strings", "__metadata__", "object", "Metadata as a list.");
        refuse("metadata-is-null", file("{\"__metadata__\":null," + w + "}", TWO), "metadata-strings", "__metadata__", "object", "Metadata as null.");
        refuse("metadata-as-tensor", file("{\"__metadata__\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", TWO), "metadata-strings", "shape", "string",
                "A tensor with the reserved name.");
    }

    private void entries() {
        refuse("entry-is-list", file("{\"w\":[\"F32\",[2],[0,8]]}", TWO), "entry-fields", "w", "object", "The three values without their names.");
        refuse("entry-is-null", file("{\"w\":null}", new byte[0]), "entry-fields", "w", "object", "null instead of an entry.");
        refuse("entry-is-empty", file("{\"w\":{}}", new byte[0]), "entry-fields", "w", "dtype", "An entry without any field.");
        refuse("dtype-missing", file("{\"w\":{\"shape\":[2],\"data_offsets\":[0,8]}}", TWO), "entry-fields", "w", "dtype", "No dtype.");
        refuse("shape-missing", file("{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", TWO), "entry-fields", "w", "shape", "No shape.");
        refuse("offsets-missing", file("{\"w\":{\"dtype\":\"F32\",\"shape\":[2]}}", TWO), "entry-fields", "w", "data_offsets", "No data_offsets.");
        refuse("dtype-unknown", file(one("F33", "[2]", "[0,8]"), TWO), "dtype", "w", "F33", "No such element type.");
        refuse("dtype-lower-case", file(one("f32", "[2]", "[0,8]"), TWO), "dtype", "w", "f32", "The names are in capitals.");
        refuse("dtype-torch-name", file(one("torch.float32", "[2]", "[0,8]"), TWO), "dtype", "w", "torch.float32", "Another library's name.");
        refuse("dtype-number", file("{\"w\":{\"dtype\":4,\"shape\":[2],\"data_offsets\":[0,8]}}", TWO), "dtype", "w", "dtype", "A number instead of a name.");
        refuse("dtype-empty", file(one("", "[2]", "[0,8]"), TWO), "dtype", "w", "dtype", "An empty name.");
    }

    private void shapes() {
        refuse("shape-negative", file(one("F32", "[-2]", "[0,8]"), TWO), "shape", "w", "-2", "A negative dimension.");
        refuse("shape-two-negatives", file(one("F32", "[-1,-2]", "[0,8]"), TWO), "shape", "w", "-1", "Two negative dimensions: their product is right.");
        refuse("shape-fraction", file(one("F32", "[2.0]", "[0,8]"), TWO), "shape", "w", "2.0", "2.0 is not a whole number in JSON's spelling.");
        refuse("shape-exponent", file(one("F32", "[2e0]", "[0,8]"), TWO), "shape", "w", "2e0", "Nor is 2e0.");
        refuse("shape-string", file(one("F32", "[\"2\"]", "[0,8]"), TWO), "shape", "w", "whole number", "A number in quotes.");
        refuse("shape-no-list", file(one("F32", "2", "[0,8]"), TWO), "shape", "w", "list", "A number instead of a list.");
        refuse("shape-nested", file(one("F32", "[[2]]", "[0,8]"), TWO), "shape", "w", "whole number", "A list in the list.");
        refuse("shape-bool", file(one("F32", "[2,true]", "[0,8]"), TWO), "shape", "w", "true", "true is not 1.");
        refuse("shape-null", file(one("F32", "null", "[0,8]"), TWO), "shape", "w", "list", "null is not the shape of a scalar.");
        refuse("shape-beyond-64-bits", file(one("F32", "[18446744073709551618]", "[0,8]"), TWO), "shape", "w", "18446744073709551618",
                "2^64 + 2: the lower 64 bits say 2.");
        refuse("overflow-product", file(one("F32", "[4294967296,4294967296]", "[0,0]"), new byte[0]), "no-overflow", "w", "overflow",
                "2^32 times 2^32: in 64 bits the product is 0, and 0 bytes are there.");
        refuse("overflow-bytes", file(one("F32", "[4611686018427387904]", "[0,0]"), new byte[0]), "no-overflow", "w", "overflow",
                "2^62 elements fit into 64 bits, 2^64 bytes do not.");
        refuse("overflow-to-true-size", file(one("F32", "[4611686018427387906]", "[0,8]"), TWO), "no-overflow", "w", "overflow",
                "2^62 + 2 elements: the bytes wrap round to 8, which are there.");
    }

    private void offsets() {
        refuse("offsets-reversed", file(one("F32", "[2]", "[8,0]"), TWO), "offsets", "w", "reversed", "The end before the beginning.");
        refuse("offsets-one", file(one("F32", "[2]", "[0]"), TWO), "offsets", "w", "data_offsets", "Only the beginning.");
        refuse("offsets-three", file(one("F32", "[2]", "[0,8,8]"), TWO), "offsets", "w", "data_offsets", "Three numbers.");
        refuse("offsets-negative", file(one("F32", "[2]", "[-8,0]"), TWO), "offsets", "w", "-8", "Bytes before the data, that is of the header.");
        refuse("offsets-fraction", file(one("F32", "[2]", "[0.0,8.0]"), TWO), "offsets", "w", "0.0", "Fractions.");
        refuse("offsets-strings", file(one("F32", "[2]", "[\"0\",\"8\"]"), TWO), "offsets", "w", "whole number", "Numbers in quotes.");
        refuse("offsets-no-list", file(one("F32", "[2]", "{\"begin\":0,\"end\":8}"), TWO), "offsets", "w", "list", "An object instead of a list.");
        refuse("offsets-beyond-64-bits", file(one("F32", "[2]", "[18446744073709551616,18446744073709551624]"), TWO), "offsets", "w", "18446744073709551616",
                "2^64 and 2^64 + 8: the lower 64 bits say 0 and 8.");
        String absolute = one("F32", "[2]", "[64,72]");   // 8 bytes of length, 56 of header
        refuse("offsets-from-file-start", file(absolute, TWO), "within-data", "w", "end", "Offsets counted from the start of the file.");
        refuse("size-too-small", file(one("F32", "[3]", "[0,8]"), TWO), "size", "w", "12", "Three elements in the bytes of two.");
        refuse("size-too-large", file(one("F32", "[1]", "[0,8]"), TWO), "size", "w", "4 bytes", "One element in the bytes of two.");
        refuse("size-of-other-dtype", file(one("BF16", "[2]", "[0,8]"), TWO), "size", "w", "4 bytes", "BF16 takes two bytes, not four.");
        refuse("size-bits-for-bool", file(one("BOOL", "[8]", "[0,1]"), bytes(0xff)), "size", "w", "8 bytes", "BOOL takes a byte each, not a bit.");
        refuse("size-scalar-without-bytes", file(one("F32", "[]", "[0,0]"), new byte[0]), "size", "w", "4 bytes", "A scalar has one element, not none.");
        refuse("size-empty-with-bytes", file(one("F32", "[0]", "[0,4]"), f32(1)), "size", "w", "0 bytes", "An empty tensor with bytes.");
    }

    private void layout() {
        refuse("data-cut-by-one", file(GOOD, bytes(0, 0, 128, 63, 0, 0, 0)), "within-data", "w", "cut short", "The last byte is missing.");
        refuse("data-missing", file(GOOD, new byte[0]), "within-data", "w", "cut short", "The header alone.");
        refuse("empty-tensor-behind-the-end", file("{" + A + "," + entry("e", "F32", "[0]", "[100,100]") + "}", f32(1)), "within-data", "e", "end",
                "An empty tensor must lie in the data too.");
        refuse("hole-at-start", file(one("F32", "[1]", "[4,8]"), TWO), "no-hole", "w", "hole", "The first tensor begins at byte 4.");
        refuse("hole-between", file("{" + A + "," + entry("b", "F32", "[1]", "[8,12]") + "}", f32(1, 2, 3)), "no-hole", "b", "hole", "Four bytes between two tensors.");
        refuse("hole-of-alignment", file("{" + entry("a", "U8", "[1]", "[0,1]") + "," + entry("b", "F32", "[1]", "[4,8]") + "}", TWO), "no-hole", "b", "hole",
                "Three bytes for the sake of alignment are a hole too.");
        refuse("bytes-behind", file(GOOD, f32(1, 2, 3)), "no-hole", "", "trailing", "Four bytes behind the last tensor: room for another file.");
        refuse("bytes-without-tensors", file("{}", bytes(1)), "no-hole", "", "trailing", "No tensor, one byte.");
        refuse("overlap", file("{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "F32", "[2]", "[4,12]") + "}", f32(1, 2, 3)), "no-overlap", "b", "overlap",
                "Four bytes belong to two tensors.");
        refuse("overlap-alias", file("{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "F32", "[2]", "[0,8]") + "}", TWO), "no-overlap", "b", "overlap",
                "Two names for one tensor. Tied weights are stored once, under one name.");
        refuse("overlap-inside", file("{" + entry("a", "F32", "[4]", "[0,16]") + "," + entry("b", "F32", "[1]", "[4,8]") + "}", f32(1, 2, 3, 4)), "no-overlap", "b", "overlap",
                "One tensor inside another.");
        refuse("overlap-empty-inside", file("{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("e", "F32", "[0]", "[4,4]") + "}", TWO), "no-overlap", "e", "overlap",
                "An empty tensor inside another: its place is between tensors.");
        refuse("overlap-listed-backwards", file("{" + entry("b", "F32", "[2]", "[4,12]") + "," + entry("a", "F32", "[2]", "[0,8]") + "}", f32(1, 2, 3)), "no-overlap", "b", "overlap",
                "The same overlap, the later tensor listed first.");
    }

    private void refuse(String name, byte[] file, String rule, String names, String keyword, String note) {
        String path = "safetensors/" + name + ".safetensors";
        cases.add(new NegativeCase("safetensors/" + name, path, Map.of(path, file), false, rule, names, keyword, note, "", Map.of()));
    }
}
