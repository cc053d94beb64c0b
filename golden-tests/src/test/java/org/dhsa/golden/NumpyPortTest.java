package org.dhsa.golden;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.dhsa.cli.Home;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.opentest4j.TestAbortedException;

/// The second reference: the NumPy port recomputes the vectors, and would say so if it did not agree.
class NumpyPortTest {

    private static final Path ROOT = Home.find().root();
    private static final Path PORT = ROOT.resolve("golden-tests/ports/numpy");
    private static final Path VECTORS = ROOT.resolve("golden-tests/golden/v1");
    private static final long MINUTES = 10;

    @TempDir
    Path folder;

    private record Result(int code, String out, String err) {}

    @BeforeAll
    static void pythonWithNumpy() throws Exception {
        String remedy = " (install Python 3.10 or newer and NumPy: apt install python3-numpy, or python3 -m pip install numpy)";
        Result probe;
        try {
            probe = run(List.of("python3", "-c", "import sys, numpy; sys.exit(0 if sys.version_info >= (3, 10) else 3)"));
        } catch (IOException e) {
            throw new TestAbortedException("The NumPy port was NOT run, the vectors have no second reference here: there is no python3" + remedy);
        }
        if (probe.code != 0) {
            throw new TestAbortedException("The NumPy port was NOT run, the vectors have no second reference here: "
                    + (probe.code == 3 ? "python3 is older than 3.10" : "python3 has no numpy") + remedy);
        }
    }

    @Test
    void recomputesEveryVector() throws Exception {
        Result result = port("check.py", VECTORS.toString());
        assertThat(result.code).as(result.err).isZero();
        assertThat(result.out).contains("all agree");
    }

    @Test
    void meetsTheRecordingsOfTheOfficialCode() throws Exception {
        Result result = port("check.py", "--recordings", ROOT.resolve("golden-tests/recordings").toString());
        assertThat(result.code).as(result.out + result.err).isZero();
        assertThat(result.out).contains(" 0 fail,").doesNotContain("0 pass,");
    }

    @Test
    void aBugInThePortIsFound() throws Exception {
        Result result = port("check.py", VECTORS.toString(), "--stage", "dense-attention", "--mutant", "softcap-dropped");
        assertThat(result.code).isEqualTo(1);
        assertThat(result.err).contains("gemma2/dense-attention/", "context");
        assertThat(result.out).contains("differ").doesNotContain("all agree");
    }

    @Test
    void everyMutantStillChangesTheText() throws Exception {
        Result result = port("mutants.py", "--self-check");
        assertThat(result.code).as(result.err).isZero();
    }

    @Test
    void anUnknownMutantIsNoMutant() throws Exception {
        Result result = port("check.py", VECTORS.toString(), "--mutant", "softcap-droped");
        assertThat(result.code).isEqualTo(2);
        assertThat(result.err).contains("softcap-droped", "mutants.py");
    }

    @Test
    void aDamagedTensorIsBrokenInputAndNoDifference() throws Exception {
        Path file = oneCase().resolve("expected.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length - 1] ^= 1;
        Files.write(file, bytes);
        Result result = port("check.py", folder.toString());
        assertThat(result.code).isEqualTo(2);
        assertThat(result.err).contains("sha256", "tensor");
    }

    @Test
    void aMissingFileIsNamedAndNothingIsWritten() throws Exception {
        Path folderOfCase = oneCase();
        Files.delete(folderOfCase.resolve("case.json"));
        Path out = folder.resolve("out.safetensors");
        Result result = port("run_case.py", folderOfCase.toString(), out.toString());
        assertThat(result.code).isEqualTo(2);
        assertThat(result.err).contains("case.json");
        assertThat(out).doesNotExist();
    }

    @Test
    void answersOneCaseWithOneFile() throws Exception {
        Path out = folder.resolve("out.safetensors");
        Result result = port("run_case.py", oneCase().toString(), out.toString());
        assertThat(result.code).as(result.err).isZero();
        String header = new String(Files.readAllBytes(out), java.nio.charset.StandardCharsets.ISO_8859_1);
        assertThat(header).contains("\"context\"", "\"F64\"");
    }

    /// A copy of the first dense-attention case, alone in the temporary folder.
    private Path oneCase() throws IOException {
        Path source;
        try (Stream<Path> cases = Files.list(VECTORS.resolve("gemma2/dense-attention"))) {
            source = cases.filter(Files::isDirectory).sorted().findFirst().orElseThrow();
        }
        Path copy = Files.createDirectories(folder.resolve("case"));
        try (Stream<Path> files = Files.list(source)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.copy(file, copy.resolve(file.getFileName().toString()));
            }
        }
        return copy;
    }

    private static Result port(String program, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of("python3", "-B", PORT.resolve(program).toString()));
        command.addAll(List.of(arguments));
        return run(command);
    }

    private static Result run(List<String> command) throws IOException, InterruptedException {
        Path out = Files.createTempFile("numpy-port", ".out");
        Path err = Files.createTempFile("numpy-port", ".err");
        try {
            ProcessBuilder builder = new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
            builder.environment().remove("DHSA_MUTANT");
            Process process = builder.start();
            if (!process.waitFor(MINUTES, TimeUnit.MINUTES)) {
                process.destroyForcibly();
                throw new AssertionError(command + " did not end within " + MINUTES + " minutes");
            }
            return new Result(process.exitValue(), Files.readString(out), Files.readString(err));
        } finally {
            Files.delete(out);
            Files.delete(err);
        }
    }
}
