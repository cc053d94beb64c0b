package org.dhsa.negative;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.dhsa.cli.Json;

/// `config.json` of a small Gemma 2, spoilt or bent in one place.
final class ConfigCases {

    private static final String DEFAULTS = "A loader that fills in a default computes with a number that nobody stated.";
    private static final String IGNORED = "A loader that reads only the fields it knows computes something else than the model says.";

    private final List<NegativeCase> cases = new ArrayList<>();

    private ConfigCases() {}

    static List<NegativeCase> all() {
        ConfigCases c = new ConfigCases();
        c.json();
        c.fields();
        c.numbers();
        c.unsupported();
        c.odd();
        return c.cases;
    }

    private static ObjectNode good() {
        ObjectNode c = Json.object();
        c.putArray("architectures").add("Gemma2ForCausalLM");
        return c.put("model_type", "gemma2").put("vocab_size", 64).put("hidden_size", 24).put("intermediate_size", 40).put("num_hidden_layers", 4)
                .put("num_attention_heads", 4).put("num_key_value_heads", 2).put("head_dim", 8).put("max_position_embeddings", 128)
                .put("hidden_activation", "gelu_pytorch_tanh").put("rms_norm_eps", 1e-6).put("rope_theta", 10000.0).put("sliding_window", 16)
                .put("query_pre_attn_scalar", 8).put("attn_logit_softcapping", 50.0).put("final_logit_softcapping", 30.0)
                .put("bos_token_id", 2).put("eos_token_id", 1).put("pad_token_id", 0);
    }

    private void json() {
        String good = Json.pretty(good());
        raw("no-json", "model_type: gemma2\n", "config-json", "", "JSON", "No JSON.");
        raw("is-list", "[" + good + "]", "config-json", "", "object", "A list around the object.");
        raw("cut", good.substring(0, 200), "config-json", "", "JSON", "The file ends in the middle.");
        raw("duplicate-field", good.replace("\"hidden_size\" : 24", "\"hidden_size\" : 24,\n  \"hidden_size\" : 48"), "config-json", "hidden_size", "uplicate", "One field twice.");
        raw("not-a-number", good.replace("50.0", "NaN"), "config-json", "", "JSON", "JSON has no NaN.");
    }

    private void fields() {
        refuse("model-gemma-1", c -> c.put("model_type", "gemma"), "config-model", "model_type", "gemma2", "The first Gemma: no caps, no windows, two norms a layer.");
        refuse("model-missing", c -> c.remove("model_type"), "config-model", "model_type", "missing", "Which model?");
        refuse("architecture-other", c -> c.putArray("architectures").add("Gemma2ForSequenceClassification"), "config-model", "architectures", "Gemma2ForCausalLM",
                "A classifier: another head.", IGNORED);
        for (String field : List.of("hidden_size", "head_dim", "num_key_value_heads", "sliding_window", "query_pre_attn_scalar", "rms_norm_eps", "rope_theta")) {
            String rule = field.equals("head_dim") ? "config-heads" : List.of("query_pre_attn_scalar", "rms_norm_eps", "rope_theta").contains(field) ? "config-number" : "config-size";
            refuse("missing-" + field.replace('_', '-'), c -> c.remove(field), rule, field, "missing", "No " + field + ".", DEFAULTS);
        }
        refuse("missing-attention-cap", c -> c.remove("attn_logit_softcapping"), "config-caps", "attn_logit_softcapping", "missing", "Is there a cap or not?", DEFAULTS);
        refuse("missing-final-cap", c -> c.remove("final_logit_softcapping"), "config-caps", "final_logit_softcapping", "missing", "Is there a cap or not?", DEFAULTS);
        refuse("missing-activation", c -> c.remove("hidden_activation"), "config-supported", "hidden_activation", "missing", "No activation.", DEFAULTS);
    }

