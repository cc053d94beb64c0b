package org.dhsa.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.dhsa.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Gemma2LoaderTest {

    private static final String DOWN = "model.layers.1.mlp.down_proj.weight";

    @TempDir
    Path folder;

    private final ToyModel toy = new ToyModel();

    @Test
    void loadsAFolderWithOneFile() throws Exception {
        toy.values.put(DOWN, bf16(40, 3, 0x3fc0));
        try (Gemma2Model model = Gemma2Loader.load(toy.save(folder))) {
            assertThat(model.config().numHiddenLayers()).isEqualTo(2);
            assertThat(model.weights().layers()).hasSize(2);
            assertThat(model.weights().layers().get(1).downProj().dims()).containsExactly(8, 5);
            assertThat(model.weights().layers().get(1).downProj().get(3)).isEqualTo(1.5);
            assertThat(model.weights().layers().get(0).downProj().get(3)).isZero();
            assertThat(model.checkpoint().files()).containsExactly(folder.resolve("model.safetensors"));
            assertThat(model.warnings()).isEmpty();
        }
    }

    @Test
    void everyTensorGoesToItsPlace() throws Exception {
        try (Gemma2Model model = Gemma2Loader.load(toy.save(folder))) {
            List<String> names = new ArrayList<>();
            names.add(model.weights().embedTokens().name());
            for (var l : model.weights().layers()) {
                List.of(l.inputLayernorm(), l.qProj(), l.kProj(), l.vProj(), l.oProj(), l.postAttentionLayernorm(),
                        l.preFeedforwardLayernorm(), l.gateProj(), l.upProj(), l.downProj(), l.postFeedforwardLayernorm())
                        .forEach(w -> names.add(w.name()));
            }
            names.add(model.weights().norm().name());
            assertThat(names).containsExactlyElementsOf(toy.shapes.keySet());
        }
    }

    @Test
    void loadsShardsAsOneSetOfTensors() throws Exception {
        toy.values.put(DOWN, bf16(40, 3, 0x3fc0));
        try (Gemma2Model model = Gemma2Loader.load(toy.saveSharded(folder))) {
            assertThat(model.weights().layers().get(1).downProj().get(3)).isEqualTo(1.5);
            assertThat(model.checkpoint().files()).hasSize(2);
            assertThat(model.checkpoint().fileOf(DOWN)).hasFileName("model-00002-of-00002.safetensors");
            assertThat(model.warnings()).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight", DOWN, "model.norm.weight"})
    void aMissingTensorIsNamedWithItsShape(String name) throws Exception {
        long[] shape = toy.shapes.remove(name);
        assertRefused(folder.resolve("model.safetensors") + ": tensor " + name + ": is missing, expected "
                + Arrays.toString(shape) + " by config.json");
    }

    @Test
    void everyWrongShapeIsNamed() throws Exception {
        for (String name : List.copyOf(toy.shapes.keySet())) {
            long[] right = toy.shapes.put(name, new long[] {3, 2});
            assertRefused("model.safetensors: tensor " + name + ": expected shape " + Arrays.toString(right)
                    + " by config.json, got [3, 2]");
            toy.shapes.put(name, right);
        }
    }

    @Test
    void anUnexpectedTensorIsNamed() throws Exception {
        toy.shapes.put("model.layers.2.mlp.up_proj.weight", new long[] {5, 8});
        assertRefused("tensor model.layers.2.mlp.up_proj.weight: is unexpected: a Gemma 2 of 2 layers");
        toy.shapes.put("model.layers.0.self_attn.q_proj.bias", new long[] {24});
        assertRefused("(and 1 more)");
    }

    @Test
    void quantisedWeightsAreRefused() throws Exception {
        toy.dtypes.put(DOWN, DType.I8);
        assertRefused("tensor " + DOWN + ": expected BF16, F16, F32 or F64, got I8");
    }

    @Test
    void aHeadIsAcceptedOnlyIfItIsTheEmbedding() throws Exception {
        toy.values.put("model.embed_tokens.weight", bf16(48, 7, 0x3f80));
        toy.shapes.put("lm_head.weight", new long[] {6, 8});
        toy.values.put("lm_head.weight", bf16(48, 7, 0x3f80));
        Gemma2Loader.load(toy.save(folder)).close();
        toy.values.put("lm_head.weight", bf16(48, 7, 0x3f81));
        assertRefused("tensor lm_head.weight: differs from model.embed_tokens.weight");
        toy.shapes.put("lm_head.weight", new long[] {8, 6});
        toy.values.put("lm_head.weight", bf16(48, 7, 0x3f80));
        assertRefused("tensor lm_head.weight: differs from model.embed_tokens.weight");
    }

    @Test
    void aLlamaFolderIsRefused() throws Exception {
        toy.config.put("model_type", "llama").putArray("architectures").add("LlamaForCausalLM");
        assertRefused("config.json: model_type must be \"gemma2\"");
    }

    @Test
    void aFolderWithoutWeightsOrWithTheWrongOnesIsTold() throws Exception {
        toy.save(folder);
        Files.delete(folder.resolve("model.safetensors"));
        assertThatThrownBy(() -> Gemma2Loader.load(folder)).hasMessageContaining("download the *.safetensors files");
        Files.writeString(folder.resolve("pytorch_model.bin"), "");
        assertThatThrownBy(() -> Gemma2Loader.load(folder)).hasMessageContaining("safe_serialization=True");
        assertThatThrownBy(() -> Gemma2Loader.load(folder.resolve("absent"))).hasMessageContaining("there is no such folder");
        assertThatThrownBy(() -> Gemma2Loader.load(folder.resolve("config.json"))).hasMessageContaining("expected a model folder");
    }

    @Test
    void aTruncatedFileIsTold() throws Exception {
        Path file = toy.save(folder).resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(bytes, bytes.length - 1));
        assertThatThrownBy(() -> Gemma2Loader.load(folder)).isInstanceOf(WeightsFormatException.class)
                .hasMessageContaining("the file is cut short, fetch it again");
    }

    @Test
    void theFirstNonFiniteValueIsNamedByFileTensorAndIndex() throws Exception {
        for (int bits : new int[] {0x7fc0, 0x7f80, 0xff80, 0x7f81}) {
            toy.values.put(DOWN, bf16(40, 13, bits));
            try (Gemma2Model model = Gemma2Loader.load(toy.saveSharded(folder))) {
                assertThatThrownBy(() -> model.requireFinite(WeightCheck.Progress.SILENT)).isInstanceOf(WeightsFormatException.class)
                        .hasMessageContaining("model-00002-of-00002.safetensors: tensor " + DOWN + ": holds ")
                        .hasMessageContaining("at index [2, 3]");
            }
        }
        toy.values.put(DOWN, bf16(40, 13, 0x7f7f));
        List<String> seen = new ArrayList<>();
        try (Gemma2Model model = Gemma2Loader.load(toy.saveSharded(folder))) {
            model.requireFinite((tensor, done, total) -> {
                assertThat(done).isBetween(0L, total);
                seen.add(tensor);
            });
        }
        assertThat(seen).hasSameSizeAs(toy.shapes.keySet());
    }

    @Test
    void theTokenizerComesOnDemandAndMustFitTheModel() throws Exception {
        toy.save(folder);
        try (Gemma2Model model = Gemma2Loader.load(folder)) {
            assertThat(model.hasTokenizer()).isFalse();
            assertThatThrownBy(model::tokenizer).hasMessageContaining("tokenizer.model: there is no such file");
            Files.copy(Resources.path("tiny-gemma2/tokenizer.model"), folder.resolve("tokenizer.model"));
            assertThat(model.hasTokenizer()).isTrue();
            assertThatThrownBy(model::tokenizer).hasMessageContaining("has 960 pieces, but the model embeds only 6");
        }
        toy.config.put("vocab_size", 960);
        toy.shapes.put("model.embed_tokens.weight", new long[] {960, 8});
        try (Gemma2Model model = Gemma2Loader.load(toy.save(folder))) {
            assertThat(model.tokenizer()).isSameAs(model.tokenizer());
        }
    }

    private void assertRefused(String reason) throws Exception {
        toy.save(folder);
        assertThatThrownBy(() -> Gemma2Loader.load(folder)).isInstanceOf(WeightsFormatException.class).hasMessageContaining(reason);
    }

    /// Zeros but for one element.
    private static byte[] bf16(int elements, int index, int bits) {
        byte[] bytes = new byte[2 * elements];
        bytes[2 * index] = (byte) bits;
        bytes[2 * index + 1] = (byte) (bits >> 8);
        return bytes;
    }
}
