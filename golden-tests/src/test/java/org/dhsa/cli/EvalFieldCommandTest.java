package org.dhsa.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvalFieldCommandTest {

    private static Cli.Result field(Path out, String... more) {
        List<String> args = new ArrayList<>(List.of("eval", "field", "--model", Cli.TINY.toString(), "--lengths", "128", "--depths", "50", "--samples", "1", "--workers", "1",
                "--out", out.toString()));
        args.addAll(List.of(more));
        return Cli.run(args.toArray(String[]::new));
    }

    @Test
    void methodsAreRankedByWhatTheyKeep(@TempDir Path folder) throws IOException {
        Path out = folder.resolve("field.jsonl");
        Cli.Result result = field(out, "--policies", "sliding,oracle,dhsa:block=8,local=8,sinks=2,snapkv:window=4", "--shares", "0.3", "--json");
        assertThat(result.code()).as(result.err()).isZero();
        JsonNode rows = Json.MAPPER.readTree(result.out()).path("field");
        // the oracle comes first in both phases; a cache that is thinned out after the prompt does not choose in it
        assertThat(rows.findValuesAsText("policy")).hasSize(7).startsWith("oracle");
        assertThat(rows.path(3).path("policy").asText()).isEqualTo("oracle");
        assertThat(rows).filteredOn(r -> r.path("policy").asText().startsWith("snapkv")).singleElement()
                .satisfies(r -> assertThat(r.path("phase").asText()).isEqualTo("decode"));
        assertThat(rows).allSatisfy(r -> {
            assertThat(r.path("pairs_share").asDouble()).isLessThanOrEqualTo(0.3).isGreaterThan(0.2);
            assertThat(r.path("mass").asDouble()).isBetween(0.0, 1.0);
        });
        assertThat(rows).filteredOn(r -> r.path("policy").asText().equals("sliding")).allSatisfy(r -> assertThat(r.path("cost_share")).isEqualTo(r.path("pairs_share")));
        assertThat(Files.readString(folder.resolve("field.html"))).contains("What is kept at equal pairs read", "Operations with selecting");

        Cli.Result text = field(out, "--policies", "sliding,oracle,dhsa:block=8,local=8,sinks=2,snapkv:window=4", "--shares", "0.3");
        assertThat(text.out()).contains("Choosing while decoding (prompt dense), at most 30.0 % of the pairs");
        Cli.Result page = Cli.run("eval", "report", out.toString(), "--out", folder.resolve("again.html").toString());
        assertThat(page.code()).as(page.err()).isZero();
        assertThat(folder.resolve("again.html")).hasSameTextualContentAs(folder.resolve("field.html"));
    }

    @Test
    void badInputIsNamed(@TempDir Path folder) {
        Path out = folder.resolve("r.jsonl");
        refused(field(out, "--shares", "1.5"), "one was 1.5");
        refused(field(out, "--rows", "0"), "--rows must be positive");
        refused(field(out, "--policies", "dense"), "no budget and no share");
        refused(field(out, "--policies", "slidng"), "near names: sliding");
        refused(field(out, "--lengths", "5000"), "max_position_embeddings 4096");
        assertThat(out).doesNotExist();
    }

    private static void refused(Cli.Result result, String message) {
        assertThat(result.code()).as(result.err()).isEqualTo(2);
        assertThat(result.err()).contains(message);
    }
}
