package org.dhsa.golden.diff;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Quirk;

/// Model and DHSA parameters under the names of the vectors' contract.
final class SettingJson {

    private final Path file;
    private final JsonNode json;

    /// @param file for messages
    SettingJson(Path file, JsonNode json) {
        this.file = file;
        this.json = json;
    }

    static void write(ObjectNode to, Gemma2Config c, EmbeddingScale scale) {
        to.put("vocabSize", c.vocabSize()).put("hiddenSize", c.hiddenSize()).put("intermediateSize", c.intermediateSize())
                .put("numHiddenLayers", c.numHiddenLayers()).put("numAttentionHeads", c.numAttentionHeads())
                .put("numKeyValueHeads", c.numKeyValueHeads()).put("headDim", c.headDim()).put("maxPositionEmbeddings", c.maxPositionEmbeddings())
                .put("rmsNormEps", c.rmsNormEps()).put("ropeTheta", c.ropeTheta()).put("slidingWindow", c.slidingWindow())
                .put("queryPreAttnScalar", c.queryPreAttnScalar());
        put(to, "attnLogitSoftcapping", c.attnLogitSoftcapping());
        put(to, "finalLogitSoftcapping", c.finalLogitSoftcapping());
        to.put("bosTokenId", c.bosTokenId()).put("embeddingScale", slug(scale.name()));
    }

    static void write(ObjectNode to, DhsaConfig d) {
        to.put("blockSize", d.blockSize()).put("budget", d.budget()).put("decodeBudget", d.decodeBudget()).put("localTokens", d.localTokens())
                .put("globalTokens", d.globalTokens());
        d.instructionTokens().ifPresentOrElse(n -> to.put("instructionTokens", n), () -> to.putNull("instructionTokens"));
        put(to, "theta", d.theta());
        to.put("nmsWindow", d.nmsWindow()).put("chunkBeta", d.chunkBeta()).put("smoothEnds", d.smoothEnds())
                .put("aggregation", switch (d.aggregation()) {
                    case MEAN -> "avgpool";
                    case MEAN_SQRT_LENGTH -> "avgpool_norm";
                    case MAX_ON_QUERIES -> "maxpool";
                }).put("queryChunking", slug(d.queryChunking().name())).put("shareBoundaries", d.shareBoundaries()).put("shareMasks", d.shareMasks())
                .put("decodeMode", slug(d.decode().name()));
        d.quirks().stream().sorted().map(Quirk::name).forEach(to.putArray("quirks")::add);
    }

    private static void put(ObjectNode to, String field, OptionalDouble value) {
        value.ifPresentOrElse(v -> to.put(field, v), () -> to.putNull(field));
    }

    private static String slug(String constant) {
        return constant.toLowerCase(Locale.ROOT).replace('_', '-');
    }

    Gemma2Config model() throws GoldenFormatException {
        try {
            return new Gemma2Config(integer("vocabSize"), integer("hiddenSize"), integer("intermediateSize"), integer("numHiddenLayers"),
                    integer("numAttentionHeads"), integer("numKeyValueHeads"), integer("headDim"),
                    json.has("maxPositionEmbeddings") ? integer("maxPositionEmbeddings") : 8192, number("rmsNormEps"), number("ropeTheta"),
                    integer("slidingWindow"), number("queryPreAttnScalar"), optional("attnLogitSoftcapping"), optional("finalLogitSoftcapping"),
                    json.has("bosTokenId") ? integer("bosTokenId") : 2, List.of(1), 0);
        } catch (IllegalArgumentException e) {
            throw new GoldenFormatException(file, e.getMessage(), "write the export again", e);
        }
    }

    EmbeddingScale scale() throws GoldenFormatException {
        return constant("embeddingScale", EmbeddingScale.class);
    }

    DhsaConfig dhsa() throws GoldenFormatException {
        Set<Quirk> quirks = EnumSet.noneOf(Quirk.class);
        for (JsonNode quirk : json.path("quirks")) {
            quirks.add(constantOf("quirks", quirk.asText(), Quirk.class));
        }
        DhsaConfig.Aggregation aggregation = switch (text("aggregation")) {
            case "avgpool" -> DhsaConfig.Aggregation.MEAN;
            case "avgpool_norm" -> DhsaConfig.Aggregation.MEAN_SQRT_LENGTH;
            case "maxpool" -> DhsaConfig.Aggregation.MAX_ON_QUERIES;
            default -> throw wrong("aggregation", "avgpool, avgpool_norm or maxpool");
        };
        try {
            return new DhsaConfig(integer("blockSize"), integer("budget"), json.has("decodeBudget") ? integer("decodeBudget") : integer("budget"),
                    integer("localTokens"), integer("globalTokens"), isNull("instructionTokens") ? OptionalInt.empty() : OptionalInt.of(integer("instructionTokens")),
                    optional("theta"), integer("nmsWindow"), integer("chunkBeta"), flag("smoothEnds"), aggregation,
                    constant("queryChunking", DhsaConfig.QueryChunking.class), flag("shareBoundaries"), flag("shareMasks"), DhsaConfig.DecodeMode.DHSA,
                    DhsaConfig.TieOrder.LOW_POSITION_FIRST, quirks);
        } catch (IllegalArgumentException e) {
            throw new GoldenFormatException(file, e.getMessage(), "write the export again", e);
        }
    }

    private boolean isNull(String field) {
        return json.path(field).isNull() || json.path(field).isMissingNode();
    }

    int integer(String field) throws GoldenFormatException {
        if (!json.path(field).canConvertToInt()) {
            throw wrong(field, "a whole number");
        }
        return json.get(field).asInt();
    }

    private double number(String field) throws GoldenFormatException {
        if (!json.path(field).isNumber()) {
            throw wrong(field, "a number");
        }
        return json.get(field).asDouble();
    }

    private OptionalDouble optional(String field) throws GoldenFormatException {
        return isNull(field) ? OptionalDouble.empty() : OptionalDouble.of(number(field));
    }

    private boolean flag(String field) throws GoldenFormatException {
        if (!json.path(field).isBoolean()) {
            throw wrong(field, "true or false");
        }
        return json.get(field).asBoolean();
    }

    String text(String field) throws GoldenFormatException {
        if (!json.path(field).isTextual()) {
            throw wrong(field, "a text");
        }
        return json.get(field).asText();
    }

    private <E extends Enum<E>> E constant(String field, Class<E> type) throws GoldenFormatException {
        return constantOf(field, text(field), type);
    }

    private <E extends Enum<E>> E constantOf(String field, String value, Class<E> type) throws GoldenFormatException {
        List<String> known = new ArrayList<>();
        for (E constant : type.getEnumConstants()) {
            if (constant.name().equals(value.toUpperCase(Locale.ROOT).replace('-', '_'))) {
                return constant;
            }
            known.add(slug(constant.name()));
        }
        throw wrong(field, "one of " + String.join(", ", known));
    }

    private GoldenFormatException wrong(String field, String expected) {
        return new GoldenFormatException(file, "\"" + field + "\" must be " + expected + ", " + (json.has(field) ? "was " + json.get(field) : "is missing"), "");
    }
}
