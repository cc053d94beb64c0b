package org.dhsa.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dhsa.model.Gemma2Config;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class Gemma2ConfigReaderTest {

    @TempDir
    Path folder;

    private final ObjectNode json = read("tiny-gemma2/config.json");

    @Test
    void readsEveryFieldOfTheTinyModel() throws Exception {
        Gemma2ConfigReader.Result result = Gemma2ConfigReader.inspect(Resources.path("tiny-gemma2/config.json"));
        Gemma2Config c = result.config();
        assertThat(result.warnings()).isEmpty();
        assertThat(c.vocabSize()).isEqualTo(960);
        assertThat(c.hiddenSize()).isEqualTo(128);
        assertThat(c.intermediateSize()).isEqualTo(384);
        assertThat(c.numHiddenLayers()).isEqualTo(4);
        assertThat(c.numAttentionHeads()).isEqualTo(4);
        assertThat(c.numKeyValueHeads()).isEqualTo(2);
        assertThat(c.headDim()).isEqualTo(64);
        assertThat(c.maxPositionEmbeddings()).isEqualTo(4096);
        assertThat(c.rmsNormEps()).isEqualTo(1e-6);
        assertThat(c.ropeTheta()).isEqualTo(10000);
        assertThat(c.slidingWindow()).isEqualTo(64);
        assertThat(c.queryPreAttnScalar()).isEqualTo(64);
        assertThat(c.attnLogitSoftcapping()).hasValue(50);
        assertThat(c.finalLogitSoftcapping()).hasValue(30);
        assertThat(c.bosTokenId()).isEqualTo(2);
        assertThat(c.eosTokenIds()).containsExactly(1);
        assertThat(c.padTokenId()).isZero();
    }

    /// The fields of the published 27B file, where heads are 128 wide and the scale is 144.
    @Test
    void readsThePublishedFieldsWithoutWarning() throws Exception {
        json.remove("tie_word_embeddings");
        json.put("vocab_size", 256000).put("hidden_size", 4608).put("intermediate_size", 36864).put("num_hidden_layers", 46)
                .put("num_attention_heads", 32).put("num_key_value_heads", 16).put("head_dim", 128).put("query_pre_attn_scalar", 144)
                .put("max_position_embeddings", 8192).put("sliding_window", 4096).put("sliding_window_size", 4096)
                .put("transformers_version", "4.42.0.dev0");
        Gemma2ConfigReader.Result result = Gemma2ConfigReader.inspect(save());
        assertThat(result.warnings()).isEmpty();
        assertThat(result.config().attentionScale()).isEqualTo(1.0 / 12);
    }

    @ParameterizedTest
    @ValueSource(strings = {"model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps", "rope_theta", "query_pre_attn_scalar",
        "attn_logit_softcapping", "final_logit_softcapping", "bos_token_id", "eos_token_id"})
    void aMissingFieldIsNamed(String field) throws Exception {
        json.remove(field);
        assertRefused(field + " is missing");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "vocab_size | \"960\" | vocab_size must be a whole number, was \"960\"",
        "hidden_size | 128.5 | hidden_size must be a whole number, was 128.5",
        "hidden_size | 128.0 | hidden_size must be a whole number",
        "hidden_size | 99999999999 | hidden_size must be a whole number, was 99999999999",
        "intermediate_size | true | intermediate_size must be a whole number, was true",
        "num_hidden_layers | 0 | num_hidden_layers must be positive, was 0",
        "num_hidden_layers | -2 | num_hidden_layers must be positive, was -2",
        "num_attention_heads | 3 | num_attention_heads must be a multiple of num_key_value_heads",
        "num_key_value_heads | [2] | num_key_value_heads must be a whole number, was [2]",
        "head_dim | 63 | head_dim must be even",
        "max_position_embeddings | {} | max_position_embeddings must be a whole number",
        "rms_norm_eps | \"1e-6\" | rms_norm_eps must be a number",
        "rms_norm_eps | 0 | rms_norm_eps must be positive, was 0",
        "rope_theta | 1e999 | rope_theta must be a number",
        "query_pre_attn_scalar | -1 | query_pre_attn_scalar must be positive, was -1",
        "attn_logit_softcapping | 0 | attn_logit_softcapping must be positive",
        "final_logit_softcapping | \"30\" | final_logit_softcapping must be a number",
        "bos_token_id | -1 | bos_token_id must be a token id, 0 or greater, was -1",
        "bos_token_id | 960 | token id 960 (bos, eos or pad) is outside the vocabulary of 960",
        "eos_token_id | [1, \"2\"] | eos_token_id must be a token id or a list of token ids",
        "eos_token_id | 5000 | token id 5000",
        "pad_token_id | 1.5 | pad_token_id must be a whole number",
        "sliding_window | 0 | contradict each other",
        "sliding_window_size | 65 | sliding_window is 64 and sliding_window_size is 65: they contradict each other",
        "hidden_act | \"gelu\" | hidden_act is \"gelu\" and hidden_activation is \"gelu_pytorch_tanh\": they contradict each other",
        "tie_word_embeddings | false | tie_word_embeddings must be true",
        "tie_word_embeddings | 1 | tie_word_embeddings must be true",
        "attention_bias | true | attention_bias must be false",
        "use_bidirectional_attention | true | use_bidirectional_attention must be false",
        "rope_scaling | {\"type\": \"linear\", \"factor\": 2.0} | rope_scaling must be null",
        "rope_parameters | {\"rope_type\": \"yarn\", \"rope_theta\": 10000.0} | rope_parameters must be only",
        "rope_parameters | {\"rope_type\": \"default\", \"rope_theta\": 1.0} | rope_theta is 10000.0 and rope_parameters.rope_theta is 1.0",
        "quantization_config | {\"bits\": 4} | quantization_config must be null (quantised weights cannot be read",
        "layer_types | [\"full_attention\", \"full_attention\", \"full_attention\", \"full_attention\"] | layer_types must be 4 entries",
        "model_type | \"llama\" | model_type must be \"gemma2\": this program computes Gemma 2 and no other architecture, was \"llama\"",
        "model_type | \"gemma3_text\" | was \"gemma3_text\"",
        "architectures | [\"LlamaForCausalLM\"] | architectures must be [\"Gemma2ForCausalLM\"], was [\"LlamaForCausalLM\"]",
        "architectures | [\"Gemma2ForSequenceClassification\"] | architectures must be"})
    void aWrongValueIsRefused(String field, String value, String reason) throws Exception {
        json.set(field, ToyModel.JSON.readTree(value));
        assertRefused(reason);
    }

    @Test
    void anUnsupportedActivationIsRefused() throws Exception {
        json.put("hidden_act", "gelu").put("hidden_activation", "gelu");
        assertRefused("hidden_activation must be \"gelu_pytorch_tanh\", the only activation Gemma 2 was trained with, was \"gelu\"");
        json.remove("hidden_activation");
        assertRefused("hidden_act must be \"gelu_pytorch_tanh\"");
        json.remove("hidden_act");
        assertRefused("hidden_activation is missing");
    }

    @Test
    void oneActivationFieldIsEnough() throws Exception {
        json.putNull("hidden_act");
        assertThat(Gemma2ConfigReader.inspect(save()).warnings()).isEmpty();
    }

    @Test
    void eitherNameOfTheWindowIsEnoughAndNoneIsNot() throws Exception {
        json.remove("sliding_window_size");
        assertThat(Gemma2ConfigReader.read(save()).slidingWindow()).isEqualTo(64);
        json.put("sliding_window_size", 32).remove("sliding_window");
        assertThat(Gemma2ConfigReader.read(save()).slidingWindow()).isEqualTo(32);
        json.remove("sliding_window_size");
        assertRefused("sliding_window is missing");
    }

    @Test
    void aNullCapMeansNoCap() throws Exception {
        json.putNull("attn_logit_softcapping").putNull("final_logit_softcapping");
        assertThat(Gemma2ConfigReader.read(save()).attnLogitSoftcapping()).isEmpty();
        assertThat(Gemma2ConfigReader.read(save()).finalLogitSoftcapping()).isEmpty();
    }

    @Test
    void newerSpellingsOfTheSameModelAreRead() throws Exception {
        json.remove("rope_theta");
        json.putObject("rope_parameters").put("rope_type", "default").put("rope_theta", 500.0);
        json.putArray("layer_types").add("sliding_attention").add("full_attention").add("sliding_attention").add("full_attention");
        json.put("dtype", "bfloat16");
        Gemma2ConfigReader.Result result = Gemma2ConfigReader.inspect(save());
        assertThat(result.config().ropeTheta()).isEqualTo(500);
        assertThat(result.warnings()).isEmpty();
    }

    @Test
    void stopTokensAreThoseOfBothFiles() throws Exception {
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [1, 107]}");
        assertThat(Gemma2ConfigReader.read(save()).eosTokenIds()).containsExactly(1, 107);
        json.putArray("eos_token_id").add(5).add(1);
        assertThat(Gemma2ConfigReader.read(save()).eosTokenIds()).containsExactly(5, 1, 107);
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": \"x\"}");
        assertThatThrownBy(() -> Gemma2ConfigReader.read(save())).hasMessageContaining("generation_config.json: eos_token_id must be");
    }

    @Test
    void unknownFieldsAreWarnedAboutAndNotRefused() throws Exception {
        json.put("my_field", 1).remove("pad_token_id");
        assertThat(Gemma2ConfigReader.inspect(save()).warnings()).hasSize(2)
                .anySatisfy(w -> assertThat(w).endsWith("field my_field is unknown and was not used"))
                .anySatisfy(w -> assertThat(w).contains("pad_token_id is not set; 0 is used"));
    }

    @Test
    void aFolderWithoutConfigIsToldWhatIsExpected() {
        assertThatThrownBy(() -> Gemma2ConfigReader.read(folder.resolve("config.json"))).isInstanceOf(WeightsFormatException.class)
                .hasMessageContaining("config.json: there is no such file; a Hugging Face model folder holds config.json");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "'' | expected a JSON object", "[] | expected a JSON object", "{ | not valid JSON", "{} {} | not valid JSON",
        "{\"a\": 1, \"a\": 2} | Duplicate field 'a'", "{\"a\": NaN} | not valid JSON", "{\"a\": 1,} | not valid JSON"})
    void aFileThatIsNoJsonObjectIsRefused(String text, String reason) throws Exception {
        Path file = Files.writeString(folder.resolve("config.json"), text);
        assertThatThrownBy(() -> Gemma2ConfigReader.read(file)).isInstanceOf(WeightsFormatException.class)
                .hasMessageStartingWith(file.toString()).hasMessageContaining(reason);
    }

    @Test
    void badUtf8AndEndlessNestingAreRefused() throws Exception {
        Path file = Files.write(folder.resolve("config.json"), new byte[] {'{', '"', (byte) 0xff, '"', ':', '1', '}'});
        assertThatThrownBy(() -> Gemma2ConfigReader.read(file)).hasMessageContaining("is not valid UTF-8");
        Files.writeString(file, "{\"a\":".repeat(100_000));
        assertThatThrownBy(() -> Gemma2ConfigReader.read(file)).isInstanceOf(WeightsFormatException.class).hasMessageContaining("nesting depth");
    }

    private void assertRefused(String reason) throws IOException {
        Path file = save();
        assertThatThrownBy(() -> Gemma2ConfigReader.read(file)).isInstanceOf(WeightsFormatException.class)
                .hasMessageStartingWith(file.toString()).hasMessageContaining(reason);
    }

    private Path save() throws IOException {
        return Files.writeString(folder.resolve("config.json"), json.toString());
    }

    private static ObjectNode read(String resource) {
        try {
            return (ObjectNode) ToyModel.JSON.readTree(Resources.text(resource));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
