package org.dhsa.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.DoubleStream;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TorchCheckpointTest {

    private static final ObjectMapper JSON = new ObjectMapper();

    /// The small dtype samples hold the values of `ordered_dict_small.pt`, rounded; the nested one holds it under a name.
    @ParameterizedTest
    @CsvSource({
        "boundary_predictor.pt,  boundary_predictor.pt, '',                 F32,  0",
        "views_and_strides.pt,   views_and_strides.pt,  '',                 F32,  0",
        "ordered_dict_small.pt,  ordered_dict_small.pt, '',                 F32,  0",
        "nested_small.pt,        ordered_dict_small.pt, 'state_dict.',      F32,  0",
        "legacy_format_small.pt, ordered_dict_small.pt, '',                 F32,  0",
        "f64_small.pt,           ordered_dict_small.pt, '',                 F64,  0",
        "f16_small.pt,           ordered_dict_small.pt, '',                 F16,  1e-3",
        "bf16_small.pt,          ordered_dict_small.pt, '',                 BF16, 5e-3"})
    void readsWhatPyTorchWrote(String file, String expectedOf, String prefix, DType dtype, double tolerance) throws Exception {
        TorchCheckpoint checkpoint = TorchCheckpoint.read(Resources.path("pt-samples/" + file));
        JsonNode expected = JSON.readTree(Resources.text("pt-samples/expected.json")).get(expectedOf);
        assertThat(checkpoint.names()).hasSize(expected.size());
        for (Map.Entry<String, JsonNode> entry : expected.properties()) {
            WeightTensor t = checkpoint.tensor(prefix + entry.getKey());
            JsonNode want = entry.getValue();
            assertThat(t.dtype()).isEqualTo(dtype);
            assertThat(t.dims()).isEqualTo(JSON.treeToValue(want.get("shape"), long[].class));
            double[] values = t.widen();
            for (int i = 0; i < want.get("first").size(); i++) {
                assertThat(values[i]).isCloseTo(want.get("first").get(i).doubleValue(), within(tolerance));
            }
            assertThat(DoubleStream.of(values).sum()).isCloseTo(want.get("sum").doubleValue(),
                    within(1e-9 + tolerance * values.length));
        }
    }

    @Test
    void refusesAFunctionCallByNameAndCallsNothing() {
        assertThatThrownBy(() -> TorchCheckpoint.read(Resources.path("pt-samples/refuse_calls_a_function.pt")))
                .isInstanceOf(WeightsFormatException.class)
                .hasMessageContaining("__builtin__.print")
                .hasMessageContaining("refused, nothing was called");
    }

    @Test
    void refusesATruncatedFile() {
        assertThatThrownBy(() -> TorchCheckpoint.read(Resources.path("pt-samples/refuse_truncated.pt")))
                .isInstanceOf(WeightsFormatException.class).hasMessageContaining("damaged or incomplete zip");
    }

    @Test
    void readsTheStateDictOfAModuleWithItsVersionNumbersAndParameters(@TempDir Path folder) throws Exception {
        Path file = TorchFiles.zip(folder, new PickleBytes().stateDictWithMetadata("w", 2, 3), 6);
        WeightTensor w = TorchCheckpoint.read(file).tensor("w");
        assertThat(w.dims()).containsExactly(2, 3);
        assertThat(w.widen()).containsExactly(0, 1, 2, 3, 4, 5);
    }

    @Test
    void readsTheNewerPickleInstructions(@TempDir Path folder) throws Exception {
        Path file = TorchFiles.zip(folder, new PickleBytes().protocol4Dict("w", 6), 6);
        assertThat(TorchCheckpoint.read(file).tensor("w").widen()).containsExactly(0, 1, 2, 3, 4, 5);
    }

    @ParameterizedTest
    @ValueSource(strings = {"os system", "builtins eval", "builtins getattr", "torch load", "numpy.core.multiarray _reconstruct",
        "torch._utils _rebuild_tensor_v3", "__main__ Predictor"})
    void refusesEveryOtherName(String name, @TempDir Path folder) throws Exception {
        Path file = TorchFiles.zip(folder, new PickleBytes().dictCalling(name), 0);
        assertRefused(file, name.replace(' ', '.') + ", which is no part of a state dict: refused, nothing was called");
    }

    @ParameterizedTest
    @CsvSource({"i, 'i'", "o, 'o'", "P, 'P'", "\u0081, '0x81'", "\u0082, '0x82'", "I, 'I'"})
    void refusesInstructionsThatMakeObjects(char op, String shown, @TempDir Path folder) throws Exception {
        Path file = TorchFiles.zip(folder, new byte[] {(byte) 0x80, 2, '}', (byte) op, '.'}, 0);
        assertRefused(file, "uses pickle instruction");
        assertRefused(file, shown);
    }

    @Test
    void refusesStateSetOnATensor(@TempDir Path folder) throws Exception {
        assertRefused(TorchFiles.zip(folder, new PickleBytes().buildOnTensor(), 6), "sets the state of an object");
    }

    @Test
    void refusesAViewThatRepeatsElements(@TempDir Path folder) throws Exception {
        Path file = TorchFiles.zip(folder, new PickleBytes().dict("w", 1, 0, new long[] {1_000_000, 1_000_000}, new long[] {0, 0}), 1);
        assertTensorRefused(file, "repeats elements");
    }

    @Test
    void refusesAViewThatReachesOutsideItsStorage(@TempDir Path folder) throws Exception {
        assertTensorRefused(TorchFiles.zip(folder, new PickleBytes().dict("w", 6, 1, new long[] {6}, new long[] {1}), 6),
                "reaches element 6 of a storage of 6");
        assertTensorRefused(TorchFiles.zip(folder, new PickleBytes().dict("w", 6, 0, new long[] {2}, new long[] {1L << 40}), 6),
                "reaches element 1099511627776");
    }

    @Test
    void refusesSizesThatOverflow(@TempDir Path folder) throws Exception {
        long huge = 1L << 62;
        assertTensorRefused(TorchFiles.zip(folder, new PickleBytes().dict("w", 6, 0, new long[] {huge, huge}, new long[] {1, 1}), 6),
                "overflows 64 bits");
        assertTensorRefused(TorchFiles.zip(folder, new PickleBytes().dict("w", 6, 0, new long[] {3}, new long[] {Long.MAX_VALUE}), 6),
                "overflows 64 bits");
    }

    @Test
    void refusesAStorageOfAnotherSizeThanClaimed(@TempDir Path folder) throws Exception {
        assertTensorRefused(TorchFiles.zip(folder, new PickleBytes().dict("w", 1L << 40, 0, new long[] {6}, new long[] {1}), 6),
                "claims 1099511627776 elements");
    }

    @Test
    void readsEmptyAndScalarTensors(@TempDir Path folder) throws Exception {
        Path scalar = TorchFiles.zip(folder, new PickleBytes().dict("w", 6, 4, new long[0], new long[0]), 6);
        assertThat(TorchCheckpoint.read(scalar).tensor("w").widen()).containsExactly(4);
        Path empty = TorchFiles.zip(folder, new PickleBytes().dict("w", 0, 0, new long[] {0, 3}, new long[] {3, 1}), 0);
        assertThat(TorchCheckpoint.read(empty).tensor("w").elements()).isZero();
    }

    @Test
    void refusesDictsThatContainThemselves(@TempDir Path folder) throws Exception {
        byte[] circle = {(byte) 0x80, 2, '}', 'q', 0, 'X', 1, 0, 0, 0, 'a', 'h', 0, 's', '.'};
        assertRefused(TorchFiles.zip(folder, circle, 0), "nests its dicts too deep");
    }

    @Test
    void refusesADictThatIsSharedToGrowWithoutEnd(@TempDir Path folder) throws Exception {
        assertRefused(TorchFiles.zip(folder, new PickleBytes().sharedDicts(12, 40), 0), "nests its dicts");
    }

    @Test
    void refusesTextThatClaimsToBeLongerThanTheFile(@TempDir Path folder) throws Exception {
        byte[] claim = {(byte) 0x80, 2, 'X', -1, -1, -1, 0x7f, 'a', '.'};
        assertRefused(TorchFiles.zip(folder, claim, 0), "is cut short");
    }

    @Test
    void refusesCompressedEntriesAndDamagedOnes(@TempDir Path folder) throws Exception {
        byte[] pickle = new PickleBytes().dict("w", 6, 0, new long[] {6}, new long[] {1});
        assertRefused(TorchFiles.deflatedZip(folder, pickle, 6), "is compressed");
        byte[] good = Files.readAllBytes(TorchFiles.zip(folder, pickle, 6));
        int storage = TorchFiles.indexOf(good, TorchFiles.floats(6));
        good[storage + 5] ^= 1;
        assertRefused(Files.write(folder.resolve("damaged.pt"), good), "checksum does not match");
    }

    @Test
    void refusesOtherZipFilesByWhatTheyAre(@TempDir Path folder) throws Exception {
        assertRefused(TorchFiles.zipOf(folder, Map.of("readme.txt", new byte[] {1})), "zip file without data.pkl");
        assertRefused(TorchFiles.zipOf(folder, Map.of("m/data.pkl", new byte[] {1}, "m/constants.pkl", new byte[] {1})), "TorchScript");
        assertRefused(TorchFiles.zipOf(folder, Map.of("a/data.pkl", new byte[] {1}, "b/data.pkl", new byte[] {1})), "more than one data.pkl");
        assertRefused(TorchFiles.zipOf(folder, Map.of("../data.pkl", new byte[] {(byte) 0x80, 2, 'N', '.'})), "holds no dict");
        assertRefused(TorchFiles.zipOf(folder, Map.of("m/data.pkl", new PickleBytes().dict("w", 6, 0, new long[] {6}, new long[] {1}),
                "m/byteorder", "big".getBytes())), "big-endian");
        assertRefused(TorchFiles.zipOf(folder, Map.of("m/data.pkl", new PickleBytes().dict("w", 6, 0, new long[] {6}, new long[] {1}))),
                "storage 0 is missing");
    }

    @Test
    void aStorageKeyCannotLeadOutOfItsFolder(@TempDir Path folder) throws Exception {
        byte[] pickle = new PickleBytes().storageKey("../../secret").dict("w", 6, 0, new long[] {6}, new long[] {1});
        assertRefused(TorchFiles.zip(folder, pickle, 6), "storage ../../secret is missing from the zip");
    }

    @Test
    void refusesWhatTorchNeverWrote(@TempDir Path folder) throws Exception {
        assertRefused(Files.write(folder.resolve("a.pt"), new byte[0]), "is not what torch.save writes");
        assertRefused(Files.write(folder.resolve("b.pt"), "hello".getBytes()), "is not what torch.save writes");
        assertRefused(folder.resolve("absent.pt"), "there is no such file");
    }

    @Test
    void refusesATruncatedStream(@TempDir Path folder) throws Exception {
        byte[] good = Files.readAllBytes(Resources.path("pt-samples/legacy_format_small.pt"));
        for (int length : new int[] {16, 30, 200, 900, 935, good.length - 1}) {
            Path file = Files.write(folder.resolve("cut.pt"), Arrays.copyOf(good, length));
            assertThatThrownBy(() -> TorchCheckpoint.read(file)).as("cut at %d", length).isInstanceOf(WeightsFormatException.class);
        }
        assertRefused(Files.write(folder.resolve("long.pt"), Arrays.copyOf(good, good.length + 3)), "3 trailing bytes");
    }

    @Test
    void aMissingTensorNamesItsNeighbours() throws Exception {
        TorchCheckpoint checkpoint = TorchCheckpoint.read(Resources.path("pt-samples/boundary_predictor.pt"));
        assertThatThrownBy(() -> checkpoint.tensor("mlp.1.weight")).hasMessageContaining("near names: mlp.0.weight, mlp.2.weight");
    }

    private static void assertRefused(Path file, String reason) {
        assertThatThrownBy(() -> TorchCheckpoint.read(file)).isInstanceOf(WeightsFormatException.class)
                .hasMessageStartingWith(file.toString()).hasMessageContaining(reason);
    }

    private static void assertTensorRefused(Path file, String reason) throws IOException, WeightsFormatException {
        TorchCheckpoint checkpoint = TorchCheckpoint.read(file);
        assertThatThrownBy(() -> checkpoint.tensor("w")).isInstanceOf(WeightsFormatException.class).hasMessageContaining(reason);
    }
}
