package org.dhsa.weights;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import org.dhsa.model.Gemma2Config;

/// Reads `config.json` of a Gemma 2 model and believes nothing.
///
/// Every field that changes a number of the forward pass must be there, have the right type and contradict no other
/// field; a setting that this implementation does not compute (another activation, scaled rotary positions, an untied
/// head) is refused, never ignored. Fields that only matter for training or for other software are passed over, fields
/// nobody knows are warned about.
///
/// Stop tokens are those of `config.json` and, if there is one beside it, of `generation_config.json`: the chat models
/// list `<end_of_turn>` only there.
public final class Gemma2ConfigReader {

    static final String CONFIG = "config.json";
    static final String GENERATION = "generation_config.json";

    private static final String TANH_GELU = "gelu_pytorch_tanh";

    /// No effect on the forward pass of a trained model in this project's precision.
    private static final Set<String> WITHOUT_EFFECT = Set.of("_name_or_path", "_attn_implementation", "attention_dropout",
            "cache_implementation", "dtype", "initializer_range", "torch_dtype", "transformers_version", "use_cache");

    /// What was read, and what was odd but does no harm.
    public record Result(Gemma2Config config, List<String> warnings) {
        public Result {
            warnings = List.copyOf(warnings);
        }
    }

    private final Path file;
    private final ObjectNode json;
    private final Set<String> seen = new LinkedHashSet<>(WITHOUT_EFFECT);
    private final List<String> warnings = new ArrayList<>();

    private Gemma2ConfigReader(Path file, ObjectNode json) {
        this.file = file;
        this.json = json;
    }

    /// The configuration, with the stop tokens of a `generation_config.json` beside it.
    ///
    /// @throws WeightsFormatException naming the field, what was expected and what is there
    public static Gemma2Config read(Path configJson) throws IOException, WeightsFormatException {
        return inspect(configJson).config();
    }

    /// The same, with warnings.
    public static Result inspect(Path configJson) throws IOException, WeightsFormatException {
        if (!Files.exists(configJson)) {
            throw new WeightsFormatException(configJson, null,
                    "there is no such file; a Hugging Face model folder holds config.json beside its weights");
        }
        Gemma2ConfigReader reader = new Gemma2ConfigReader(configJson, Json.readObject(configJson));
        Gemma2Config config = reader.read();
        return new Result(config, reader.warnings);
    }

    private Gemma2Config read() throws IOException, WeightsFormatException {
        requireGemma2();
        requireSupported();
        int bos = tokenId("bos_token_id");
        Set<Integer> eos = new LinkedHashSet<>(tokenIds(file, required("eos_token_id"), "eos_token_id"));
        Path generation = file.resolveSibling(GENERATION);
        if (Files.exists(generation)) {
            eos.addAll(tokenIds(generation, Json.readObject(generation).path("eos_token_id"), "eos_token_id"));
        }
        int pad = padTokenId();
        try {
            Gemma2Config config = new Gemma2Config(
                    integer("vocab_size"), integer("hidden_size"), integer("intermediate_size"), integer("num_hidden_layers"),
                    integer("num_attention_heads"), integer("num_key_value_heads"), integer("head_dim"),
                    integer("max_position_embeddings"), number("rms_norm_eps"), ropeTheta(), slidingWindow(),
                    number("query_pre_attn_scalar"), cap("attn_logit_softcapping"), cap("final_logit_softcapping"),
                    bos, List.copyOf(eos), pad);
            requireTokensInVocabulary(config);
            requireAlternatingLayers(config);
            warnAboutUnknownFields();
            return config;
        } catch (IllegalArgumentException e) {
            throw new WeightsFormatException(file, null, e.getMessage(), e);
        }
    }

