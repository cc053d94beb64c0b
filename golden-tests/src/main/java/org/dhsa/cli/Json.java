package org.dhsa.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.UncheckedIOException;
import java.util.Arrays;

/// JSON out. The one mapper of the command line.
public final class Json {

    public static final ObjectMapper MAPPER = new ObjectMapper();

    private Json() {}

    public static ObjectNode object() {
        return MAPPER.createObjectNode();
    }

    public static ArrayNode array() {
        return MAPPER.createArrayNode();
    }

    public static ArrayNode array(int... values) {
        ArrayNode array = array();
        Arrays.stream(values).forEach(array::add);
        return array;
    }

    static ArrayNode array(long... values) {
        ArrayNode array = array();
        Arrays.stream(values).forEach(array::add);
        return array;
    }

    public static String pretty(JsonNode node) {
        return write(() -> MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(node));
    }

    public static String compact(JsonNode node) {
        return write(() -> MAPPER.writeValueAsString(node));
    }

    private interface Writing {
        String text() throws JsonProcessingException;
    }

    private static String write(Writing writing) {
        try {
            return writing.text();
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }
}
