package org.dhsa.golden.vector;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dhsa.cli.Main;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What the readers in other languages write with `--json` follows the schema, and makes a matrix page.
class ReaderResultTest {

    private static final Map<String, String> READERS = Map.of("python3", "python/check.py", "node", "javascript/check.mjs");

    private static boolean runs(String tool, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(tool));
        command.addAll(List.of(arguments));
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
            return process.waitFor(10, TimeUnit.MINUTES) && process.exitValue() == 0;
        } catch (IOException notThere) {
            return false;
        }
    }

    @Test
    void resultsFollowTheSchemaAndMakeAPage(@TempDir Path temp) throws IOException, InterruptedException {
        ObjectMapper mapper = new ObjectMapper();
        var schema = JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012).getSchema(mapper.readTree(Published.GOLDEN.resolve("schema/result.schema.json").toFile()));
        List<String> matrix = new ArrayList<>(List.of("golden", "matrix"));
        for (Map.Entry<String, String> reader : READERS.entrySet()) {
            if (!runs(reader.getKey(), "--version")) {
                System.err.println("NOT TESTED: the reader " + reader.getValue() + ", because there is no " + reader.getKey() + " on the PATH");
                continue;
            }
            Path result = temp.resolve(reader.getKey() + ".json");
            assertThat(runs(reader.getKey(), Published.GOLDEN.resolveSibling("ports").resolve(reader.getValue()).toString(), Published.V1.toString(), "--json", result.toString())).as(reader.getValue()).isTrue();
            JsonNode json = mapper.readTree(result.toFile());
            assertThat(schema.validate(json)).as(reader.getValue()).isEmpty();
            assertThat(json.path("vectors").asText()).isEqualTo(VectorTree.VERSION);
            assertThat(json.path("cases")).hasSameSizeAs(Published.folders());
            matrix.add(result.toString());
        }
        Assumptions.assumeTrue(matrix.size() > 2, "neither Python nor Node is on the PATH: no reader was run");
        Path page = temp.resolve("matrix.html");
        matrix.addAll(List.of("--out", page.toString()));
        StringWriter err = new StringWriter();
        assertThat(Main.commandLine().setOut(new PrintWriter(new StringWriter())).setErr(new PrintWriter(err)).execute(matrix.toArray(String[]::new))).as(err.toString()).isZero();
        assertThat(Files.readString(page)).contains("-reader");
    }
}
