package org.dhsa.eval.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.dhsa.cli.BadInput;
import org.dhsa.eval.ResultLog;

/// All results of one task and one configuration, from one file or from the files of its shards.
///
/// @param config what was measured, the shard left out
/// @param units  result lines by the name of their unit of work, in the order of the names
public record ResultSet(JsonNode config, Map<String, JsonNode> units) {

    public ResultSet {
        units = Collections.unmodifiableMap(new TreeMap<>(units));
    }

    /// Files of any tasks, one set for each task, in the order in which the tasks first appear.
    ///
    /// @throws BadInput if files of one task differ in their configuration, or one unit has two results
    public static List<ResultSet> read(List<Path> files) throws IOException {
        Map<String, Path> first = new LinkedHashMap<>();
        Map<String, JsonNode> configs = new LinkedHashMap<>();
        Map<String, Map<String, JsonNode>> units = new LinkedHashMap<>();
        for (Path file : files) {
            ResultLog.Contents contents = ResultLog.read(file);
            ObjectNode here = contents.config().deepCopy();
            here.remove("shard");
            String task = here.path("task").asText();
            JsonNode before = configs.putIfAbsent(task, here);
            Path other = first.putIfAbsent(task, file);
            if (before != null) {
                List<String> differences = ResultLog.differences(before, here);
                if (!differences.isEmpty()) {
                    throw new BadInput(file + " was measured with another configuration than " + other + ":\n  " + String.join("\n  ", differences)
                            + "\nPut only files of one configuration of eval " + task + " together.");
                }
            }
            Map<String, JsonNode> all = units.computeIfAbsent(task, t -> new TreeMap<>());
            for (JsonNode result : contents.results()) {
                JsonNode twin = all.put(result.path("unit").asText(), result);
                if (twin != null && !twin.equals(result)) {
                    throw new BadInput(file + ": " + result.path("unit").asText() + " has other results than in another of the files. Leave one of them away.");
                }
            }
        }
        if (configs.isEmpty()) {
            throw new BadInput("No result file was given. Name those that the commands of eval wrote.");
        }
        return configs.entrySet().stream().map(e -> new ResultSet(e.getValue(), units.get(e.getKey()))).toList();
    }

    /// Which command of eval measured, by its name.
    public String task() {
        return config.path("task").asText();
    }

    public List<String> models() {
        return config.path("models").findValuesAsText("name").stream().distinct().toList();
    }

    public List<String> texts(String field) {
        List<String> texts = new ArrayList<>();
        config.path(field).forEach(t -> texts.add(t.asText()));
        return texts;
    }

    /// Ascending.
    public List<Integer> ints(String field) {
        Set<Integer> ints = new TreeSet<>();
        config.path(field).forEach(t -> ints.add(t.asInt()));
        return List.copyOf(ints);
    }

    public List<String> policies() {
        return texts("policies");
    }

    public List<Integer> budgets() {
        return ints("budgets");
    }

    public List<Integer> lengths() {
        return ints("lengths");
    }
}
