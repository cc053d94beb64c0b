package org.dhsa.golden;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.dhsa.demo.GoldenVerdicts;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.tensor.DType;
import org.dhsa.weights.SafetensorsFile;
import org.dhsa.weights.SafetensorsWriter;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Broken folders are refused with the folder, the file, the tensor and what to do.
class GoldenFormatTest {

    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path temp;
    private Path folder;

    @BeforeEach
    void copyACase() throws IOException {
        folder = copy("dhsa_sdpa/2");
    }

    private Path copy(String id) throws IOException {
        Path from = Recordings.DIR.resolve(id);
        Path to = Files.createDirectories(temp.resolve(id));
        try (Stream<Path> files = Files.list(from)) {
            for (Path file : files.toList()) {
                Files.copy(file, to.resolve(file.getFileName()));
            }
        }
        return to;
    }

    private void edit(Consumer<ObjectNode> change) throws IOException {
        Path file = folder.resolve("case.json");
        ObjectNode json = (ObjectNode) JSON.readTree(file.toFile());
        change.accept(json);
        JSON.writeValue(file.toFile(), json);
    }

    private static ObjectNode declared(JsonNode json, String tensor) {
        return (ObjectNode) json.get("tensors").get("tensors.safetensors").get(tensor);
    }

    /// Reading alone must refuse it.
    private void assertRefused(String... parts) {
        assertThatThrownBy(() -> GoldenCase.read(folder)).isInstanceOf(GoldenFormatException.class)
                .hasMessageContaining(folder.getFileName().toString()).satisfies(e -> assertThat(e.getMessage()).contains(parts));
    }

    /// It reads, but cannot be checked.
    private void assertUnusable(String... parts) {
        assertThatThrownBy(() -> GoldenRun.of(folder, new ReferenceBackend(), id -> true, r -> {})).isInstanceOf(GoldenFormatException.class)
                .satisfies(e -> assertThat(e.getMessage()).contains(parts));
    }

    @Test
    void theUnbrokenCopyPasses() throws Exception {
        GoldenRun run = GoldenRun.of(folder, new ReferenceBackend(), id -> true, r -> {});
        assertThat(run.exitCode()).isZero();
        assertThat(run.cases()).hasSize(1);
        assertThat(run.byStage().keySet()).containsExactly("top-k-selection", "sparse-attention");
    }

    @Test
    void aMissingTensorFile() throws IOException {
        Files.delete(folder.resolve("tensors.safetensors"));
        assertRefused("tensors.safetensors", "is missing", "copy the case folder whole");
    }

    @Test
    void jsonThatIsNotJson() throws IOException {
        Files.writeString(folder.resolve("case.json"), "{\"case\": \"a/b\",\n oops");
        assertRefused("case.json", "not readable JSON", "line 2");
    }

    @Test
    void jsonWithAKeyTwice() throws IOException {
        Files.writeString(folder.resolve("case.json"), "{\"case\": \"a/b\", \"case\": \"a/c\"}");
        assertRefused("case.json", "Duplicate field 'case'");
    }

    @Test
    void jsonThatGoesOnAfterItsEnd() throws IOException {
        Files.writeString(folder.resolve("case.json"), Files.readString(folder.resolve("case.json")) + "{}");
        assertRefused("case.json", "not readable JSON");
    }

    @Test
    void aFileThatIsNoObject() throws IOException {
        Files.writeString(folder.resolve("case.json"), "[]");
        assertRefused("must hold a JSON object");
    }

    @Test
    void aSectionThatIsMissing() throws IOException {
        edit(json -> json.remove("tolerance"));
        assertRefused("\"tolerance\"", "is missing");
    }

    @Test
    void anIdWithoutFamily() throws IOException {
        edit(json -> json.put("case", "lonely"));
        assertRefused("FAMILY/NAME", "lonely");
    }