    private void requireGemma2() throws WeightsFormatException {
        JsonNode type = required("model_type");
        if (!type.isTextual() || !type.textValue().equals("gemma2")) {
            throw wrong("model_type", "\"gemma2\": this program computes Gemma 2 and no other architecture", type);
        }
        JsonNode architectures = optional("architectures");
        if (architectures == null) {
            return;
        }
        boolean named = false;
        for (JsonNode a : architectures) {
            named |= a.isTextual() && a.textValue().equals("Gemma2ForCausalLM");
        }
        if (!architectures.isArray() || !named || architectures.size() != 1) {
            throw wrong("architectures", "[\"Gemma2ForCausalLM\"]", architectures);
        }
    }

    private void requireSupported() throws WeightsFormatException {
        requireActivation();
        requireFlag("tie_word_embeddings", true, "Gemma 2 uses the embedding as its output head");
        requireFlag("attention_bias", false, "Gemma 2 has no biases");
        requireFlag("use_bidirectional_attention", false, "attention here is causal");
        requireAbsent("rope_scaling", "rotary positions are not scaled in Gemma 2");
        requireAbsent("quantization_config", "quantised weights cannot be read; use the original BF16 or F32 checkpoint");
    }

    private void requireActivation() throws WeightsFormatException {
        JsonNode activation = optional("hidden_activation");
        JsonNode act = optional("hidden_act");
        if (activation == null && act == null) {
            throw new WeightsFormatException(file, null, "hidden_activation is missing, expected \"" + TANH_GELU + "\"");
        }
        if (activation != null && act != null && !activation.equals(act)) {
            throw new WeightsFormatException(file, null, "hidden_act is " + shown(act) + " and hidden_activation is "
                    + shown(activation) + ": they contradict each other, expected \"" + TANH_GELU + "\" in both");
        }
        String field = activation != null ? "hidden_activation" : "hidden_act";
        JsonNode value = activation != null ? activation : act;
        if (!value.isTextual() || !value.textValue().equals(TANH_GELU)) {
            throw wrong(field, "\"" + TANH_GELU + "\", the only activation Gemma 2 was trained with", value);
        }
    }

    /// A flag that may be absent and then has the value Gemma 2 has.
    private void requireFlag(String field, boolean expected, String reason) throws WeightsFormatException {
        JsonNode value = optional(field);
        if (value != null && !(value.isBoolean() && value.booleanValue() == expected)) {
            throw wrong(field, expected + " (" + reason + ")", value);
        }
    }

    private void requireAbsent(String field, String reason) throws WeightsFormatException {
        JsonNode value = optional(field);
        if (value != null) {
            throw wrong(field, "null (" + reason + ")", value);
        }
    }

    /// `rope_theta`, or its newer spelling `rope_parameters: {"rope_type": "default", "rope_theta": 10000.0}`.
    private double ropeTheta() throws WeightsFormatException {
        JsonNode parameters = optional("rope_parameters");
        if (parameters == null) {
            return number("rope_theta");
        }
        for (Map.Entry<String, JsonNode> entry : parameters.properties()) {
            boolean known = entry.getKey().equals("rope_theta")
                    || entry.getKey().equals("rope_type") && entry.getValue().asText().equals("default");
            if (!known) {
                throw wrong("rope_parameters", "only rope_type \"default\" and rope_theta", parameters);
            }
        }
        double theta = asNumber("rope_parameters.rope_theta", parameters.path("rope_theta"));
        if (optional("rope_theta") != null && number("rope_theta") != theta) {
            throw new WeightsFormatException(file, null, "rope_theta is " + shown(json.get("rope_theta"))
                    + " and rope_parameters.rope_theta is " + theta + ": they contradict each other");
        }
        return theta;
    }

    /// `sliding_window`; older files say `sliding_window_size` as well or instead.
    private int slidingWindow() throws WeightsFormatException {
        if (optional("sliding_window_size") == null) {
            return integer("sliding_window");
        }
        int size = integer("sliding_window_size");
        if (optional("sliding_window") != null && integer("sliding_window") != size) {
            throw new WeightsFormatException(file, null, "sliding_window is " + integer("sliding_window")
                    + " and sliding_window_size is " + size + ": they contradict each other");
        }
        return size;
    }

