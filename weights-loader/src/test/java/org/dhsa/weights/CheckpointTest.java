package org.dhsa.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointTest {

    private static final String FIRST = "model-00001-of-00002.safetensors";
    private static final String SECOND = "model-00002-of-00002.safetensors";
    private static final String NORM = "model.norm.weight";

    @TempDir
    Path folder;

    private Path index;
    private ObjectNode json;
    private ObjectNode weightMap;

    @BeforeEach
    void save() throws Exception {
        new ToyModel().saveSharded(folder);
        index = folder.resolve("model.safetensors.index.json");
        json = (ObjectNode) ToyModel.JSON.readTree(Files.readString(index));
        weightMap = (ObjectNode) json.get("weight_map");
    }

    @Test
    void isOpenedByFolderByIndexOrByFile() throws Exception {
        for (Path path : new Path[] {folder, index}) {
            try (Checkpoint checkpoint = Checkpoint.open(path)) {
                assertThat(checkpoint.names()).hasSize(24).contains(NORM);
                assertThat(checkpoint.files()).containsExactly(folder.resolve(FIRST), folder.resolve(SECOND));
                assertThat(checkpoint.tensor(NORM).dims()).containsExactly(8);
                assertThat(checkpoint.source()).isEqualTo(index);
                assertThat(checkpoint.warnings()).isEmpty();
                assertThatThrownBy(() -> checkpoint.tensor("model.norm.bias")).hasMessageContaining("near names: model.norm.weight");
            }
        }
        try (Checkpoint checkpoint = Checkpoint.open(folder.resolve(SECOND))) {
            assertThat(checkpoint.names()).hasSize(12);
        }
    }

    @Test
    void theSingleFileComesBeforeTheIndex() throws Exception {
        new ToyModel().save(folder);
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(checkpoint.files()).containsExactly(folder.resolve("model.safetensors"));
            assertThat(checkpoint.warnings()).singleElement().asString().contains("the single file is read");
        }
    }

    @Test
    void aMissingShardIsNamed() throws Exception {
        Files.delete(folder.resolve(SECOND));
        assertRefused(SECOND + ": this shard is missing; model.safetensors.index.json expects 12 tensors in it");
    }

    @Test
    void aDamagedShardIsNamed() throws Exception {
        Files.writeString(folder.resolve(SECOND), "short");
        assertRefused(SECOND + ": has 5 bytes, too few");
    }

    @Test
    void aTensorMappedToTheWrongShardIsRefused() throws Exception {
        weightMap.put(NORM, FIRST);
        assertRefused("tensor " + NORM + ": is mapped to " + FIRST + ", but lies in " + SECOND);
    }

    @Test
    void aTensorInNoShardIsRefused() throws Exception {
        weightMap.put("model.ghost", FIRST);
        assertRefused("tensor model.ghost: is mapped to " + FIRST + ", but no shard holds it");
    }

    @Test
    void aTensorInTwoShardsIsRefused() throws Exception {
        Files.copy(folder.resolve(SECOND), folder.resolve("third.safetensors"));
        weightMap.put(NORM, "third.safetensors");
        assertRefused("is also in " + SECOND);
    }

    @Test
    void aTensorThatTheIndexDoesNotKnowIsRefused() throws Exception {
        weightMap.remove(NORM);
        assertRefused(SECOND + ": tensor " + NORM + ": is not in model.safetensors.index.json");
    }

    @ParameterizedTest
    @ValueSource(strings = {"../" + FIRST, "/etc/passwd", "a/b.safetensors", "a\\b.safetensors", "..", "C:x.safetensors", "",
        ".hidden.safetensors", "model.bin", "a\u0000.safetensors"})
    void aShardNameThatLeadsElsewhereIsRefused(String shard) throws Exception {
        weightMap.put(NORM, shard);
        assertRefused("expected the plain name of a .safetensors file beside the index");
    }

    @Test
    void anIndexWithoutAMapIsRefused() throws Exception {
        weightMap.put(NORM, 3);
        assertRefused("tensor " + NORM + ": is mapped to 3");
        weightMap.removeAll();
        assertRefused("weight_map is empty");
        json.put("weight_map", "x");
        assertRefused("has no weight_map object");
        Files.writeString(index, "[]");
        assertThatThrownBy(() -> Checkpoint.open(folder)).hasMessageContaining("expected a JSON object");
        Files.writeString(index, "{\"weight_map\": {\"a\": \"x.safetensors\", \"a\": \"y.safetensors\"}}");
        assertThatThrownBy(() -> Checkpoint.open(folder)).hasMessageContaining("Duplicate field 'a'");
    }

    @Test
    void aWrongTotalIsWarnedAbout() throws Exception {
        json.putObject("metadata").put("total_size", 7);
        Files.writeString(index, json.toString());
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(checkpoint.warnings()).singleElement().asString().contains("total_size is 7, the shards hold");
        }
    }

    private void assertRefused(String reason) throws Exception {
        Files.writeString(index, json.toString());
        assertThatThrownBy(() -> Checkpoint.open(folder)).isInstanceOf(WeightsFormatException.class).hasMessageContaining(reason);
    }
}
