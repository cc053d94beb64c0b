package org.dhsa.golden.diff;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dhsa.cli.Json;
import org.dhsa.golden.GoldenFormatException;

/// The names of a framework, or of a port, and what they are called here.
///
///     { "model.layers.{layer}.self_attn.q_proj": {"name": "layers.{layer}.qkv-projection.query", "axes": ["batch", "queryLen", "heads*headDim"]},
///       "my_norm_{layer}": "layers.{layer}.rms-norm.inputLayernorm" }
///
/// One array may hold several tensors: a list of such objects. `{layer}` is a decoder layer from 0, `{layer+1}` the same counted from 1, `{layers}` the number of layers. `axes` gives the order and
/// the folding of the dumped array; without it the array must have the axes of the tensor. `after` lists what lies before the
/// tensor in its last axis. The first entry that fits a name wins.
final class NameMap {

    static final List<String> BUILT_IN = List.of("hf", "transformerlens", "gemma_pytorch");

    /// What a name stands for.
    ///
    /// @param axes  empty for those of the tensor
    /// @param after  folded axes before the tensor in the last axis of the array
    /// @param joined whether the array holds other tensors too
    record Target(String name, List<String> axes, List<String> after, boolean joined) {}

    private record Rule(Pattern pattern, boolean fromOne, boolean hasLayer, Target target) {}

    private final List<Rule> rules;

    private NameMap(List<Rule> rules) {
        this.rules = rules;
    }

    static NameMap none() {
        return new NameMap(List.of());
    }

    /// Whole names, without patterns.
    static NameMap exactly(Map<String, Target> targets) {
        List<Rule> rules = new ArrayList<>();
        targets.forEach((name, target) -> rules.add(new Rule(Pattern.compile(Pattern.quote(name)), false, false, target)));
        return new NameMap(rules);
    }

    /// A map that comes with the program, or a file.
    ///
    /// @param layers decoder layers of the model
    static NameMap of(String nameOrFile, int layers) throws GoldenFormatException {
        if (BUILT_IN.contains(nameOrFile)) {
            try (InputStream in = NameMap.class.getResourceAsStream("names-" + nameOrFile + ".json")) {
                return parse(Path.of("names-" + nameOrFile + ".json"), Json.MAPPER.readTree(in), layers);
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }
        Path file = Path.of(nameOrFile);
        if (!Files.isRegularFile(file)) {
            throw new GoldenFormatException(file, "is no file of names", "--names takes " + String.join(", ", BUILT_IN) + ", or a JSON file");
        }
        return parse(file, ExportFolder.readJson(file), layers);
    }

    private static NameMap parse(Path file, JsonNode json, int layers) throws GoldenFormatException {
        if (!json.isObject()) {
            throw new GoldenFormatException(file, "must hold one JSON object", "{\"their name with {layer}\": \"our name with {layer}\"}");
        }
        List<Rule> rules = new ArrayList<>();
        for (Map.Entry<String, JsonNode> entry : json.properties()) {
            for (JsonNode to : entry.getValue().isArray() ? entry.getValue() : List.of(entry.getValue())) {
                rules.add(rule(file, entry.getKey(), to, entry.getValue().isArray(), layers));
            }
        }
        return new NameMap(rules);
    }

    private static Rule rule(Path file, String key, JsonNode to, boolean joined, int layers) throws GoldenFormatException {
        String name = to.isTextual() ? to.asText() : to.path("name").asText("");
        if (name.isEmpty()) {
            throw new GoldenFormatException(file, "\"" + key + "\" leads to no name", "give a text, or an object with \"name\"");
        }
        String pattern = key.replace("{layers}", String.valueOf(layers));
        boolean fromOne = pattern.contains("{layer+1}");
        boolean hasLayer = fromOne || pattern.contains("{layer}");
        if (hasLayer != name.contains("{layer}")) {
            throw new GoldenFormatException(file, "\"" + key + "\" and \"" + name + "\" must both have {layer}, or neither", "");
        }
        String[] parts = pattern.split("\\{layer(?:\\+1)?}", -1);
        if (parts.length > 2) {
            throw new GoldenFormatException(file, "\"" + key + "\" names the layer twice", "");
        }
        Pattern regex = Pattern.compile(Pattern.quote(parts[0]) + (hasLayer ? "(\\d{1,6})" + Pattern.quote(parts[1]) : ""));
        return new Rule(regex, fromOne, hasLayer, new Target(name, texts(to.path("axes")), texts(to.path("after")), joined));
    }

    private static List<String> texts(JsonNode list) {
        List<String> texts = new ArrayList<>();
        list.forEach(t -> texts.add(t.asText()));
        return texts;
    }

    /// All tensors that an array of this name holds: several where projections are joined.
    List<Target> targets(String name) {
        List<Target> found = new ArrayList<>();
        for (Rule rule : rules) {
            Matcher m = rule.pattern().matcher(name);
            if (m.matches()) {
                Optional<Integer> layer = rule.hasLayer() ? Optional.of(Integer.parseInt(m.group(1)) - (rule.fromOne() ? 1 : 0)) : Optional.empty();
                if (layer.isPresent() && layer.get() < 0) {
                    continue;
                }
                Target t = rule.target();
                String target = layer.map(l -> t.name().replace("{layer}", l.toString())).orElse(t.name());
                if (found.isEmpty() || t.joined()) {
                    found.add(new Target(target, t.axes(), t.after(), t.joined()));
                }
            }
        }
        return found;
    }
}
