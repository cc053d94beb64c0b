package org.dhsa.golden.vector;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// `golden/schema/stages.json`: what every stage reads, takes and gives.
public final class StageCatalog {

    public static final StageCatalog INSTANCE = new StageCatalog();

    private static final Pattern LAYER = Pattern.compile("layers\\.(\\d+)\\.");
    private static final Pattern BLOCK = Pattern.compile("enc_ls\\.(\\d+)\\.");

    private final Map<String, JsonNode> stages = new LinkedHashMap<>();

    private StageCatalog() {
        try (InputStream in = StageCatalog.class.getResourceAsStream("/org/dhsa/golden/schema/stages.json")) {
            new ObjectMapper().readTree(in).get("stages").forEach(stage -> stages.put(stage.get("slug").textValue(), stage));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Family of the selection policies: the middle of an id is a policy's name there, and all of them are one stage.
    public static final String POLICIES = "policy";

    /// The stage of a case.
    ///
    /// @param folder the middle of its id
    static String slug(String family, String folder) {
        return family.equals(POLICIES) ? PolicyRunner.SLUG : folder;
    }

    /// In walking order.
    public List<String> slugs() {
        return List.copyOf(stages.keySet());
    }

    public boolean has(String slug) {
        return stages.containsKey(slug);
    }

    public boolean composite(String slug) {
        return stages.get(slug).get("kind").textValue().equals("composite");
    }

    /// Entry of an output, `layers.3.hidden` under `layers.{layer}.hidden`.
    public Optional<JsonNode> output(String slug, String name) {
        return entry(slug, "outputs", name);
    }

    public Optional<JsonNode> input(String slug, String name) {
        return entry(slug, "inputs", name);
    }

    /// Names of the parameters of a stage.
    public List<JsonNode> parameters(String slug) {
        return stages.get(slug).get("config").valueStream().toList();
    }

    private Optional<JsonNode> entry(String slug, String list, String name) {
        String template = BLOCK.matcher(LAYER.matcher(name).replaceFirst("layers.{layer}.")).replaceFirst("enc_ls.{block}.");
        return stages.get(slug).get(list).valueStream().filter(e -> e.get("name").textValue().equals(template)).findFirst();
    }

    /// The decoder layer in a name, -1 for none.
    static int layer(String name) {
        Matcher matcher = LAYER.matcher(name);
        return matcher.lookingAt() ? Integer.parseInt(matcher.group(1)) : -1;
    }

    static List<String> texts(JsonNode array) {
        List<String> texts = new ArrayList<>();
        array.forEach(t -> texts.add(t.textValue()));
        return texts;
    }
}
