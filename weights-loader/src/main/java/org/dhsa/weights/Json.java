package org.dhsa.weights;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// Strict JSON: UTF-8 that decodes without replacement, no duplicate keys, bounded nesting, nothing after the value.
final class Json {

    /// Nobody nests a configuration or a tensor header this deep; a hostile file would.
    static final int MAX_DEPTH = 100;

    private static final long MAX_SMALL_FILE_BYTES = 64L << 20;

    /// Field names are neither interned nor kept in a shared symbol table: a file with colliding names must stay a
    /// slow file, not become an internal error of the parser.
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).build())
            .build();

    private static final ObjectMapper MAPPER = JsonMapper.builder(FACTORY)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private Json() {}

    /// A streaming parser over UTF-8 bytes. Reading fails with `CharacterCodingException` where the bytes are no UTF-8.
    static JsonParser parser(InputStream utf8) throws IOException {
        return FACTORY.createParser(reader(utf8));
    }


    /// The one object a small JSON file holds.
    static ObjectNode readObject(Path file) throws IOException, WeightsFormatException {
        requireFile(file);
        if (Files.size(file) > MAX_SMALL_FILE_BYTES) {
            throw new WeightsFormatException(file, null, "has " + Files.size(file) + " bytes, too many for a configuration file");
        }
        try (Reader in = reader(Files.newInputStream(file))) {
            JsonNode root = MAPPER.readTree(in);
            if (root instanceof ObjectNode object) {
                return object;
            }
            throw new WeightsFormatException(file, null, "expected a JSON object");
        } catch (JsonProcessingException e) {
            throw new WeightsFormatException(file, null, "is not valid JSON: " + problem(e), e);
        } catch (CharacterCodingException e) {
            throw new WeightsFormatException(file, null, "is not valid UTF-8", e);
        }
    }

    /// What the parser says, with line and column, without the quotation of the source.
    static String problem(JsonProcessingException e) {
        String where = e.getLocation() == null ? ""
                : " (line " + e.getLocation().getLineNr() + ", column " + e.getLocation().getColumnNr() + ")";
        return Printable.name(e.getOriginalMessage()) + where;
    }

    static void requireFile(Path file) throws WeightsFormatException {
        if (Files.isDirectory(file)) {
            throw new WeightsFormatException(file, null, "is a folder, expected a file");
        }
        if (!Files.exists(file)) {
            throw new WeightsFormatException(file, null, "there is no such file");
        }
    }

    private static Reader reader(InputStream utf8) {
        return new InputStreamReader(utf8, StandardCharsets.UTF_8.newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT));
    }
}
