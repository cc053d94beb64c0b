package org.dhsa.eval.task;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;
import org.dhsa.cli.Json;
import org.dhsa.eval.ProsePrompts;

/// A file with one JSON object per line, UTF-8. A broken line is named and left out; the rest goes on.
///
/// @param items  what the good lines hold, in the order of the file
/// @param broken one sentence per broken line, with file, line and reason
/// @param sha256 of the file
public record JsonLines<T>(List<T> items, List<String> broken, String sha256) {

    private static final ObjectReader READER = Json.MAPPER.reader().with(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    /// What a line holds.
    interface Parser<T> {
        /// @param line from 1
        /// @throws IllegalArgumentException saying what is wrong with the object
        T parse(JsonNode object, int line);
    }

    static <T> JsonLines<T> read(Path file, Parser<T> parser) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        List<T> items = new ArrayList<>();
        List<String> broken = new ArrayList<>();
        int line = 0;
        for (int begin = 0; begin < bytes.length; line++) {
            int end = begin;
            while (end < bytes.length && bytes[end] != '\n') {
                end++;
            }
            try {
                String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, begin, end - begin)).toString();
                if (!text.isBlank()) {
                    JsonNode object = READER.readTree(text);
                    if (!object.isObject()) {
                        throw new IllegalArgumentException("this is no JSON object");
                    }
                    items.add(parser.parse(object, line + 1));
                }
            } catch (CharacterCodingException e) {
                broken.add(file + ", line " + (line + 1) + ": this is no UTF-8 text");
            } catch (JsonProcessingException e) {
                broken.add(file + ", line " + (line + 1) + ": this is no JSON (" + e.getOriginalMessage() + ")");
            } catch (IllegalArgumentException e) {
                broken.add(file + ", line " + (line + 1) + ": " + e.getMessage());
            }
            begin = end + 1;
        }
        return new JsonLines<>(List.copyOf(items), List.copyOf(broken), ProsePrompts.sha256(bytes));
    }

    /// @throws IllegalArgumentException if the field is missing or no text
    static String text(JsonNode object, String field) {
        JsonNode value = object.path(field);
        if (!value.isTextual()) {
            throw new IllegalArgumentException(value.isMissingNode() ? "the field \"" + field + "\" is missing" : "the field \"" + field + "\" must be text");
        }
        return value.asText();
    }

    /// @throws IllegalArgumentException if the field is missing, no array of texts, or empty
    static List<String> texts(JsonNode object, String field) {
        JsonNode value = object.path(field);
        if (value.isMissingNode()) {
            throw new IllegalArgumentException("the field \"" + field + "\" is missing");
        }
        List<JsonNode> elements = StreamSupport.stream(value.spliterator(), false).toList();
        if (!value.isArray() || elements.isEmpty() || !elements.stream().allMatch(JsonNode::isTextual)) {
            throw new IllegalArgumentException("the field \"" + field + "\" must be an array of at least one text");
        }
        return elements.stream().map(JsonNode::asText).toList();
    }
}
