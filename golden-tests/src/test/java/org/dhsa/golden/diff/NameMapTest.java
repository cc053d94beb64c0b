package org.dhsa.golden.diff;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.dhsa.cli.Json;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The names of frameworks: an export, written the way the framework would dump it, and read back.
class NameMapTest {

    private static final int LAYERS = 4;

    @TempDir
    private static Path temp;
    private static Path export;

    @BeforeAll
    static void export() {
        export = Dumps.export(temp.resolve("export"), "--no-baseline");
    }

    @ParameterizedTest
    @CsvSource({"hf, 46", "transformerlens, 42", "gemma_pytorch, 43"})
    void everyNameOfAFrameworkIsUnderstood(String framework, int atLeast) throws Exception {
        Map<String, DoubleTensor> right = written(framework, Dumps.port(export));
        DiffResult result = diff(framework, right);
        assertThat(result.unused()).isEmpty();
        assertThat(result.compared()).as(new DiffText(result).text()).isGreaterThanOrEqualTo(atLeast);
        assertThat(result.exitCode()).as(new DiffText(result).text()).isZero();

        DiffResult wrong = diff(framework, written(framework, Dumps.port(export, "gqa-interleaved")));
        assertThat(wrong.findings().getFirst().worst().name()).isEqualTo("layers.0.dense-attention.context");
        assertThat(wrong.findings().getFirst().diagnosis().bugs()).containsExactly("gqa-interleaved");
    }

    private static DiffResult diff(String framework, Map<String, DoubleTensor> tensors) throws Exception {
        Path dump = Dumps.write(temp.resolve(framework + ".safetensors"), tensors);
        return GoldenDiff.of(export, dump, new GoldenDiff.Options(Optional.empty(), Optional.of(framework), Optional.empty(), false), s -> { }).result();
    }

    /// The inverse of the map: each tensor under the framework's name, axes in its order, several in one array where it joins them.
    private static Map<String, DoubleTensor> written(String framework, Map<String, DoubleTensor> port) throws Exception {
        Map<String, DoubleTensor> dump = new LinkedHashMap<>();
        try (InputStream in = NameMap.class.getResourceAsStream("names-" + framework + ".json")) {
            for (Map.Entry<String, JsonNode> entry : Json.MAPPER.readTree(in).properties()) {
                List<JsonNode> parts = new ArrayList<>();
                (entry.getValue().isArray() ? entry.getValue() : List.of(entry.getValue())).forEach(parts::add);
                boolean ofLayer = entry.getKey().contains("{layer}") || entry.getKey().contains("{layer+1}");
                for (int l = 0; l < (ofLayer ? LAYERS : 1); l++) {
                    String theirs = entry.getKey().replace("{layer+1}", "" + (l + 1)).replace("{layer}", "" + l).replace("{layers}", "" + LAYERS);
                    List<DoubleTensor> pieces = new ArrayList<>();
                    for (JsonNode part : parts) {
                        String name = (part.isTextual() ? part.asText() : part.get("name").asText()).replace("{layer}", "" + l).replace("@context", "dense-attention.context");
                        DoubleTensor ours = port.get(name);
                        assertThat(ours).as(name).isNotNull();
                        pieces.add(part.has("axes") ? arranged(ours, part.get("axes")) : ours);
                    }
                    dump.putIfAbsent(theirs, pieces.size() == 1 ? pieces.getFirst() : side(pieces));
                }
            }
        }
        return dump;
    }

    private static DoubleTensor arranged(DoubleTensor x, JsonNode axes) {
        List<String> order = new ArrayList<>();
        List<Object> shape = new ArrayList<>();
        int n = 0;
        for (JsonNode axis : axes) {
            List<String> parts = axis.asText().equals("batch") ? List.of() : Arrays.asList(axis.asText().split("\\*"));
            order.addAll(parts);
            shape.add("a" + n++);
            shape.add(parts.stream().mapToInt(x.shape()::extent).reduce(1, (a, b) -> a * b));
        }
        int[] extents = IntStream.range(0, x.shape().rank()).map(x.shape()::extent).toArray();
        int[] permutation = order.stream().mapToInt(x.shape().names()::indexOf).toArray();
        return DoubleTensor.of(Shape.of(shape.toArray()), Layout.permuted(x.data(), extents, permutation));
    }

    /// `[1, tokens, *]` one behind the other along the last axis.
    private static DoubleTensor side(List<DoubleTensor> pieces) {
        int tokens = pieces.getFirst().shape().extent(1);
        int width = pieces.stream().mapToInt(p -> p.shape().extent(2)).sum();
        double[] all = new double[tokens * width];
        int at = 0;
        for (DoubleTensor piece : pieces) {
            int own = piece.shape().extent(2);
            for (int t = 0; t < tokens; t++) {
                System.arraycopy(piece.data(), t * own, all, t * width + at, own);
            }
            at += own;
        }
        return DoubleTensor.of(Shape.of("batch", 1, "queryLen", tokens, "joined", width), all);
    }
}
