package org.dhsa.bug;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dhsa.cli.Main;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `dhsa golden mutate` on the cases of one stage, where most mutants must survive.
class MutateCommandTest {

    private record Ran(int exit, String out, String err) {}

    private static Ran mutate(String... options) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        String[] all = new String[options.length + 2];
        all[0] = "golden";
        all[1] = "mutate";
        System.arraycopy(options, 0, all, 2, options.length);
        int exit = Main.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err)).execute(all);
        return new Ran(exit, out.toString(), err.toString());
    }

    @Test
    void theCasesOfOneStageKillItsMutantsAndSayWhichSurvive(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("matrix.json");
        Ran ran = mutate("--vectors", "golden/v1/gemma2/lm-head", "--json", file.toString(), "--out", folder.toString());
        assertThat(ran.exit()).as(ran.err()).isEqualTo(1);
        assertThat(ran.out()).contains("survives: softcap-dropped: the soft cap of the attention logits is missing");
        JsonNode matrix = new ObjectMapper().readTree(file.toFile());
        assertThat(matrix.path("schema").textValue()).isEqualTo("dhsa-mutation/1");
        for (JsonNode mutant : matrix.path("matrix")) {
            String id = mutant.path("mutant").textValue();
            boolean ofTheHead = id.startsWith("lm-head/") || id.equals("final-cap-missing") || id.equals("head-scaled") || id.equals("untied-head");
            if (ofTheHead) {
                assertThat(mutant.path("killed").booleanValue()).as(id).isTrue();
                assertThat(mutant.path("bug").isNull() || !mutant.path("named").isEmpty()).as(id + " is named").isTrue();
            } else if (!mutant.path("bug").asText().contains("bf16")) {
                assertThat(mutant.path("killed").booleanValue()).as(id).isFalse();
            }
        }
        assertThat(Files.readString(folder.resolve("mutation.md"))).contains("| [final-cap-missing](bugs.md#final-cap-missing) | ");
    }

    @Test
    void aFolderWithoutCasesIsBadInput(@TempDir Path folder) {
        Ran missing = mutate("--vectors", folder.resolve("nowhere").toString());
        assertThat(missing.exit()).isEqualTo(2);
        assertThat(missing.err()).contains("nowhere").contains("--vectors");
        Ran empty = mutate("--vectors", folder.toString());
        assertThat(empty.exit()).isEqualTo(2);
        assertThat(empty.err()).contains("no case under");
    }
}