    private void numbers() {
        refuse("hidden-size-zero", c -> c.put("hidden_size", 0), "config-size", "hidden_size", "positive", "No channel.");
        refuse("hidden-size-negative", c -> c.put("hidden_size", -24), "config-size", "hidden_size", "-24", "A negative size.");
        refuse("hidden-size-fraction", c -> c.put("hidden_size", 24.5), "config-size", "hidden_size", "24.5", "Half a channel.");
        refuse("hidden-size-string", c -> c.put("hidden_size", "24"), "config-size", "hidden_size", "whole number", "A number in quotes.");
        refuse("hidden-size-beyond-32-bits", c -> c.put("hidden_size", 4294967320L), "config-size", "hidden_size", "4294967320", "2^32 + 24: the lower 32 bits say 24.");
        refuse("layers-zero", c -> c.put("num_hidden_layers", 0), "config-size", "num_hidden_layers", "positive", "No layer.");
        refuse("window-zero", c -> c.put("sliding_window", 0), "config-size", "sliding_window", "positive", "A window without the token itself.");
        refuse("heads-no-multiple", c -> c.put("num_key_value_heads", 3), "config-heads", "num_attention_heads", "multiple", "Four query heads share three key heads.");
        refuse("head-dim-odd", c -> c.put("head_dim", 7), "config-heads", "head_dim", "even", "The rotary embedding turns pairs.");
        refuse("eps-zero", c -> c.put("rms_norm_eps", 0.0), "config-number", "rms_norm_eps", "positive", "A norm that divides by zero for a row of zeros.");
        refuse("theta-negative", c -> c.put("rope_theta", -10000.0), "config-number", "rope_theta", "positive", "A negative base.");
        refuse("scalar-zero", c -> c.put("query_pre_attn_scalar", 0), "config-number", "query_pre_attn_scalar", "positive", "A scale of 1/0.");
        refuse("attention-cap-zero", c -> c.put("attn_logit_softcapping", 0.0), "config-caps", "attn_logit_softcapping", "positive", "A cap of 0 divides by 0; none is null.");
        refuse("final-cap-negative", c -> c.put("final_logit_softcapping", -30.0), "config-caps", "final_logit_softcapping", "positive", "A negative cap.");
        refuse("attention-cap-bool", c -> c.put("attn_logit_softcapping", true), "config-caps", "attn_logit_softcapping", "number", "true is no number.");
        refuse("bos-outside", c -> c.put("bos_token_id", 64), "config-tokens", "64", "vocabulary", "The first id behind the vocabulary.");
        refuse("eos-negative", c -> c.put("eos_token_id", -1), "config-tokens", "eos_token_id", "-1", "A negative id.");
        refuse("eos-list-of-strings", c -> c.putArray("eos_token_id").add("<eos>"), "config-tokens", "eos_token_id", "token id", "The text of the token instead of its id.");
    }

    private void unsupported() {
        refuse("activation-exact", c -> c.put("hidden_activation", "gelu"), "config-supported", "hidden_activation", "gelu_pytorch_tanh", "The exact GELU differs in the fourth digit.");
        refuse("activations-contradict", c -> c.put("hidden_act", "gelu"), "config-consistent", "hidden_act", "contradict", "Two spellings, two activations.", IGNORED);
        refuse("head-untied", c -> c.put("tie_word_embeddings", false), "config-supported", "tie_word_embeddings", "true", "Gemma 2 ties its head.", IGNORED);
        refuse("bias", c -> c.put("attention_bias", true), "config-supported", "attention_bias", "bias", "Gemma 2 has no biases.");
        refuse("rope-scaled", c -> c.putObject("rope_scaling").put("type", "linear").put("factor", 2.0), "config-supported", "rope_scaling", "scaled", "Scaled positions.", IGNORED);
        refuse("rope-other-type", c -> c.putObject("rope_parameters").put("rope_type", "yarn").put("rope_theta", 10000.0), "config-supported", "rope_parameters", "default",
                "Scaled positions in the newer spelling.", IGNORED);
        refuse("rope-contradicts", c -> c.putObject("rope_parameters").put("rope_type", "default").put("rope_theta", 20000.0), "config-consistent", "rope_theta", "contradict",
                "Two spellings, two bases.", IGNORED);
        refuse("window-contradicts", c -> c.put("sliding_window_size", 32), "config-consistent", "sliding_window", "contradict", "Two spellings, two windows.", IGNORED);
        refuse("quantized", c -> c.putObject("quantization_config").put("bits", 4), "config-supported", "quantization_config", "quantised", "The weights are not what they seem.");
        refuse("layers-swapped", c -> types(c, "full_attention", "sliding_attention", "full_attention", "sliding_attention"), "config-layers", "layer_types", "sliding first",
                "Odd layers slide: another model.");
        refuse("layers-too-few", c -> types(c, "sliding_attention", "full_attention"), "config-layers", "layer_types", "4 entries", "Two kinds for four layers.");
    }

