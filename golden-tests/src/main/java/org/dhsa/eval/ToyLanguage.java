package org.dhsa.eval;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.StreamSupport;
import org.dhsa.cli.Json;

/// The language of the tiny models: sentences of ten topics, needles, questions. The grammar is that of their training.
public final class ToyLanguage {

    private static final Pattern WORD = Pattern.compile("\\{(\\w+)}");

    private final JsonNode language;
    private final List<String> topics = new ArrayList<>();

    public ToyLanguage() {
        try (InputStream in = ToyLanguage.class.getResourceAsStream("toy-language.json")) {
            this.language = Json.MAPPER.readTree(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        language.path("topics").fieldNames().forEachRemaining(topics::add);
    }

    /// The words that needles were trained with.
    public List<String> keys() {
        return StreamSupport.stream(language.path("keys").spliterator(), false).map(JsonNode::asText).toList();
    }

    public String needle(String key, String value) {
        return language.path("needle").asText().replace("{key}", key).replace("{value}", value);
    }

    /// The question, and the beginning of the answer.
    public String question(String key) {
        return language.path("question").asText().replace("{key}", key);
    }

    /// A topic other than the last one.
    public String topic(String last, Random random) {
        String topic;
        do {
            topic = topics.get(random.nextInt(topics.size()));
        } while (topic.equals(last));
        return topic;
    }

    public String sentence(String topic, Random random) {
        JsonNode own = language.path("topics").path(topic);
        String template = pick(own.path("sentences"), random);
        return WORD.matcher(template).replaceAll(place -> {
            JsonNode words = own.path("words").path(place.group(1));
            return Matcher.quoteReplacement(pick(words.isMissingNode() ? language.path("common").path(place.group(1)) : words, random));
        });
    }

    private static String pick(JsonNode words, Random random) {
        return words.get(random.nextInt(words.size())).asText();
    }
}
