package org.dhsa.golden.diff;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.dhsa.cli.Json;
import org.dhsa.cli.Main;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.dhsa.weights.SafetensorsWriter;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Broken input: exit code 2, a message that names it, and no result file.
class BadDumpTest {

    private static final String NORM = "rms-norm.finalNorm";

    @TempDir
    private static Path shared;
    @TempDir
    private Path temp;
    private Path export;
    private Path dump;

    @BeforeAll
    static void export() {
        Dumps.export(shared.resolve("export"), "--stages", "rms-norm", "--layers", "0", "--no-baseline");
    }

    @BeforeEach
    void copy() throws IOException {
        export = Files.createDirectories(temp.resolve("export"));
        try (Stream<Path> files = Files.list(shared.resolve("export"))) {
            for (Path file : files.toList()) {
                Files.copy(file, export.resolve(file.getFileName()));
            }
        }
        dump = export.resolve(NORM + ".safetensors");
    }

    private String fails() {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        Path json = temp.resolve("result.json");
        int code = Main.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err))
                .execute("golden", "diff", export.toString(), dump.toString(), "--json", json.toString(), "--html", temp.resolve("page.html").toString());
        assertThat(code).as(out + "" + err).isEqualTo(2);
        assertThat(json).doesNotExist();
        assertThat(temp.resolve("page.html")).doesNotExist();
        return err.toString();
    }

    private void index(java.util.function.Consumer<ObjectNode> change) throws IOException {
        Path file = export.resolve(Export.INDEX);
        ObjectNode json = (ObjectNode) Json.MAPPER.readTree(file.toFile());
        change.accept(json);
        Files.writeString(file, Json.pretty(json));
    }

    private void dumped(Map<String, DoubleTensor> tensors) throws IOException {
        dump = Dumps.write(temp.resolve("dump.safetensors"), tensors);
    }

    @Test
    void aMissingFile() throws IOException {
        Path actual = Files.copy(dump, temp.resolve("actual.safetensors"));
        Files.delete(dump);
        dump = actual;
        assertThat(fails()).contains(NORM + ".safetensors", "is missing");
        dump = temp.resolve("nothing");
        assertThat(fails()).contains("is missing");
    }

    @Test
    void aWrongHash() throws IOException {
        Path actual = Files.copy(dump, temp.resolve("actual.safetensors"));
        byte[] bytes = Files.readAllBytes(dump);
        bytes[bytes.length - 3] ^= 1;
        Files.write(dump, bytes);
        dump = actual;
        assertThat(fails()).contains("SHA-256", NORM);
    }

    @Test
    void anUnknownSchemaVersion() throws IOException {
        index(json -> json.put("schema", "dhsa-golden-export/9"));
        assertThat(fails()).contains("dhsa-golden-export/9", Export.SCHEMA);
    }

    @Test
    void aTensorOfAnotherShapeTypeOrName() throws IOException {
        dumped(Map.of(NORM, DoubleTensor.zeros(Shape.of("modelDim", 128, "queryLen", 80))));
        assertThat(fails()).contains("[128, 80]", "looks transposed");
        dumped(Map.of(NORM, DoubleTensor.zeros(Shape.of("queryLen", 80, "modelDim", 127))));
        assertThat(fails()).contains("[80, 127]").doesNotContain("looks");
        dumped(Map.of("my_final_norm", DoubleTensor.zeros(Shape.of("queryLen", 80, "modelDim", 128))));
        assertThat(fails()).contains("holds no tensor that is expected", "my_final_norm", "--names");
        dump = temp.resolve("whole.safetensors");
        new SafetensorsWriter().addI64(NORM, new long[80 * 128], 80, 128).write(dump);
        assertThat(fails()).contains("I64", "floating-point");
    }

    @Test
    void aNaNWhereNoneIsExpected() throws IOException {
        double[] values = new double[80 * 128];
        values[130] = Double.NaN;
        Path actual = Files.copy(dump, temp.resolve("actual.safetensors"));
        SafetensorsWriter writer = new SafetensorsWriter().addF64(NORM, values, 80, 128);
        writer.write(dump);
        index(json -> ((ObjectNode) json.get("tensors").get(NORM)).put("sha256", hash(values)));
        dump = actual;
        assertThat(fails()).contains("NaN at [queryLen=1, modelDim=2]");
    }

    private static String hash(double[] values) {
        java.nio.ByteBuffer bytes = java.nio.ByteBuffer.allocate(8 * values.length).order(java.nio.ByteOrder.LITTLE_ENDIAN);
        bytes.asDoubleBuffer().put(values);
        return org.dhsa.golden.vector.VectorTensor.sha256(java.lang.foreign.MemorySegment.ofArray(bytes.array()));
    }

    @Test
    void aNaNOfThePortIsADifference() throws Exception {
        try (Expected expected = Expected.open(export, null)) {
            DoubleTensor norm = expected.tensor(NORM);
            double[] values = norm.data().clone();
            values[0] = Double.NaN;
            Map<String, DoubleTensor> tensors = new LinkedHashMap<>(Map.of(NORM, DoubleTensor.of(norm.shape(), values)));
            dumped(tensors);
        }
        StringWriter out = new StringWriter();
        int code = Main.commandLine().setOut(new PrintWriter(out)).execute("golden", "diff", export.toString(), dump.toString());
        assertThat(code).isEqualTo(1);
        assertThat(out.toString()).contains("1 values are NaN where none is expected");
    }

    @Test
    void anExportThatFailsLeavesNothingBehind() throws IOException {
        StringWriter err = new StringWriter();
        Path out = temp.resolve("never");
        int code = Main.commandLine().setErr(new PrintWriter(err)).execute("golden", "export", "--tokens", "2,99999", "--out", out.toString());
        assertThat(code).isEqualTo(2);
        assertThat(err.toString()).contains("99999", "vocabulary");
        assertThat(Main.commandLine().setErr(new PrintWriter(err)).execute("golden", "export", "--tokens", "2,5", "--stages", "sparse-attention", "--out", out.toString())).isEqualTo(2);
        assertThat(err.toString()).contains("leave nothing to write");
        assertThat(out).doesNotExist();
        try (Stream<Path> left = Files.list(temp)) {
            assertThat(left.map(p -> p.getFileName().toString())).allMatch(n -> !n.contains(".part"));
        }
    }
}
