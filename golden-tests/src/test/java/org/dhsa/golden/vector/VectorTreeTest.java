package org.dhsa.golden.vector;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import com.networknt.schema.ValidationMessage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dhsa.bug.KnownBug;
import org.dhsa.bug.KnownBugs;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.GoldenRun;
import org.dhsa.golden.Verdict;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.Stage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The published tree as a whole: schemas, manifest, coverage, and that it can be made again.
class VectorTreeTest {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final JsonSchemaFactory SCHEMAS = JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012);

    @TempDir
    private Path temp;

    private static JsonSchema schema(String name) throws IOException {
        return SCHEMAS.getSchema(JSON.readTree(Published.GOLDEN.resolve("schema/" + name + ".schema.json").toFile()));
    }

    private static List<String> violations(JsonSchema schema, JsonNode json) {
        return schema.validate(json).stream().map(ValidationMessage::toString).toList();
    }

    @Test
    void everyFileFollowsItsSchema() throws IOException {
        JsonSchema schema = schema("case");
        Map<String, List<String>> wrong = new TreeMap<>();
        for (Path folder : Published.folders()) {
            List<String> found = violations(schema, JSON.readTree(folder.resolve("case.json").toFile()));
            if (!found.isEmpty()) {
                wrong.put(folder.toString(), found);
            }
        }
        assertThat(wrong).isEmpty();
        assertThat(violations(schema("flags"), JSON.readTree(Published.V1.resolve("flags.json").toFile()))).isEmpty();
        assertThat(violations(schema("manifest"), JSON.readTree(Published.V1.resolve("manifest.json").toFile()))).isEmpty();
        assertThat(violations(schema("stages"), JSON.readTree(Published.GOLDEN.resolve("schema/stages.json").toFile()))).isEmpty();
    }

    @Test
    void theSchemaOfACaseRefusesWhatIsWrong() throws IOException {
        JsonNode good = JSON.readTree(Published.V1.resolve("gemma2/rms-norm/toy/case.json").toFile());
        for (String broken : List.of("schema", "level", "profile", "id")) {
            ObjectNode copy = good.deepCopy();
            copy.put(broken, "L9");
            assertThat(violations(schema("case"), copy)).as(broken).isNotEmpty();
        }
        ObjectNode extra = good.deepCopy();
        extra.put("tolerance", 1e-3);
        assertThat(violations(schema("case"), extra)).isNotEmpty();
        ObjectNode typed = good.deepCopy();
        ((ObjectNode) typed.at("/expected/normed/comparison")).remove("baselineError");
        assertThat(violations(schema("case"), typed)).isNotEmpty();
    }

    @Test
    void aResultFollowsItsSchema() throws IOException, GoldenFormatException {
        Path out = temp.resolve("result.json");
        GoldenRun.of(Published.V1, new ReferenceBackend(), id -> id.startsWith("gemma2/rms-norm"), r -> {}).writeJson(out, new GoldenRun.Implementation("n", "v", "b", "d"));
        JsonNode result = JSON.readTree(out.toFile());
        assertThat(violations(schema("result"), result)).isEmpty();
        assertThat(result.get("vectors").textValue()).isEqualTo(VectorTree.VERSION);
        assertThat(result.at("/levels/L0/pass").intValue()).isEqualTo(result.get("cases").size()).isGreaterThan(10);
        ((ObjectNode) result.get("cases").get(0)).put("verdict", "good");
        assertThat(violations(schema("result"), result)).isNotEmpty();
    }

    @Test
    void theManifestListsEveryFileWithItsHash() throws IOException {
        assertThat(VectorTree.verify(Published.V1)).isEmpty();
        JsonNode manifest = JSON.readTree(Published.V1.resolve("manifest.json").toFile());
        Set<String> listed = new TreeSet<>();
        manifest.get("files").fieldNames().forEachRemaining(listed::add);
        try (Stream<Path> files = Files.walk(Published.V1)) {
            Set<String> there = files.filter(Files::isRegularFile).map(f -> Published.V1.relativize(f).toString().replace('\\', '/'))
                    .filter(f -> !f.equals("manifest.json")).collect(Collectors.toSet());
            assertThat(there).isEqualTo(listed);
        }
        assertThat(manifest.get("cases").intValue()).isEqualTo(Published.cases().size());
    }

    @Test
    void everyStageHasCasesByHandAndEveryLevelHasCases() {
        Map<String, List<VectorCase>> bySlug = Published.cases().stream().collect(Collectors.groupingBy(VectorCase::slug));
        assertThat(bySlug.keySet()).containsExactlyInAnyOrderElementsOf(StageCatalog.INSTANCE.slugs());
        for (Stage stage : Stage.values()) {
            // the rotary embedding's and all other toys alike: eight tokens or fewer, known numbers
            assertThat(bySlug.get(stage.slug())).as(stage.slug()).hasSizeGreaterThanOrEqualTo(6)
                    .anyMatch(c -> c.json().get("flags").valueStream().anyMatch(f -> f.textValue().equals("HAND_CHECKABLE")));
        }
        assertThat(Published.cases().stream().map(VectorCase::level).collect(Collectors.toSet())).containsExactlyInAnyOrder("L0", "L1", "L2", "L3", "L4", "L5", "L6", "P");
        assertThat(Published.cases()).hasSizeGreaterThanOrEqualTo(250);
    }

    @Test
    void theTreeStaysSmall() throws IOException {
        try (Stream<Path> files = Files.walk(Published.V1)) {
            assertThat(files.filter(Files::isRegularFile).mapToLong(f -> f.toFile().length()).sum()).isLessThan(15_000_000);
        }
    }

    @Test
    void everyFlagIsExplainedAndEveryExplanationIsUsed() throws IOException {
        Set<String> explained = new TreeSet<>();
        JSON.readTree(Published.V1.resolve("flags.json").toFile()).get("flags").fieldNames().forEachRemaining(explained::add);
        Set<String> used = new TreeSet<>();
        Published.cases().forEach(c -> used.addAll(StageCatalog.texts(c.json().get("flags"))));
        assertThat(used).isEqualTo(explained);
    }

    @Test
    void everyParameterAndTensorIsInTheCatalogue() {
        for (VectorCase golden : Published.cases()) {
            Set<String> parameters = StageCatalog.INSTANCE.parameters(golden.slug()).stream().map(p -> p.get("name").textValue()).collect(Collectors.toSet());
            Set<String> stated = new HashSet<>();
            golden.config().fieldNames().forEachRemaining(stated::add);
            stated.remove("seed");
            assertThat(parameters).as(golden.id()).containsAll(stated);
            golden.inputs().forEach((name, tensor) -> assertThat(StageCatalog.INSTANCE.input(golden.slug(), name)).as(golden.id() + " " + name)
                    .hasValueSatisfying(entry -> assertThat(StageCatalog.texts(entry.get("axes"))).isEqualTo(tensor.shape().names())));
        }
    }

    @Test
    void generatedInputsAreWhatIsStored() {
        int both = 0;
        for (VectorCase golden : Published.cases()) {
            for (Map.Entry<String, JsonNode> input : golden.json().get("inputs").properties()) {
                if (input.getValue().has("generator")) {
                    VectorTensor tensor = (VectorTensor) golden.inputs().get(input.getKey());
                    assertThat(InputGenerator.build(input.getValue().get("generator"), tensor.shape(), tensor.dtype()).sha256()).as(golden.id() + " " + input.getKey())
                            .isEqualTo(input.getValue().get("sha256").textValue());
                    both++;
                }
            }
        }
        assertThat(both).isGreaterThan(1000);
    }

    @Test
    void everyKnownBugIsToldFromAllOthersSomewhere() throws IOException, GoldenFormatException {
        Map<String, Integer> alone = new TreeMap<>();
        for (VectorCase golden : Published.cases()) {
            Map<String, Map<String, VectorTensor>> diagnoses = golden.diagnoses();
            diagnoses.forEach((bug, tensors) -> {
                assertThat(tensors.keySet()).as(golden.id() + " " + bug).isSubsetOf(golden.expected().keySet());
                // a stored diagnosis must be wrong, or it would diagnose a right answer
                tensors.forEach((name, tensor) -> assertThat(VectorComparison.compare(golden, golden.expected().get(name), tensor, false).verdict())
                        .as(golden.id() + " " + bug + " " + name).isEqualTo(Verdict.FAIL));
                boolean unlike = diagnoses.entrySet().stream().noneMatch(other -> !other.getKey().equals(bug) && hashes(other.getValue()).equals(hashes(tensors)));
                alone.merge(bug, unlike ? 1 : 0, Integer::sum);
            });
        }
        List<String> unseen = new ArrayList<>();
        for (KnownBug bug : KnownBugs.all()) {
            if (alone.getOrDefault(bug.id(), 0) == 0) {
                unseen.add(bug.id());
            }
        }
        assertThat(unseen).isEmpty();
    }

    private static Map<String, String> hashes(Map<String, VectorTensor> tensors) {
        return tensors.entrySet().stream().collect(Collectors.toMap(Map.Entry::getKey, e -> e.getValue().sha256()));
    }

    /// On another kind of processor the last bits of exp and tanh may differ; there the matrix test is the proof.
    @Test
    void theTreeCanBeMadeAgainByteForByte() throws IOException, GoldenFormatException {
        VectorWriter writer = new VectorWriter(new ReferenceBackend(), OptimizedBackend.scalar(1));
        List<CaseDraft> drafts = CaseList.all(Published.GOLDEN.resolveSibling("recordings"));
        assertThat(drafts).hasSameSizeAs(Published.cases());
        for (CaseDraft draft : drafts) {
            Path published = Published.V1.resolve(draft.id());
            JsonNode stored = JSON.readTree(published.resolve("case.json").toFile());
            writer.write(draft, temp, stored.path("evidence"));
            Path made = temp.resolve(draft.id());
            ObjectNode again = (ObjectNode) JSON.readTree(made.resolve("case.json").toFile());
            again.set("diagnoses", stored.get("diagnoses"));
            VectorWriter.writeJson(made.resolve("case.json"), again);
            for (String file : List.of("case.json", "inputs.safetensors", "expected.safetensors")) {
                assertThat(made.resolve(file)).as(draft.id()).hasSameBinaryContentAs(published.resolve(file));
            }
        }
    }
}
