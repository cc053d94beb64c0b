package org.dhsa.golden.port;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.Verdict;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The table of results: what is not mentioned is not covered, what is wrong is seen, rubbish is refused.
class MatrixTest {

    @TempDir
    private Path folder;
    private Path vectors;

    @BeforeEach
    void makeVectors() throws IOException {
        vectors = Files.createDirectory(folder.resolve("v1"));
        Files.writeString(vectors.resolve("manifest.json"), "{\"version\": \"1.2.3\"}");
        for (String id : List.of("L0 gemma2/rms-norm/a", "L0 gemma2/rms-norm/b", "L4 dhsa/top-k-selection/t")) {
            Path at = Files.createDirectories(vectors.resolve(id.substring(3)));
            Files.writeString(at.resolve("case.json"), "{\"id\": \"" + id.substring(3) + "\", \"level\": \"" + id.substring(0, 2) + "\"}");
        }
    }

    @Test
    void countsAreOfAllCasesThereAre() throws Exception {
        Path some = result("some", "gemma2/rms-norm/a", "pass", "nobody/knows/it", "fail");
        Path wrong = result("wrong", "gemma2/rms-norm/a", "fail", "gemma2/rms-norm/b", "pass", "dhsa/top-k-selection/t", "near-tie");
        Matrix matrix = Matrix.of(vectors, List.of(some, wrong));
        assertThat(matrix.markdown()).isEqualTo("""
                Vectors 1.2.3: right of all; a case without a result is not covered.

                | level | some (cpu) | wrong (cpu) |
                |---|---|---|
                | L0 | 1 of 2 | 1 WRONG, 1 of 2 |
                | L4 | not covered | 1 of 1 (1 near-tie) |

                | stage | some (cpu) | wrong (cpu) |
                |---|---|---|
                | L0 rms-norm | 1 of 2 | 1 WRONG, 1 of 2 |
                | L4 top-k-selection | not covered | 1 of 1 (1 near-tie) |
                """);
        assertThat(matrix.columns().getFirst().foreign()).isEqualTo(1);
        assertThat(matrix.json().at("/implementations/0/levels/L0").toString()).isEqualTo("{\"cases\":2,\"pass\":1,\"near-tie\":0,\"not-covered\":1,\"fail\":0,\"error\":0}");
        assertThat(matrix.json().at("/implementations/0/levels/L4/not-covered").asInt()).isEqualTo(1);
        assertThat(Matrix.cell(matrix.levels().getFirst(), matrix.columns().get(1)).count(Verdict.FAIL)).isEqualTo(1);
    }

    @Test
    void thePageNeedsNothingElseAndEscapesNames() throws Exception {
        String page = MatrixPage.of(Matrix.of(vectors, List.of(result("<b>&", "gemma2/rms-norm/a", "error"))));
        assertThat(page).doesNotContain("http").doesNotContain("<script").doesNotContain("src=").contains("&lt;b&gt;&amp;").doesNotContain("<b>");
        assertThat(page).contains("<td class=\"none\">not covered</td>").contains("<td class=\"wrong\">1 WRONG, 0 of 2</td>").contains("<code>gemma2/rms-norm/a</code> error");
    }

    @Test
    void rubbishIsRefused() throws Exception {
        refuses(Files.writeString(folder.resolve("x.json"), "{"), "is no JSON");
        refuses(Files.writeString(folder.resolve("x.json"), "{\"schema\": \"other/1\"}"), "other/1");
        refuses(Files.writeString(folder.resolve("x.json"), "{\"schema\": \"dhsa-golden-result/1\"}"), "names no implementation");
        refuses(result("x", "gemma2/rms-norm/a", "perhaps"), "perhaps");
        refuses(result("x", "gemma2/rms-norm/a", "pass", "gemma2/rms-norm/a", "pass"), "twice");
        refuses(folder.resolve("nothing.json"), "is not there");
        assertThatExceptionOfType(GoldenFormatException.class).isThrownBy(() -> Matrix.of(Files.createDirectory(folder.resolve("empty")), List.of())).withMessageContaining("no case");
    }

    private void refuses(Path result, String why) {
        assertThatExceptionOfType(GoldenFormatException.class).isThrownBy(() -> Matrix.of(vectors, List.of(result)))
                .withMessageContaining(result.toString()).withMessageContaining(why);
    }

    private Path result(String name, String... idsAndVerdicts) throws IOException {
        StringBuilder cases = new StringBuilder();
        for (int i = 0; i < idsAndVerdicts.length; i += 2) {
            cases.append(i == 0 ? "" : ",").append("{\"id\":\"").append(idsAndVerdicts[i]).append("\",\"verdict\":\"").append(idsAndVerdicts[i + 1]).append("\"}");
        }
        return Files.writeString(Files.createTempFile(folder, "result", ".json"), "{\"schema\":\"dhsa-golden-result/1\",\"implementation\":{\"name\":\"" + name
                + "\",\"backend\":\"cpu\"},\"cases\":[" + cases + "]}");
    }
}
