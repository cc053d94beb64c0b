package org.dhsa.golden.vector;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.dhsa.cli.GoldenCommand;
import org.dhsa.tensor.DType;
import org.dhsa.tensor.Shape;
import org.dhsa.weights.SafetensorsWriter;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/// `golden check` on vectors that are broken, one way each: its own message, exit code 2, no result file. A real difference
/// exits with 1.
class VectorBadInputTest {

    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path temp;
    private Path folder;
    private Path result;
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @BeforeEach
    void copyOfACase() throws IOException {
        folder = Files.createDirectories(temp.resolve("tree/gemma2/rms-norm/toy"));
        result = temp.resolve("result.json");
        try (Stream<Path> files = Files.list(Published.V1.resolve("gemma2/rms-norm/toy"))) {
            for (Path file : files.toList()) {
                Files.copy(file, folder.resolve(file.getFileName()));
            }
        }
    }

    private int check() {
        return new CommandLine(new GoldenCommand()).setOut(new PrintWriter(out)).setErr(new PrintWriter(err))
                .execute("check", temp.resolve("tree").toString(), "--json", result.toString());
    }

    private void edit(Consumer<ObjectNode> change) throws IOException {
        ObjectNode json = (ObjectNode) JSON.readTree(folder.resolve("case.json").toFile());
        change.accept(json);
        JSON.writeValue(folder.resolve("case.json").toFile(), json);
    }

    /// Another `expected.safetensors`; the hash in case.json follows, so that only what is wrong is wrong.
    private void expect(String name, VectorTensor tensor) throws IOException {
        long[] dims = new long[tensor.shape().rank()];
        for (int a = 0; a < dims.length; a++) {
            dims[a] = tensor.shape().extent(a);
        }
        new SafetensorsWriter().add(name, tensor.dtype(), dims, tensor.bytes()).write(folder.resolve("expected.safetensors"));
        edit(json -> ((ObjectNode) json.at("/expected/normed")).put("sha256", tensor.sha256()));
    }

    private void refuses(String... message) {
        assertThat(check()).isEqualTo(2);
        assertThat(err.toString()).contains(folder.toString()).contains(message);
        assertThat(temp.resolve("result.json")).doesNotExist();
        try (Stream<Path> left = Files.list(temp)) {
            assertThat(left).containsExactly(temp.resolve("tree"));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aGoodCaseExitsWithZeroAndWritesItsResult() {
        assertThat(check()).as(err.toString()).isZero();
        assertThat(out.toString()).contains("pass        gemma2/rms-norm/toy").contains("level").contains("L0");
        assertThat(result).exists();
    }

    @Test
    void aRealDifferenceExitsWithOneAndNamesThePlace() throws IOException {
        expect("normed", VectorTensor.of(Shape.of("queryLen", 1, "modelDim", 2), DType.F64, 0.2, 2.9));
        assertThat(check()).isEqualTo(1);
        assertThat(out.toString()).contains("fail        gemma2/rms-norm/toy").contains("rms-norm, normed").contains("[queryLen=0, modelDim=1]: expected 2.9, actual 2.8");
        assertThat(result).exists();
    }

    @Test
    void aMissingFile() throws IOException {
        Files.delete(folder.resolve("inputs.safetensors"));
        refuses("inputs.safetensors: is missing, though case.json names it");
    }

    @Test
    void aWrongHash() throws IOException {
        edit(json -> ((ObjectNode) json.at("/inputs/x")).put("sha256", "0".repeat(64)));
        refuses("tensor x does not have the sha256 that case.json states");
    }

    @Test
    void anUnknownSchemaVersion() throws IOException {
        edit(json -> json.put("schema", "dhsa-golden-case/2"));
        refuses("has the unknown schema \"dhsa-golden-case/2\"", "dhsa-golden-case/1");
    }

    @Test
    void aTensorOfAnotherShape() throws IOException {
        expect("normed", VectorTensor.of(Shape.of("queryLen", 2, "modelDim", 1), DType.F64, 0.2, 2.8));
        refuses("tensor normed has the shape [2, 1], case.json says [1, 2]");
    }

    @Test
    void aTensorOfAnotherType() throws IOException {
        expect("normed", VectorTensor.of(Shape.of("queryLen", 1, "modelDim", 2), DType.F32, 0.2, 2.8));
        refuses("tensor normed is F32, case.json says F64");
    }

    @Test
    void aTensorOfAnotherName() throws IOException {
        expect("normd", VectorTensor.of(Shape.of("queryLen", 1, "modelDim", 2), DType.F64, 0.2, 2.8));
        refuses("expected.safetensors: lacks the tensor normed", "it holds [normd]");
    }

    @Test
    void nanWhereNoneIsExpected() throws IOException {
        expect("normed", VectorTensor.of(Shape.of("queryLen", 1, "modelDim", 2), DType.F64, 0.2, Double.NaN));
        refuses("expected tensor normed holds NaN, and its comparison does not allow one");
    }

    @Test
    void aTensorTooMany() throws IOException {
        edit(json -> ((ObjectNode) json.get("inputs")).remove("weight"));
        refuses("inputs.safetensors: holds the tensors [weight], which case.json does not list");
    }

    @Test
    void anUnknownStage() throws IOException {
        edit(json -> json.put("id", "gemma2/rms-normal/toy"));
        refuses("is about the unknown stage rms-normal");
    }

    @Test
    void noJson() throws IOException {
        Files.writeString(folder.resolve("case.json"), "{\"schema\": ");
        refuses("case.json");
    }

    @Test
    void aFileThatTheManifestListsOtherwise() throws IOException {
        Files.writeString(temp.resolve("tree/manifest.json"), "{\"schema\": \"dhsa-golden-manifest/1\", \"version\": \"1.0.0\", \"files\": {\"gemma2/rms-norm/toy/case.json\": \"" + "0".repeat(64) + "\"}}");
        refuses("does not have the sha256 that manifest.json states");
    }

    @Test
    void aFileThatTheManifestListsAndThatIsNotThere() throws IOException {
        Files.writeString(temp.resolve("tree/manifest.json"), "{\"schema\": \"dhsa-golden-manifest/1\", \"version\": \"1.0.0\", \"files\": {\"gemma2/rms-norm/toy/more.json\": \"" + "0".repeat(64) + "\"}}");
        refuses("more.json: is missing, though manifest.json lists it");
    }
}
