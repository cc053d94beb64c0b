package org.dhsa.golden.port;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.stream.Stream;
import org.dhsa.golden.CaseResult;
import org.dhsa.golden.Verdict;
import org.dhsa.golden.vector.VectorCase;
import org.dhsa.golden.vector.VectorTensor;
import org.dhsa.tensor.DType;
import org.dhsa.weights.SafetensorsWriter;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What becomes of a foreign program that answers, declines, fails, hangs or writes rubbish. The programs are shell lines.
class ForeignProgramTest {

    private static final Path CASE = Path.of("golden/v1/gemma2/rms-norm");

    @TempDir
    private Path folder;
    private VectorCase golden;

    @BeforeEach
    void readACase() throws Exception {
        assumeTrue(!System.getProperty("os.name").startsWith("Windows"), "the programs of this test are lines for sh");
        try (Stream<Path> cases = Files.list(CASE)) {
            golden = VectorCase.read(cases.sorted().findFirst().orElseThrow());
        }
    }

    @Test
    void theRightOutputPasses() throws Exception {
        CaseResult result = run("copy() { cp " + expected() + " \"$2\"; }; copy");
        assertThat(result.verdict()).isEqualTo(Verdict.PASS);
        assertThat(result.comparisons()).hasSize(1);
    }

    @Test
    void anotherCasesOutputFails() throws Exception {
        Path other = Path.of("golden/v1/dhsa/chunk-representation");
        try (Stream<Path> cases = Files.list(other)) {
            Path wrong = cases.sorted().findFirst().orElseThrow().resolve("expected.safetensors").toAbsolutePath();
            CaseResult result = run("copy() { cp " + wrong + " \"$2\"; }; copy");
            assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
            assertThat(result.comparisons().getFirst().note()).contains("is missing");
        }
    }

    @Test
    void exitCodeThreeIsNotCovered() throws Exception {
        assertThat(run("exit 3;").verdict()).isEqualTo(Verdict.NOT_COVERED);
    }

    @Test
    void aCrashIsAnErrorWithTheEndOfWhatItSaid() throws Exception {
        CaseResult result = run("crash() { printf '%2000s' x >&2; echo 'index out of range' >&2; exit 139; }; crash");
        assertThat(result.verdict()).isEqualTo(Verdict.ERROR);
        assertThat(result.message()).contains("exit code 139").contains("index out of range").hasSizeLessThan(800);
    }

    @Test
    void whoTakesTooLongIsEnded() throws Exception {
        long begun = System.nanoTime();
        CaseResult result = new ForeignProgram("sleep 600; true", Duration.ofSeconds(1)).check(golden);
        assertThat(result.verdict()).isEqualTo(Verdict.ERROR);
        assertThat(result.message()).contains("more than 1 s");
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(300));
    }

    @Test
    void noOutputAndRubbishAreErrors() throws Exception {
        assertThat(run("true").message()).contains("wrote no out.safetensors");
        CaseResult rubbish = run("write() { echo rubbish >\"$2\"; }; write");
        assertThat(rubbish.verdict()).isEqualTo(Verdict.ERROR);
        assertThat(rubbish.message()).contains("cannot be used").contains("OUT_FILE");
    }

    @Test
    void theProgramSeesInputsAndNoExpectation() throws Exception {
        Path seen = folder.resolve("seen");
        run("look() { cp -r \"$1\" " + seen + "; exit 3; }; look");
        assertThat(seen.toFile().list()).containsExactlyInAnyOrder("case.json", "inputs.safetensors");
        String text = Files.readString(seen.resolve("case.json"));
        assertThat(text).contains("\"rmsNormEps\"").contains("\"normed\"").doesNotContain("sha256").doesNotContain("baselineError");
    }

    @Test
    void nothingIsLeftBehind() throws Exception {
        Path seen = folder.resolve("places");
        run("look() { printf '%s\\n' \"$1\" \"$2\" >" + seen + "; exit 1; }; look");
        assertThat(Files.readAllLines(seen)).hasSize(2)
                .allSatisfy(place -> assertThat(Path.of(place).getParent()).as("the folder made for the run").isAbsolute().doesNotExist());
    }

    @Test
    void aProgramThatIsNotThereEndsTheRunAtItsFirstCase() {
        assertThatThrownBy(() -> run("no-such-program-here")).isInstanceOf(ForeignProgram.CannotStart.class).hasMessageContaining("no-such-program-here")
                .hasMessageContaining("not found").hasMessageContaining(Path.of("").toAbsolutePath().toString());
    }

    @Test
    void aMissingOutputIsToldTogetherWithWhatIsThere() throws Exception {
        Path misnamed = folder.resolve("misnamed.safetensors");
        new SafetensorsWriter().add("Normed", DType.F64, new long[] {1}, new byte[8]).write(misnamed);
        assertThat(run("copy() { cp " + misnamed + " \"$2\"; }; copy").comparisons().getFirst().note()).isEqualTo("is missing; there are [Normed]");
    }

    @Test
    void aTransposedOutputIsCalledSo() throws Exception {
        VectorTensor normed = golden.expected().get("normed").tensor();
        int rows = normed.shape().extent(0);
        int columns = normed.shape().extent(1);
        assertThat(rows).as("the case can be transposed visibly").isNotEqualTo(columns);
        Path turned = folder.resolve("turned.safetensors");
        new SafetensorsWriter().add("normed", DType.F64, new long[] {columns, rows}, normed.bytes()).write(turned);
        assertThat(run("copy() { cp " + turned + " \"$2\"; }; copy").comparisons().getFirst().note()).isEqualTo("shape [" + columns + ", " + rows + "] where [queryLen=" + rows + ", modelDim="
                + columns + "] is expected: it looks transposed");
    }

    @Test
    void filesOfAWrongCaseAreKeptAndOldOnesGo() throws Exception {
        Path kept = folder.resolve("kept");
        Path place = kept.resolve(golden.id());
        new ForeignProgram("write() { echo rubbish >\"$2\"; echo why >&2; }; write", Duration.ofMinutes(10), Optional.of(kept)).check(golden);
        assertThat(place.resolve("out.safetensors")).hasContent("rubbish");
        assertThat(place.resolve("stderr.txt")).hasContent("why");
        assertThat(place.resolve("in/case.json")).exists();
        assertThat(place.resolve("in/inputs.safetensors")).exists();
        new ForeignProgram("exit 1;", Duration.ofMinutes(10), Optional.of(kept)).check(golden);
        assertThat(place.resolve("out.safetensors")).doesNotExist();
        Path none = folder.resolve("none");
        new ForeignProgram("copy() { cp " + expected() + " \"$2\"; }; copy", Duration.ofMinutes(10), Optional.of(none)).check(golden);
        assertThat(none).as("nothing is kept of what is right").doesNotExist();
    }

    @Test
    void anEmptyCommandIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> new ForeignProgram(" ", Duration.ofSeconds(1))).withMessageContaining("empty");
        assertThatIllegalArgumentException().isThrownBy(() -> new ForeignProgram("x", Duration.ZERO)).withMessageContaining("positive");
    }

    private CaseResult run(String command) throws Exception {
        return new ForeignProgram(command, Duration.ofMinutes(10)).check(golden);
    }

    private Path expected() {
        return golden.folder().resolve("expected.safetensors").toAbsolutePath();
    }
}
