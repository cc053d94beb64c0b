package org.dhsa.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;
import org.dhsa.model.BoundaryPredictorWeights;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BoundaryPredictorLoaderTest {

    private static final OptionalInt NONE = OptionalInt.empty();
    private static final OptionalInt HEADS = OptionalInt.of(2);
    private static final OptionalInt WINDOW = OptionalInt.of(3);

    /// C = 4 channels, 5 hidden units.
    private final Map<String, long[]> shapes = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    @TempDir
    Path folder;

    @Test
    void readsTheRealPyTorchFile() throws Exception {
        Path file = Resources.path("pt-samples/boundary_predictor.pt");
        BoundaryPredictorWeights weights = BoundaryPredictorLoader.load(file, OptionalInt.of(8), OptionalInt.of(4));
        assertThat(weights).isInstanceOfSatisfying(BoundaryPredictorWeights.Attention.class, a -> {
            assertThat(a.channels()).isEqualTo(128);
            assertThat(a.window()).isEqualTo(4);
            assertThat(a.attention().heads()).isEqualTo(8);
            assertThat(a.attention().inProjWeight().get(0)).isEqualTo(-0.12577123939990997);
            assertThat(a.poolGate()).isEmpty();
            assertThat(a.mlp().weight0().dims()).containsExactly(256, 513);
        });
    }

    @Test
    void readsAnAttentionPredictorWithAndWithoutPooling() throws Exception {
        attention();
        assertThat(load(HEADS, WINDOW)).isInstanceOf(BoundaryPredictorWeights.Attention.class);
        shapes.put("pool.gate.weight", new long[] {1, 4});
        assertThat(load(HEADS, WINDOW)).isInstanceOfSatisfying(BoundaryPredictorWeights.Attention.class,
                a -> assertThat(a.poolGate()).isPresent());
    }

    @Test
    void readsACnnWhoseWindowIsItsKernel() throws Exception {
        cnn();
        assertThat(load(NONE, NONE)).isInstanceOf(BoundaryPredictorWeights.Cnn.class)
                .satisfies(w -> assertThat(w.window()).isEqualTo(3)).satisfies(w -> assertThat(w.channels()).isEqualTo(4));
        assertThat(load(HEADS, WINDOW).window()).isEqualTo(3);
        assertRefused(NONE, OptionalInt.of(4), "tensor enc.0.weight: has a kernel of width 3");
    }

    @Test
    void readsAStackOfBlocks() throws Exception {
        stack(3);
        assertThat(load(HEADS, WINDOW)).isInstanceOfSatisfying(BoundaryPredictorWeights.Stack.class, s -> {
            assertThat(s.blocks()).hasSize(3);
            assertThat(s.sharedNorm().weight().name()).isEqualTo("norm.weight");
        });
    }

    @Test
    void readsAStateDictUnderAPrefix() throws Exception {
        attention();
        Map<String, long[]> plain = new LinkedHashMap<>(shapes);
        shapes.clear();
        plain.forEach((name, shape) -> shapes.put("model_state_dict.module." + name, shape));
        shapes.put("optimizer.step", new long[] {1});
        assertThat(load(HEADS, WINDOW)).isInstanceOf(BoundaryPredictorWeights.Attention.class);
        plain.forEach((name, shape) -> shapes.put("ema." + name, shape));
        assertRefused(HEADS, WINDOW, "holds 2 predictors");
    }

    @Test
    void readsPyTorchAndSafetensorsAlike() throws Exception {
        attention();
        Map<String, byte[]> entries = new LinkedHashMap<>();
        entries.put("m/data.pkl", new PickleBytes().dict(shapes.keySet().toArray(String[]::new), shapes.values().toArray(long[][]::new)));
        int i = 0;
        for (long[] shape : shapes.values()) {
            entries.put("m/data/" + i++, TorchFiles.floats(elements(shape)));
        }
        BoundaryPredictorWeights fromTorch = BoundaryPredictorLoader.load(TorchFiles.zipOf(folder, entries), HEADS, WINDOW);
        BoundaryPredictorWeights fromSafetensors = load(HEADS, WINDOW);
        assertThat(fromTorch.mlp().weight0().widen()).isEqualTo(fromSafetensors.mlp().weight0().widen());
        assertThat(fromTorch).hasSameClassAs(fromSafetensors);
    }

    @Test
    void headsAndWindowCannotBeGuessed() throws Exception {
        attention();
        assertRefused(NONE, WINDOW, "the weights cannot tell the number of heads, since every divisor of 4 fits them: "
                + "state it (published Gemma 2 set-up: 8; the training default is 4; on the command line --predictor-heads 8)");
        assertRefused(HEADS, NONE, "the weights cannot tell the window w");
        assertRefused(OptionalInt.of(3), WINDOW, "predictor heads must divide the 4 channels, was 3");
        assertRefused(OptionalInt.of(0), WINDOW, "predictor heads must divide");
        assertRefused(HEADS, OptionalInt.of(-1), "the boundary window must be positive, was -1");
    }

    @Test
    void whatIsStatedComesBeforeTheSidecarAndTheSidecarBeforeTheMetadata() throws Exception {
        attention();
        metadata.put("heads", "4");
        metadata.put("window", "7");
        assertHeadsAndWindow(load(NONE, NONE), 4, 7);
        Files.writeString(folder.resolve("predictor.json"), "{\"heads\": 2, \"window\": 5, \"labels\": \"sentence ends\"}");
        assertHeadsAndWindow(load(NONE, NONE), 2, 5);
        assertHeadsAndWindow(load(OptionalInt.of(1), NONE), 1, 5);
        assertHeadsAndWindow(BoundaryPredictorLoader.load(save(), 1, null), 1, 7);
        assertHeadsAndWindow(BoundaryPredictorLoader.load(save(), 4, folder.resolve("predictor.json")), 4, 5);
    }

    @Test
    void aWrongSidecarIsNamed() throws Exception {
        attention();
        Files.writeString(folder.resolve("predictor.json"), "{\"heads\": \"8\"}");
        assertRefused(NONE, WINDOW, "predictor.json: heads must be a positive whole number, was \"8\"");
        Files.delete(folder.resolve("predictor.json"));
        metadata.put("heads", "eight");
        assertRefused(NONE, WINDOW, "metadata heads must be a positive whole number, was eight");
    }

    @Test
    void missingUnexpectedAndMisshapenTensorsAreNamed() throws Exception {
        attention();
        shapes.put("enc.extra", new long[] {1});
        assertRefused(HEADS, WINDOW, "tensor enc.extra: is unexpected in a predictor of kind attention");
        shapes.remove("enc.extra");
        shapes.remove("enc.norm.bias");
        assertRefused(HEADS, WINDOW, "tensor enc.norm.bias: is missing; near names: enc.norm.weight");
        shapes.put("enc.norm.bias", new long[] {5});
        assertRefused(HEADS, WINDOW, "enc.norm.bias: expected [4], got [5]");
        shapes.put("enc.norm.bias", new long[] {4});
        shapes.put("mlp.0.weight", new long[] {5});
        assertRefused(HEADS, WINDOW, "tensor mlp.0.weight: expected 2 dimensions, got [5]");
        shapes.put("mlp.0.weight", new long[] {5, 9});
        assertRefused(HEADS, WINDOW, "mlp.0.weight: expected [5, 17], got [5, 9]");
    }

    @Test
    void filesThatAreNoPredictorAreToldSo() throws Exception {
        shapes.put("model.norm.weight", new long[] {4});
        assertRefused(HEADS, WINDOW, "so this is no boundary predictor; the file holds model.norm.weight");
        shapes.clear();
        mlp(4);
        assertRefused(HEADS, WINDOW, "is no known boundary predictor");
    }

    private BoundaryPredictorWeights load(OptionalInt heads, OptionalInt window) throws Exception {
        return BoundaryPredictorLoader.load(save(), heads, window);
    }

    private void assertRefused(OptionalInt heads, OptionalInt window, String reason) throws Exception {
        Path file = save();
        assertThatThrownBy(() -> BoundaryPredictorLoader.load(file, heads, window)).isInstanceOf(WeightsFormatException.class)
                .hasMessageContaining(reason);
    }

    private static void assertHeadsAndWindow(BoundaryPredictorWeights weights, int heads, int window) {
        assertThat(((BoundaryPredictorWeights.Attention) weights).attention().heads()).isEqualTo(heads);
        assertThat(weights.window()).isEqualTo(window);
    }

    private Path save() throws Exception {
        SafetensorsWriter writer = new SafetensorsWriter();
        metadata.forEach(writer::metadata);
        shapes.forEach((name, shape) -> {
            float[] values = new float[elements(shape)];
            for (int i = 0; i < values.length; i++) {
                values[i] = i;
            }
            writer.addF32(name, values, shape);
        });
        Path file = folder.resolve("predictor.safetensors");
        writer.write(file);
        return file;
    }

    private static int elements(long[] shape) {
        int n = 1;
        for (long d : shape) {
            n *= (int) d;
        }
        return n;
    }

    private void attention() {
        block("enc.");
        mlp(4);
    }

    private void stack(int blocks) {
        for (int i = 0; i < blocks; i++) {
            block("enc_ls." + i + ".");
        }
        shapes.put("norm.weight", new long[] {4});
        shapes.put("norm.bias", new long[] {4});
        mlp(4);
    }

    private void cnn() {
        shapes.put("enc.0.weight", new long[] {4, 1, 3});
        shapes.put("enc.0.bias", new long[] {4});
        shapes.put("enc.2.weight", new long[] {6, 4, 1});
        shapes.put("enc.2.bias", new long[] {6});
        mlp(6);
    }

    private void block(String prefix) {
        shapes.put(prefix + "mha.in_proj_weight", new long[] {12, 4});
        shapes.put(prefix + "mha.in_proj_bias", new long[] {12});
        shapes.put(prefix + "mha.out_proj.weight", new long[] {4, 4});
        shapes.put(prefix + "mha.out_proj.bias", new long[] {4});
        shapes.put(prefix + "norm.weight", new long[] {4});
        shapes.put(prefix + "norm.bias", new long[] {4});
    }

    private void mlp(int encodingDim) {
        shapes.put("mlp.0.weight", new long[] {5, 4L * encodingDim + 1});
        shapes.put("mlp.0.bias", new long[] {5});
        shapes.put("mlp.2.weight", new long[] {1, 5});
        shapes.put("mlp.2.bias", new long[] {1});
    }
}
