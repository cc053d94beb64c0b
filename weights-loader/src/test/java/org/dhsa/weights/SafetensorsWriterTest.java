package org.dhsa.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.dhsa.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsWriterTest {

    @TempDir
    Path folder;

    @Test
    void whatIsWrittenIsReadBack() throws Exception {
        Path path = folder.resolve("toy.safetensors");
        new SafetensorsWriter()
                .metadata("format", "pt").metadata("a \"key\"", "välue\n")
                .addBool("mask", new boolean[] {true, false, true}, 3)
                .addF32("bias", new float[] {1, 2, 3}, 3)
                .addF64("matrix", new double[] {1, 2, 3, 4, 5, 6}, 2, 3)
                .addI64("ids", new long[] {7}, 1)
                .addF32("scalar", new float[] {9})
                .addF32("empty", new float[0], 0, 4)
                .write(path);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.metadata()).containsEntry("format", "pt").containsEntry("a \"key\"", "välue\n");
            assertThat(file.names()).containsExactlyInAnyOrder("mask", "bias", "matrix", "ids", "scalar", "empty");
            assertThat(file.tensor("matrix").dims()).containsExactly(2, 3);
            assertThat(file.tensor("matrix").widen()).containsExactly(1, 2, 3, 4, 5, 6);
            assertThat(file.tensor("mask").widen()).containsExactly(1, 0, 1);
            assertThat(file.tensor("scalar").rank()).isZero();
            assertThat(file.tensor("scalar").get(0)).isEqualTo(9);
            assertThat(file.tensor("empty").dims()).containsExactly(0, 4);
        }
    }

    @Test
    void everyTensorIsAlignedToItsElements() throws Exception {
        Path path = folder.resolve("aligned.safetensors");
        new SafetensorsWriter().addBool("a", new boolean[3], 3).addF32("b", new float[1], 1).addF64("c", new double[1], 1)
                .add("d", DType.BF16, new long[] {1}, new byte[2]).write(path);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.headerBytes() % 8).isZero();
            assertThat(file.names()).containsExactly("c", "b", "d", "a");
            for (String name : file.names()) {
                assertThat(file.tensor(name).bytes().address() % file.tensor(name).dtype().bytes()).isZero();
            }
        }
    }

    @Test
    void equalInputGivesEqualBytes() throws Exception {
        Path a = folder.resolve("a");
        Path b = folder.resolve("b");
        for (Path path : List.of(a, b)) {
            new SafetensorsWriter().metadata("k", "v").addF32("x", new float[] {1}, 1).addF32("y", new float[] {2}, 1).write(path);
        }
        assertThat(a).hasSameBinaryContentAs(b);
    }

    @Test
    void anExistingFileIsReplacedInOneStepAndNothingIsLeftBeside() throws Exception {
        Path path = Files.writeString(folder.resolve("a.safetensors"), "old");
        new SafetensorsWriter().addF32("x", new float[] {1}, 1).write(path);
        try (SafetensorsFile file = SafetensorsFile.open(path); Stream<Path> all = Files.list(folder)) {
            assertThat(file.names()).containsExactly("x");
            assertThat(all).containsExactly(path);
        }
    }

    @Test
    void afterAFailureTheOldFileStandsAndNothingIsLeftBeside() throws Exception {
        Path path = Files.createDirectory(folder.resolve("a.safetensors"));
        Files.writeString(path.resolve("content"), "so that it cannot be replaced");
        assertThatThrownBy(() -> new SafetensorsWriter().addF32("x", new float[] {1}, 1).write(path)).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> new SafetensorsWriter().write(folder.resolve("no/such/folder/a"))).isInstanceOf(IOException.class);
        try (Stream<Path> all = Files.list(folder)) {
            assertThat(all).containsExactly(path);
        }
    }

    @Test
    void buffersAndSegmentsAreWrittenAsTheyAre() throws Exception {
        Path path = folder.resolve("a.safetensors");
        ByteBuffer part = ByteBuffer.wrap(new byte[] {9, 1, 2, 9}).position(1).limit(3);
        new SafetensorsWriter().add("buffer", DType.U8, new long[] {2}, part)
                .add("segment", DType.U8, new long[] {3}, MemorySegment.ofArray(new byte[] {4, 5, 6})).write(path);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.tensor("buffer").widen()).containsExactly(1, 2);
            assertThat(file.tensor("segment").widen()).containsExactly(4, 5, 6);
        }
    }

    @Test
    void wrongInputIsRefusedAtOnce() {
        SafetensorsWriter writer = new SafetensorsWriter().addF32("x", new float[1], 1);
        assertThatThrownBy(() -> writer.addF32("x", new float[1], 1)).hasMessage("tensor x is added twice");
        assertThatThrownBy(() -> writer.addF32("y", new float[3], 2)).hasMessage("y: F32 [2] needs 8 bytes, got 12");
        assertThatThrownBy(() -> writer.addF32("z", new float[1], -1)).hasMessageContaining("must not be negative");
        assertThatThrownBy(() -> writer.addF32("", new float[1], 1)).hasMessageContaining("cannot be called");
        assertThatThrownBy(() -> writer.addF32("__metadata__", new float[1], 1)).hasMessageContaining("cannot be called");
    }
}