    /// A soft cap must be stated; null means none.
    private OptionalDouble cap(String field) throws WeightsFormatException {
        seen.add(field);
        if (!json.has(field)) {
            throw new WeightsFormatException(file, null, field + " is missing; write null for a model without this cap");
        }
        return json.get(field).isNull() ? OptionalDouble.empty() : OptionalDouble.of(number(field));
    }

    private int padTokenId() throws WeightsFormatException {
        if (optional("pad_token_id") == null) {
            warnings.add(file + ": pad_token_id is not set; 0 is used, as in every Gemma 2");
            return 0;
        }
        return tokenId("pad_token_id");
    }

    private int tokenId(String field) throws WeightsFormatException {
        int id = integer(field);
        if (id < 0) {
            throw wrong(field, "a token id, 0 or greater", json.get(field));
        }
        return id;
    }

    /// One id or a list of ids; absent or null counts as none.
    private List<Integer> tokenIds(Path from, JsonNode value, String field) throws WeightsFormatException {
        List<Integer> ids = new ArrayList<>();
        if (value.isMissingNode() || value.isNull()) {
            return ids;
        }
        for (JsonNode id : value.isArray() ? value : List.of(value)) {
            if (!id.isInt() || id.intValue() < 0) {
                throw new WeightsFormatException(from, null, field + " must be a token id or a list of token ids, was "
                        + shown(value));
            }
            ids.add(id.intValue());
        }
        return ids;
    }

    private void requireTokensInVocabulary(Gemma2Config config) throws WeightsFormatException {
        List<Integer> ids = new ArrayList<>(config.eosTokenIds());
        ids.add(config.bosTokenId());
        ids.add(config.padTokenId());
        for (int id : ids) {
            if (id >= config.vocabSize()) {
                throw new WeightsFormatException(file, null, "token id " + id + " (bos, eos or pad) is outside the vocabulary of "
                        + config.vocabSize());
            }
        }
    }

    /// Newer files spell the layer kinds out; Gemma 2 alternates, sliding first.
    private void requireAlternatingLayers(Gemma2Config config) throws WeightsFormatException {
        JsonNode types = optional("layer_types");
        if (types == null) {
            return;
        }
        boolean same = types.isArray() && types.size() == config.numHiddenLayers();
        for (int layer = 0; same && layer < types.size(); layer++) {
            same = types.get(layer).asText().equals(layer % 2 == 0 ? "sliding_attention" : "full_attention");
        }
        if (!same) {
            throw wrong("layer_types", config.numHiddenLayers()
                    + " entries, sliding_attention and full_attention in turn, sliding first", types);
        }
    }

    private void warnAboutUnknownFields() {
        for (String field : (Iterable<String>) json::fieldNames) {
            if (!seen.contains(field)) {
                warnings.add(file + ": field " + Printable.name(field) + " is unknown and was not used");
            }
        }
    }

    private int integer(String field) throws WeightsFormatException {
        JsonNode value = required(field);
        if (!value.isInt()) {
            throw wrong(field, "a whole number", value);
        }
        return value.intValue();
    }

    private double number(String field) throws WeightsFormatException {
        return asNumber(field, required(field));
    }

    private double asNumber(String field, JsonNode value) throws WeightsFormatException {
        if (!value.isNumber() || !Double.isFinite(value.doubleValue())) {
            throw wrong(field, "a number", value);
        }
        return value.doubleValue();
    }

    private JsonNode required(String field) throws WeightsFormatException {
        JsonNode value = optional(field);
        if (value == null) {
            throw new WeightsFormatException(file, null, field + " is missing");
        }
        return value;
    }

    /// The value, or null if it is absent or null.
    private JsonNode optional(String field) {
        seen.add(field);
        JsonNode value = json.get(field);
        return value == null || value.isNull() ? null : value;
    }

    private WeightsFormatException wrong(String field, String expected, JsonNode actual) {
        return new WeightsFormatException(file, null, field + " must be " + expected + ", was " + shown(actual));
    }

    private static String shown(JsonNode value) {
        return value.isMissingNode() ? "absent" : Printable.name(value.toString());
    }
}