    private void odd() {
        accept("odd-plain", c -> {}, "config-size", "Every field that must be there, and nothing else.");
        accept("odd-head-dim-free", c -> c.put("head_dim", 20), "config-heads", "head_dim is not hidden_size / heads; in the 2B model it is not either.");
        accept("odd-scalar-free", c -> c.put("query_pre_attn_scalar", 144), "config-number", "The scale is not that of head_dim; in the 27B model it is not either.");
        accept("odd-no-caps", c -> c.putNull("attn_logit_softcapping").putNull("final_logit_softcapping"), "config-caps", "null: no cap, and said so.");
        accept("odd-eos-list", c -> c.putArray("eos_token_id").add(1).add(7), "config-tokens", "Two ids end a text, as in the chat models.");
        accept("odd-pad-missing", c -> c.remove("pad_token_id"), "config-tokens", "No padding token: nothing in the forward pass needs it.");
        accept("odd-training-fields", c -> c.put("attention_dropout", 0.1).put("use_cache", false).put("torch_dtype", "bfloat16").put("transformers_version", "4.42.4"),
                "config-unknown", "Fields of training and of other software.");
        accept("odd-unknown-field", c -> c.put("favourite_colour", "blue"), "config-unknown", "A field nobody knows: worth a warning.");
        accept("odd-both-spellings", c -> c.put("hidden_act", "gelu_pytorch_tanh").put("sliding_window_size", 16), "config-consistent", "Two spellings that agree.");
        accept("odd-rope-parameters", c -> ((ObjectNode) c.without("rope_theta")).putObject("rope_parameters").put("rope_type", "default").put("rope_theta", 10000.0), "config-consistent",
                "The newer spelling of the base.");
        accept("odd-layer-types", c -> types(c, "sliding_attention", "full_attention", "sliding_attention", "full_attention"), "config-layers", "The kinds of the layers spelt out.");
    }

    private static void types(ObjectNode config, String... kinds) {
        for (String kind : kinds) {
            config.withArray("layer_types").add(kind);
        }
    }

    private void refuse(String name, Consumer<ObjectNode> change, String rule, String names, String keyword, String note) {
        refuse(name, change, rule, names, keyword, note, "");
    }

    private void refuse(String name, Consumer<ObjectNode> change, String rule, String names, String keyword, String note, String lenient) {
        add(name, text(change), false, rule, names, keyword, note, lenient);
    }

    private void raw(String name, String text, String rule, String names, String keyword, String note) {
        add(name, text, false, rule, names, keyword, note, "");
    }

    private void accept(String name, Consumer<ObjectNode> change, String rule, String note) {
        add(name, text(change), true, rule, "", "", note, "");
    }

    private static String text(Consumer<ObjectNode> change) {
        ObjectNode config = good();
        change.accept(config);
        JsonNode changed = config;
        return Json.pretty(changed) + "\n";
    }

    private void add(String name, String text, boolean accept, String rule, String names, String keyword, String note, String lenient) {
        String path = "config/" + name + "/config.json";
        cases.add(new NegativeCase("config/" + name, path, Map.of(path, Bytes.utf8(text)), accept, rule, names, keyword, note, lenient, Map.of()));
    }
}
