package org.dhsa.golden.vector;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.dhsa.backend.Backend;
import org.dhsa.bug.KnownBugs;
import org.dhsa.cli.Main;
import org.dhsa.golden.CaseResult;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.Verdict;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.tensor.DoubleTensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `golden check` says which known bug a failing vector looks like, in text and in JSON, and "unknown" where none fits.
class VectorDiagnosisTest {

    private static VectorCase read(String id) throws GoldenFormatException, IOException {
        return VectorCase.read(Published.V1.resolve(id));
    }

    @Test
    void aBackendWithABugIsToldItsName() throws GoldenFormatException, IOException {
        for (String[] known : new String[][] {{"softcap-after-mask", "gemma2/dense-attention/cap-small"}, {"norm-plus-one-missing", "gemma2/rms-norm/recorded-base-f32-layer0"},
            {"boundary-off-by-one", "dhsa/selection-chain/global"}}) {
            try (Backend healthy = new ReferenceBackend(); Backend wrong = KnownBugs.byId(known[0]).orElseThrow().inject(healthy)) {
                CaseResult result = VectorCheck.check(read(known[1]), wrong);
                assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
                assertThat(result.diagnosis()).as(known[0]).hasValueSatisfying(d -> assertThat(d.ids()).containsExactly(known[0]));
            }
        }
    }

    @Test
    void whatNoBugGivesIsUnknown() throws GoldenFormatException, IOException {
        VectorCase golden = read("gemma2/rms-norm/width-31");
        DoubleTensor noise = golden.expected().get("normed").tensor().toDouble();
        double[] values = noise.data().clone();
        for (int i = 0; i < values.length; i++) {
            values[i] += Math.sin(7 * i);
        }
        CaseResult result = VectorCheck.judge(golden, Map.of("normed", DoubleTensor.of(noise.shape(), values)));
        assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
        assertThat(result.diagnosis()).hasValueSatisfying(d -> {
            assertThat(d.ids()).isEmpty();
            assertThat(d.text()).startsWith("unknown");
        });
    }

    @Test
    void aRightResultHasNoDiagnosis() throws GoldenFormatException, IOException {
        try (Backend healthy = new ReferenceBackend()) {
            assertThat(VectorCheck.check(read("gemma2/dense-attention/cap-small"), healthy).diagnosis()).isEmpty();
        }
    }

    /// The foreign program gives what the case stores under `diagnoses`.
    @Test
    void theCommandSaysItInTextAndJson(@TempDir Path temp) throws IOException {
        Path folder;
        try (Stream<Path> stored = Files.walk(Published.V1)) {
            folder = stored.filter(f -> f.endsWith("bug-softcap-after-mask.safetensors")).sorted().findFirst().orElseThrow().getParent();
        }
        Path json = temp.resolve("result.json");
        StringWriter out = new StringWriter();
        int exit = Main.commandLine().setOut(new PrintWriter(out)).execute("golden", "check", folder.toString(), "--json", json.toString(),
                "--exec", "wrong() { cp '" + folder.resolve("bug-softcap-after-mask.safetensors") + "' \"$2\"; }; wrong");
        assertThat(exit).isEqualTo(1);
        assertThat(out.toString()).contains("diagnosis: matches bug softcap-after-mask: ").contains("(docs/bugs.md#softcap-after-mask)");
        JsonNode diagnosis = new ObjectMapper().readTree(json.toFile()).at("/cases/0/diagnosis");
        assertThat(diagnosis).hasSize(1);
        assertThat(diagnosis.get(0).textValue()).isEqualTo("softcap-after-mask");
    }
}