    @Test
    void aTensorDeclaredButAbsent() throws IOException {
        edit(json -> ((ObjectNode) json.get("tensors").get("tensors.safetensors")).putObject("ghost").put("dtype", "F64").putArray("shape"));
        assertRefused("tensor ghost is declared", "but absent");
    }

    @Test
    void aTensorThereButNotDeclared() throws IOException {
        edit(json -> ((ObjectNode) json.get("tensors").get("tensors.safetensors")).remove("output"));
        assertRefused("tensor output is not declared");
    }

    @Test
    void anotherDtypeThanDeclared() throws IOException {
        edit(json -> declared(json, "output").put("dtype", "F32"));
        assertRefused("tensor output is declared as F32 but stored as F64");
    }

    @Test
    void anotherShapeThanDeclared() throws IOException {
        edit(json -> declared(json, "query").putArray("shape").add(1).add(2));
        assertRefused("tensor query is declared with shape [1,2]", "stored with [1, 2, 117, 32]");
    }

    @Test
    void aFileOutsideTheFolder() throws IOException {
        edit(json -> ((ObjectNode) json.get("tensors")).set("../other.safetensors", JSON.createObjectNode()));
        assertRefused("outside its folder");
    }

    @Test
    void aTruncatedTensorFile() throws IOException {
        Path file = folder.resolve("tensors.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(bytes, bytes.length - 8));
        assertRefused("tensors.safetensors");
    }

    @Test
    void aNanThatIsNotDeclaredAndOneThatIs() throws Exception {
        rewrite("output", 5, Double.NaN);
        assertRefused("tensor output holds a NaN at flat index 5", "which its meaning does not mention");
        edit(json -> declared(json, "output").put("meaning", "NaN where nothing is seen"));
        assertThat(GoldenCase.read(folder).tensor("output").values()[5]).isNaN();
        CaseResult result = GoldenRun.of(folder, new ReferenceBackend(), id -> true, r -> {}).cases().getFirst();
        assertThat(result.verdict()).as("a NaN was recorded, a number was computed").isEqualTo(Verdict.FAIL);
        assertThat(result.firstDivergence().orElseThrow().tensor()).isEqualTo("output");
        assertThat(result.firstDivergence().orElseThrow().worstIndex()).isEqualTo("[heads=0, queryLen=0, headDim=5]");
    }

    @Test
    void aMissingHyperparameterAndOneOfTheWrongType() throws IOException {
        edit(json -> ((ObjectNode) json.get("hyperparameters")).put("bs", "eight"));
        assertUnusable("hyperparameter bs must be an integer", "was \"eight\"");
        edit(json -> ((ObjectNode) json.get("hyperparameters")).remove("bs"));
        assertUnusable("hyperparameter bs must be an integer", "is missing", "dhsa_sdpa");
    }

    @Test
    void aPoolingThatNobodyKnows() throws IOException {
        edit(json -> ((ObjectNode) json.get("hyperparameters")).put("pooling", "minpool"));
        assertUnusable("pooling", "minpool", "avgpool_norm");
    }

    @Test
    void inputsThatContradictEachOther() throws Exception {
        int last = GoldenCase.read(folder).tensor("boundaries").values().length - 1;
        rewrite("boundaries", last, 5000);
        assertUnusable("contradict each other", "5000");
    }

    @Test
    void anEndToEndCaseWithoutItsModel() throws IOException {
        folder = copy("e2e/uniform_cap");
        assertUnusable("uniform_cap", "has no model", "copy the folder \"model\"");
    }

    @Test
    void aModelThatIsBroken() throws IOException {
        folder = copy("gemma2/decode");
        Files.write(folder.resolve("model.safetensors"), new byte[] {1, 2, 3});
        assertUnusable("the model of the case is broken");
    }

    @Test
    void aFolderWithoutCasesAndAFolderThatIsNone() throws IOException {
        folder = Files.createDirectory(temp.resolve("empty"));
        assertUnusable("holds no case");
        folder = temp.resolve("nowhere");
        assertUnusable("is not a folder");
    }

    @Test
    void aFolderOfSharedWeightsAlone() throws IOException {
        folder = copy("e2e/model");
        assertUnusable("holds only weights that other cases share");
        edit(json -> json.putObject("tensors"));
        assertUnusable("hyperparameter", "is missing");
    }

    @Test
    void aFilterThatNothingPasses() {
        assertThatThrownBy(() -> GoldenRun.of(folder, new ReferenceBackend(), id -> false, r -> {})).isInstanceOf(GoldenFormatException.class)
                .hasMessageContaining("none of its 1 cases passes the filter");
    }

    @Test
    void aBrokenCaseDoesNotKeepTheOthersFromBeingChecked() throws Exception {
        Path sound = folder;
        Path unreadable = copy("select/ties");
        Files.delete(unreadable.resolve("tensors.safetensors"));
        folder = copy("block_sparse/0");
        edit(json -> ((ObjectNode) json.get("hyperparameters")).remove("topk"));
        GoldenRun run = GoldenRun.of(temp, new ReferenceBackend(), id -> true, r -> {});
        assertThat(run.cases()).extracting(CaseResult::id).containsExactly("dhsa_sdpa/2");
        assertThat(sound).exists();
        assertThat(run.unusable()).hasSize(2);
        assertThat(run.unusable().getFirst()).contains("select").contains("tensors.safetensors: is missing");
        assertThat(run.unusable().getLast()).contains("block_sparse").contains("hyperparameter topk");
        assertThat(run.exitCode()).isEqualTo(2);
        assertThatThrownBy(() -> GoldenVerdicts.check(temp, new ReferenceBackend(), id -> {})).isInstanceOf(IOException.class)
                .hasMessageContaining("tensors.safetensors: is missing");
    }

    @Test
    void linksAreFollowedButNotInACircle() throws Exception {
        Path link = Files.createSymbolicLink(temp.resolve("link"), folder.getParent());
        Files.createSymbolicLink(folder.resolve("circle"), folder.getParent());
        GoldenRun run = GoldenRun.of(link, new ReferenceBackend(), id -> true, r -> {});
        assertThat(run.cases()).hasSize(1);
        assertThat(run.exitCode()).isZero();
    }

    @Test
    void parametersThatTheAuthorsForwardPassHasDefaultsForMayBeMissing() throws Exception {
        copy("e2e/model");
        folder = copy("e2e/uniform_nocap");
        edit(json -> {
            ((ObjectNode) json.get("hyperparameters")).remove("tie_order");
            ((ObjectNode) json.get("hyperparameters")).remove("share_sparsity_masks");
        });
        assertThat(GoldenRun.of(folder, new ReferenceBackend(), id -> true, r -> {}).count(Verdict.PASS)).isEqualTo(1);

        edit(json -> ((ObjectNode) json.get("hyperparameters")).put("instruction_tokens", 64).put("local_tokens", 128).put("global_tokens", 128));
        CaseResult stated = GoldenRun.of(folder, new ReferenceBackend(), id -> true, r -> {}).cases().getFirst();
        edit(json -> ((ObjectNode) json.get("hyperparameters")).putNull("instruction_tokens").putNull("local_tokens").remove("global_tokens"));
        CaseResult unset = GoldenRun.of(folder, new ReferenceBackend(), id -> true, r -> {}).cases().getFirst();
        assertThat(stated.verdict()).as("not the recorded parameters").isEqualTo(Verdict.FAIL);
        assertThat(unset).isEqualTo(stated);
    }

    @Test
    void boundariesOfEveryLayerAreLookedForWhereTheyAreNotShared() throws Exception {
        copy("e2e/model");
        folder = copy("e2e/predicted_cap");
        edit(json -> ((ObjectNode) json.get("hyperparameters")).put("share_boundaries", true));
        assertThat(GoldenRun.of(folder, new ReferenceBackend(), id -> true, r -> {}).exitCode()).isZero();
        edit(json -> ((ObjectNode) json.get("hyperparameters")).put("share_boundaries", false));
        CaseResult apart = GoldenRun.of(folder, new ReferenceBackend(), id -> true, r -> {}).cases().getFirst();
        assertThat(apart.verdict()).as("recorded with shared boundaries").isEqualTo(Verdict.FAIL);
        assertThat(apart.comparisons()).filteredOn(c -> c.layer() == 0).allMatch(c -> c.verdict() == Verdict.PASS);
        assertThat(apart.firstDivergence().orElseThrow().note()).as("found before the whole pass").doesNotContain("end to end");
    }

    @Test
    void anUnknownFamilyIsNotCoveredAndNeverPassed() throws Exception {
        edit(json -> json.put("case", "novelty/1"));
        GoldenRun run = GoldenRun.of(folder, new ReferenceBackend(), id -> true, r -> {});
        assertThat(run.cases().getFirst().verdict()).isEqualTo(Verdict.NOT_COVERED);
        assertThat(run.cases().getFirst().message()).contains("novelty");
        assertThat(run.count(Verdict.PASS)).isZero();
        assertThat(run.exitCode()).as("nothing was compared").isEqualTo(1);
    }

    @Test
    void aTensorThatNoComparisonKnowsKeepsTheCaseFromPassing() throws Exception {
        SafetensorsWriter writer = new SafetensorsWriter();
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("tensors.safetensors"))) {
            for (String name : file.names()) {
                writer.add(name, file.tensor(name).dtype(), file.tensor(name).dims(), file.tensor(name).bytes());
            }
            writer.addF64("novelty", new double[] {1}, 1).write(folder.resolve("new.safetensors"));
        }
        Files.move(folder.resolve("new.safetensors"), folder.resolve("tensors.safetensors"), StandardCopyOption.REPLACE_EXISTING);
        edit(json -> {
            ObjectNode novelty = ((ObjectNode) json.get("tensors").get("tensors.safetensors")).putObject("novelty");
            novelty.put("dtype", "F64").put("meaning", "nobody knows").putArray("shape").add(1);
        });
        CaseResult result = GoldenRun.of(folder, new ReferenceBackend(), id -> true, r -> {}).cases().getFirst();
        assertThat(result.verdict()).isEqualTo(Verdict.NOT_COVERED);
        assertThat(result.message()).contains("no comparison exists for novelty");
    }

    @Test
    void keysInAnyOrderReadTheSame() throws Exception {
        edit(json -> {
            ObjectNode turned = JSON.createObjectNode();
            json.properties().stream().toList().reversed().forEach(e -> turned.set(e.getKey(), e.getValue()));
            json.removeAll();
            json.setAll(turned);
        });
        assertThat(GoldenRun.of(folder, new ReferenceBackend(), id -> true, r -> {}).count(Verdict.PASS)).isEqualTo(1);
    }

    /// Writes the tensor file again with one value changed.
    private void rewrite(String tensor, int index, double value) throws Exception {
        Path path = folder.resolve("tensors.safetensors");
        Path fresh = folder.resolve("fresh.safetensors");
        SafetensorsWriter writer = new SafetensorsWriter();
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            for (String name : file.names()) {
                double[] values = file.tensor(name).widen();
                if (!name.equals(tensor)) {
                    writer.add(name, file.tensor(name).dtype(), file.tensor(name).dims(), file.tensor(name).bytes());
                } else if (file.tensor(name).dtype() == DType.I64) {
                    values[index] = value;
                    writer.addI64(name, Arrays.stream(values).mapToLong(v -> (long) v).toArray(), file.tensor(name).dims());
                } else {
                    values[index] = value;
                    writer.addF64(name, values, file.tensor(name).dims());
                }
            }
            writer.write(fresh);
        }
        Files.move(fresh, path, StandardCopyOption.REPLACE_EXISTING);
    }
}
