package org.dhsa.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dhsa.weights.RawSafetensors.entry;
import static org.dhsa.weights.RawSafetensors.file;
import static org.dhsa.weights.RawSafetensors.one;
import static org.dhsa.weights.RawSafetensors.withLength;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SafetensorsFileTest {

    private static final String GOOD = entry("w", "F32", "[2]", "[0,8]");
    private static final byte[] EMPTY_HEADER = "{}".getBytes();

    @TempDir
    Path folder;

    static Stream<Arguments> malformed() {
        return Stream.of(
                arguments("an empty file", new byte[0], "has 0 bytes, too few"),
                arguments("a file of seven bytes", new byte[7], "has 7 bytes, too few"),
                arguments("a header length of zero", withLength(0, EMPTY_HEADER, 0), "header length is 0"),
                arguments("a header longer than the file", withLength(3, EMPTY_HEADER, 0), "only 2 bytes follow: the file is cut short"),
                arguments("a header longer than the format allows", withLength(100_000_001, EMPTY_HEADER, 0), "more than the 100000000 bytes"),
                arguments("a header length of 2^63", withLength(Long.MIN_VALUE, EMPTY_HEADER, 0), "header length is 9223372036854775808"),
                arguments("a header length of 2^64 - 1", withLength(-1, EMPTY_HEADER, 0), "header length is 18446744073709551615"),
                arguments("a text file", "hello, this is some text".getBytes(), "is this a safetensors file?"),
                arguments("a header that is a list", file("[]", 0), "does not start with {"),
                arguments("a header that starts with a space", file(" {}", 0), "does not start with {"),
                arguments("a header that starts with a byte order mark", file("\uFEFF{}", 0), "does not start with {"),
                arguments("a header that never ends", file("{", 0), "not valid JSON"),
                arguments("a header cut within an entry", file("{\"w\":{\"dtype\":\"F32\"", 0), "not valid JSON"),
                arguments("a header that goes on after its end", file("{}{}", 0), "goes on after its closing brace"),
                arguments("a header with a trailing comma", file("{" + GOOD + ",}", 8), "not valid JSON"),
                arguments("a header with a comment", file("{/* */}", 0), "not valid JSON"),
                arguments("bytes that are not UTF-8", file(new byte[] {'{', '"', (byte) 0xff, '"', ':', '1', '}'}, 0), "not valid UTF-8"),
                arguments("an overlong UTF-8 sequence", file(new byte[] {'{', '"', (byte) 0xc0, (byte) 0xaf, '"', ':', '1', '}'}, 0), "not valid UTF-8"),
                arguments("a surrogate in UTF-8", file(new byte[] {'{', '"', (byte) 0xed, (byte) 0xa0, (byte) 0x80, '"', '}'}, 0), "not valid UTF-8"),
                arguments("a UTF-16 header", file("{}".getBytes(StandardCharsets.UTF_16LE), 0), "not valid JSON"),
                arguments("nesting without end", file("{\"w\":" + "[".repeat(200_000), 0), "tensor w: expected an object"),
                arguments("nesting without end in an unknown key", file("{\"w\":{\"x\":" + "[".repeat(200_000), 0), "not valid JSON"),
                arguments("a tensor named twice", file("{" + GOOD + "," + GOOD + "}", 8), "Duplicate field 'w'"),
                arguments("a dtype given twice", file("{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8), "Duplicate field 'dtype'"),
                arguments("metadata given twice", file("{\"__metadata__\":{},\"__metadata__\":{}}", 0), "Duplicate field '__metadata__'"),
                arguments("metadata that is a list", file("{\"__metadata__\":[]}", 0), "must be an object of strings"),
                arguments("metadata with a number", file("{\"__metadata__\":{\"epoch\":3}}", 0), "__metadata__ value of epoch must be a string"),
                arguments("a tensor that is a number", file("{\"w\":3}", 0), "tensor w: expected an object"),
                arguments("half a surrogate pair in a name", file("{" + entry("w\\ud800", "F32", "[2]", "[0,8]") + "}", 8), "surrogate"),
                arguments("a tensor without dtype", file("{\"w\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8), "tensor w: has no dtype"),
                arguments("a tensor without shape", file("{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8), "tensor w: has no shape"),
                arguments("a tensor without offsets", file("{\"w\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8), "tensor w: has no data_offsets"),
                arguments("an unknown dtype", one("Q4", "[2]", "[0,8]", 8), "unknown dtype Q4, expected one of [F64, F32"),
                arguments("a dtype in small letters", one("f32", "[2]", "[0,8]", 8), "unknown dtype f32"),
                arguments("a dtype that is a number", file("{\"w\":{\"dtype\":32,\"shape\":[2],\"data_offsets\":[0,8]}}", 8), "unknown dtype 32"),
                arguments("a shape that is a number", one("F32", "2", "[0,8]", 8), "shape must be a list"),
                arguments("a negative dimension", one("F32", "[-2]", "[0,8]", 8), "0 or greater, found -2"),
                arguments("two negative dimensions", one("F32", "[-1,-2]", "[0,8]", 8), "0 or greater, found -1"),
                arguments("a fractional dimension", one("F32", "[2.0]", "[0,8]", 8), "0 or greater, found 2.0"),
                arguments("a dimension in quotes", one("F32", "[\"2\"]", "[0,8]", 8), "0 or greater, found 2"),
                arguments("a dimension that is a list", one("F32", "[[2]]", "[0,8]", 8), "0 or greater, found ["),
                arguments("a dimension beyond 64 bits", one("F32", "[18446744073709551618]", "[0,8]", 8), "more than any file can hold"),
                arguments("a dimension of a thousand digits", one("F32", "[1" + "0".repeat(2000) + "]", "[0,8]", 8), "not valid JSON"),
                arguments("a product beyond 64 bits", one("F32", "[4294967296,4294967296]", "[0,8]", 8), "overflows 64 bits"),
                arguments("a product that wraps to the right size", one("U8", "[4294967297,4294967296,4294967296]", "[0,0]", 0), "overflows 64 bits"),
                arguments("more dimensions than data", one("F32", "[2,3]", "[0,8]", 8), "F32[2, 3] needs 24 bytes, but data_offsets [0, 8] span 8"),
                arguments("less shape than data", one("F32", "[1]", "[0,8]", 8), "F32[1] needs 4 bytes"),
                arguments("reversed offsets", one("F32", "[2]", "[8,0]", 8), "data_offsets are reversed"),
                arguments("one offset", one("F32", "[2]", "[8]", 8), "must be [from, to], found 1"),
                arguments("three offsets", one("F32", "[2]", "[0,4,8]", 8), "must be [from, to], found 3"),
                arguments("a negative offset", one("F32", "[2]", "[-8,0]", 8), "0 or greater, found -8"),
                arguments("a huge offset", one("F32", "[2]", "[9223372036854775799,9223372036854775807]", 8), "but there are only 8 bytes"),
                arguments("data that is cut short", one("F32", "[2]", "[0,8]", 7), "ends at byte 8 of the data, but there are only 7 bytes"),
                arguments("trailing bytes", one("F32", "[2]", "[0,8]", 9), "1 trailing bytes follow the last tensor"),
                arguments("data without any tensor", file("{}", 4), "4 trailing bytes"),
                arguments("a hole at the start", one("F32", "[2]", "[4,12]", 12), "leaves a hole of 4 bytes"),
                arguments("a hole in the middle", file("{" + GOOD + "," + entry("v", "U8", "[2]", "[9,11]") + "}", 11), "tensor v: starts at byte 9 of the data, which leaves a hole of 1"),
                arguments("two tensors that overlap", file("{" + GOOD + "," + entry("v", "U8", "[4]", "[6,10]") + "}", 10), "tensor v: starts at byte 6 of the data and overlaps tensor w"),
                arguments("two tensors on the same bytes", file("{" + GOOD + "," + entry("v", "F32", "[2]", "[0,8]") + "}", 8), "overlaps tensor"),
                arguments("an empty tensor inside another", file("{" + GOOD + "," + entry("v", "F32", "[0]", "[4,4]") + "}", 8), "tensor v: starts at byte 4 of the data and overlaps"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("malformed")
    void refuses(String what, byte[] bytes, String reason) throws Exception {
        Path path = Files.write(folder.resolve("bad.safetensors"), bytes);
        assertThatThrownBy(() -> SafetensorsFile.open(path)).isInstanceOf(WeightsFormatException.class)
                .hasMessageStartingWith(path + ": ").hasMessageContaining(reason)
                .satisfies(e -> assertThat(e.getMessage().length()).isLessThan(700));
    }

    static Stream<Arguments> oddButGood() {
        return Stream.of(
                arguments("no tensors", file("{}", 0), 0),
                arguments("metadata only", file("{\"__metadata__\":{\"format\":\"pt\"}}", 0), 0),
                arguments("a padded header", file("{" + GOOD + "}      ", 8), 1),
                arguments("a scalar", one("F32", "[]", "[0,4]", 4), 1),
                arguments("a dimension of zero", one("F32", "[3,0,5]", "[0,0]", 0), 1),
                arguments("a dimension of zero beside a huge one", one("F32", "[0,9223372036854775807]", "[0,0]", 0), 1),
                arguments("an empty tensor between others", file("{" + GOOD + "," + entry("e", "F32", "[0]", "[8,8]") + ","
                        + entry("v", "U8", "[1]", "[8,9]") + "}", 9), 3),
                arguments("entries that are not in file order", file("{" + entry("v", "U8", "[1]", "[8,9]") + "," + GOOD + "}", 9), 2),
                arguments("unaligned data", file("{" + entry("b", "U8", "[1]", "[0,1]") + "," + entry("f", "F64", "[1]", "[1,9]") + "}", 9), 2),
                arguments("keys in another order and an unknown key", file("{\"w\":{\"data_offsets\":[0,8],\"x\":{\"y\":[1]},\"shape\":[2],\"dtype\":\"F32\"}}", 8), 1),
                arguments("a name with spaces, quotes and accents", file("{" + entry("é \\\" \\u0000 🙂", "U8", "[1]", "[0,1]") + "}", 1), 1),
                arguments("a dtype that is only listed", one("F8_E4M3", "[3]", "[0,3]", 3), 1));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("oddButGood")
    void accepts(String what, byte[] bytes, int tensors) throws Exception {
        Path path = Files.write(folder.resolve("odd.safetensors"), bytes);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.names()).hasSize(tensors);
            for (String name : file.names()) {
                WeightTensor t = file.tensor(name);
                if (t.dtype() != DType.F8_E4M3) {
                    assertThat(t.widen()).containsOnly(new double[(int) t.elements()]);
                }
            }
        }
    }

    @Test
    void listsNamesByOffsetWithMetadataAndSizes() throws Exception {
        Path path = Files.write(folder.resolve("a.safetensors"), file("{\"__metadata__\":{\"b\":\"1\",\"a\":\"2\"},"
                + entry("second", "U8", "[1]", "[8,9]") + "," + entry("first", "F32", "[2]", "[0,8]") + "}", 9));
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.names()).containsExactly("first", "second");
            assertThat(file.metadata()).hasToString("{b=1, a=2}");
            assertThat(file.has("first")).isTrue();
            assertThat(file.has("third")).isFalse();
            assertThat(file.fileBytes()).isEqualTo(Files.size(path));
            assertThat(file.headerBytes()).isEqualTo(Files.size(path) - 8 - 9);
        }
    }

    @Test
    void aMissingTensorNamesItsNeighbours() throws Exception {
        Path path = folder.resolve("a.safetensors");
        new SafetensorsWriter().addF32("model.norm.weight", new float[1], 1).addF32("mlp.0.bias", new float[1], 1).write(path);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThatThrownBy(() -> file.tensor("model.norm.bias")).isInstanceOf(WeightsFormatException.class)
                    .hasMessageContaining("tensor model.norm.bias: is missing; near names: model.norm.weight, mlp.0.bias")
                    .satisfies(e -> assertThat(((WeightsFormatException) e).file()).isEqualTo(path))
                    .satisfies(e -> assertThat(((WeightsFormatException) e).tensor()).contains("model.norm.bias"));
        }
    }

    @Test
    void everyReadableTypeIsWidenedExactly() throws Exception {
        Path path = folder.resolve("types.safetensors");
        new SafetensorsWriter()
                .addF64("f64", new double[] {Math.PI, -0.0}, 2)
                .addF32("f32", new float[] {1.5f, Float.MIN_VALUE}, 2)
                .add("f16", DType.F16, new long[] {2}, new byte[] {0x00, 0x3e, 0x01, 0x00})
                .add("bf16", DType.BF16, new long[] {2}, new byte[] {(byte) 0xc0, 0x3f, (byte) 0x80, (byte) 0xff})
                .addI64("i64", new long[] {-1, 1L << 40}, 2)
                .add("i32", DType.I32, new long[] {2}, new byte[] {-1, -1, -1, -1, 0, 1, 0, 0})
                .add("u8", DType.U8, new long[] {2}, new byte[] {-1, 7})
                .addBool("bool", new boolean[] {true, false}, 2)
                .write(path);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.tensor("f64").widen()).containsExactly(Math.PI, -0.0);
            assertThat(file.tensor("f32").widen()).containsExactly(1.5, Float.MIN_VALUE);
            assertThat(file.tensor("f16").widen()).containsExactly(1.5, Math.pow(2, -24));
            assertThat(file.tensor("bf16").widen()).containsExactly(1.5, Double.NEGATIVE_INFINITY);
            assertThat(file.tensor("i64").widen()).containsExactly(-1, 1L << 40);
            assertThat(file.tensor("i32").widen()).containsExactly(-1, 256);
            assertThat(file.tensor("u8").widen()).containsExactly(255, 7);
            assertThat(file.tensor("bool").widen()).containsExactly(1, 0);
        }
    }

    @Test
    void aTensorOfMoreThanFourGibibytesIsReadToItsLastElement() throws Exception {
        Path path = folder.resolve("big.safetensors");
        long elements = (5L << 30) / 2;
        RawSafetensors.sparse(path, "{" + entry("big", "BF16", "[" + elements + "]", "[0," + 2 * elements + "]") + ","
                + entry("last", "F32", "[1]", "[" + 2 * elements + "," + (2 * elements + 4) + "]") + "}", 2 * elements + 4);
        try (RandomAccessFile raw = new RandomAccessFile(path.toFile(), "rw")) {
            raw.seek(raw.length() - 6);
            raw.write(new byte[] {(byte) 0xc0, 0x3f, 0, 0, 0x20, 0x40});
        }
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.fileBytes()).isGreaterThan(5L << 30);
            assertThat(file.tensor("big").get(0)).isZero();
            assertThat(file.tensor("big").get(elements - 1)).isEqualTo(1.5);
            assertThat(file.tensor("big").rows(elements - 2, elements)).containsExactly(0, 1.5);
            assertThat(file.tensor("last").get(0)).isEqualTo(2.5);
        } finally {
            Files.delete(path);
        }
    }

    @Test
    void aClosedFileIsAnExceptionAndNotACrash() throws Exception {
        Path path = Files.write(folder.resolve("a.safetensors"), one("F32", "[2]", "[0,8]", 8));
        SafetensorsFile file = SafetensorsFile.open(path);
        WeightTensor w = file.tensor("w");
        file.close();
        file.close();
        assertThatThrownBy(() -> w.get(0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aMissingFileAndAFolderAreSaidToBeThat() {
        assertThatThrownBy(() -> SafetensorsFile.open(folder.resolve("absent"))).hasMessageContaining("there is no such file");
        assertThatThrownBy(() -> SafetensorsFile.open(folder)).hasMessageContaining("is a folder, expected a file");
    }

    @Test
    void aRefusedFileIsNotKeptOpen() throws Exception {
        Path path = Files.write(folder.resolve("a.safetensors"), Arrays.copyOf(one("F32", "[2]", "[0,8]", 8), 20));
        for (int i = 0; i < 3; i++) {
            assertThatThrownBy(() -> SafetensorsFile.open(path)).isInstanceOf(WeightsFormatException.class);
        }
        Files.delete(path);
        assertThat(path).doesNotExist();
    }
}
