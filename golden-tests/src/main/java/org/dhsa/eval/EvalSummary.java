package org.dhsa.eval;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.dhsa.cli.BadInput;
import org.dhsa.cli.Json;

/// Needle results of one configuration, from one file or from the files of its shards, grouped for comparison.
///
/// Every policy answered the same prompts, so differences are taken prompt by prompt.
public final class EvalSummary {

    private final JsonNode config;
    private final Map<String, JsonNode> units;
    private final List<String> notes;

    private EvalSummary(JsonNode config, Map<String, JsonNode> units, List<String> notes) {
        this.config = config;
        this.units = units;
        this.notes = notes;
    }

    /// @throws BadInput if the files were not measured with one configuration, or hold no needle results
    public static EvalSummary read(List<Path> files) throws IOException {
        JsonNode config = null;
        Map<String, JsonNode> units = new TreeMap<>();
        List<String> notes = new ArrayList<>();
        for (Path file : files) {
            ResultLog.Contents contents = ResultLog.read(file);
            ObjectNode here = contents.config().deepCopy();
            here.remove("shard");
            if (!here.has("policies")) {
                throw new BadInput(file + " holds results of eval " + here.path("task").asText() + ", not of a needle test.");
            }
            if (config != null) {
                List<String> differences = ResultLog.differences(config, here);
                if (!differences.isEmpty()) {
                    throw new BadInput(file + " was measured with another configuration than " + files.getFirst() + ":\n  " + String.join("\n  ", differences)
                            + "\nPut only files of one configuration together.");
                }
            }
            config = here;
            for (JsonNode result : contents.results()) {
                JsonNode before = units.put(result.path("unit").asText(), result);
                if (before != null && !before.equals(result)) {
                    throw new BadInput(file + ": prompt " + result.path("unit").asText() + " has other results than in another of the files. Leave one of them away.");
                }
            }
        }
        if (config == null) {
            throw new BadInput("No result file was given. Name those that eval quick or eval niah wrote.");
        }
        EvalSummary summary = new EvalSummary(config, units, notes);
        int expected = summary.expected();
        if (units.size() < expected) {
            notes.add("Not finished: " + units.size() + " of " + expected + " prompts are measured. Give the same command again, or add the files of the other shards.");
        }
        return summary;
    }

    /// Prompts per cell, as far as any cell has got.
    private int samples() {
        return units.values().stream().mapToInt(u -> u.path("sample").asInt() + 1).max().orElse(0);
    }

    private int expected() {
        return config.path("models").size() * config.path("lengths").size() * config.path("depths").size() * config.path("needles").size() * samples();
    }

    public JsonNode config() {
        return config;
    }

    public List<String> notes() {
        return notes;
    }

    public int prompts() {
        return units.size();
    }

    /// One policy, one model, one setting, one budget: what came of all its prompts, by unit.
    ///
    /// @param budget 0 for dense attention
    public record Group(String model, String setting, int budget, String policy, Map<String, JsonNode> runs, Map<String, JsonNode> units) {

        public Interval score() {
            return values("score", u -> true);
        }

        /// Of the prompts of one cell.
        public Interval score(int length, int depth) {
            return values("score", u -> u.path("length").asInt() == length && u.path("depth").asInt() == depth);
        }

        public Interval score(int length) {
            return values("score", u -> u.path("length").asInt() == length);
        }

        public Interval nll() {
            return values("nll", u -> true);
        }

        public Interval kl() {
            return values("kl", u -> true);
        }

        private Interval values(String field, Predicate<JsonNode> wanted) {
            return Interval.of(runs.entrySet().stream().filter(e -> wanted.test(units.get(e.getKey())) && e.getValue().has(field))
                    .map(e -> e.getValue().path(field).asDouble()).toList());
        }

        /// This policy's score minus the other's, on the prompts that both answered.
        public Interval minus(Group other, Predicate<JsonNode> wanted) {
            return Interval.of(runs.entrySet().stream().filter(e -> other.runs.containsKey(e.getKey()) && wanted.test(units.get(e.getKey())))
                    .map(e -> e.getValue().path("score").asDouble() - other.runs.get(e.getKey()).path("score").asDouble()).toList());
        }

        public Interval minus(Group other) {
            return minus(other, u -> true);
        }

        /// Share of the visible pairs that was read; `which` is global, local or decode. Not a number where there were none.
        public double share(String which, Predicate<JsonNode> wanted) {
            long read = 0;
            long visible = 0;
            for (Map.Entry<String, JsonNode> e : runs.entrySet()) {
                if (wanted.test(units.get(e.getKey()))) {
                    read += e.getValue().path(which).path(0).asLong();
                    visible += e.getValue().path(which).path(1).asLong();
                }
            }
            return visible == 0 ? Double.NaN : (double) read / visible;
        }

        ObjectNode interval(Interval i) {
            return Json.object().put("mean", NeedleTask.rounded(i.mean())).put("low", NeedleTask.rounded(i.low())).put("high", NeedleTask.rounded(i.high())).put("prompts", i.units());
        }

        public ObjectNode json() {
            ObjectNode json = Json.object().put("model", model).put("setting", setting).put("budget", budget).put("policy", policy);
            json.set("score", interval(score()));
            return json.put("global_pairs_read", NeedleTask.rounded(share("global", u -> true)));
        }
    }

    public List<String> models() {
        return distinct(config.path("models").findValuesAsText("name"));
    }

    public List<String> settings() {
        return texts(config.path("settings"));
    }

    public List<String> policies() {
        return texts(config.path("policies"));
    }

    public List<Integer> budgets() {
        return ints(config.path("budgets"));
    }

    public List<Integer> lengths() {
        return ints(config.path("lengths"));
    }

    public List<Integer> depths() {
        return ints(config.path("depths"));
    }

    /// Dense attention has neither setting nor budget; its group stands in every comparison.
    public Group group(String model, String setting, int budget, String policy) {
        boolean dense = policy.equals(Contenders.DENSE);
        Map<String, JsonNode> runs = new LinkedHashMap<>();
        Map<String, JsonNode> of = new LinkedHashMap<>();
        units.forEach((key, unit) -> {
            if (unit.path("model").asText().equals(model)) {
                for (JsonNode run : unit.path("runs")) {
                    if (run.path("policy").asText().equals(policy)
                            && (dense || run.path("budget").asInt() == budget && run.path("setting").asText().equals(setting))) {
                        runs.put(key, run);
                        of.put(key, unit);
                    }
                }
            }
        });
        return new Group(model, setting, dense ? 0 : budget, policy, runs, of);
    }

    /// All groups, dense attention once per model.
    public List<Group> groups() {
        List<Group> groups = new ArrayList<>();
        for (String model : models()) {
            for (String setting : settings()) {
                for (int budget : budgets()) {
                    for (String policy : policies()) {
                        boolean again = policy.equals(Contenders.DENSE) && (budget != budgets().getFirst() || !setting.equals(settings().getFirst()));
                        if (!again) {
                            groups.add(group(model, setting, budget, policy));
                        }
                    }
                }
            }
        }
        return groups;
    }

    /// A table for the terminal: accuracy with its interval, the difference from DHSA, pairs read.
    public String text() {
        StringBuilder text = new StringBuilder();
        for (String model : models()) {
            for (String setting : settings()) {
                for (int budget : budgets()) {
                    text.append(String.format(Locale.ROOT, "%n%s, %s, budget %d%n", model, said(setting), budget));
                    Group dhsa = group(model, setting, budget, Contenders.DHSA);
                    for (String policy : policies()) {
                        Group group = group(model, setting, budget, policy);
                        String versus = policies().contains(Contenders.DHSA) && !policy.equals(Contenders.DHSA) ? "  DHSA minus it " + dhsa.minus(group).points() : "";
                        text.append(String.format(Locale.ROOT, "  %-22s %-18s  pairs read %5.1f %%%s%n", policy, group.score().percent(),
                                100 * group.share("global", u -> true), versus));
                    }
                }
            }
        }
        notes.forEach(note -> text.append('\n').append(note).append('\n'));
        return text.toString();
    }

    static String said(String setting) {
        return switch (setting) {
            case "authors" -> "authors' setting (question and decoding dense)";
            case "strict" -> "strict setting (every position sparse)";
            default -> setting;
        };
    }

    /// What must be said beside the numbers, once for each sentence.
    public Set<String> disclosure() {
        Set<String> said = new LinkedHashSet<>();
        config.path("models").forEach(m -> m.path("disclosure").forEach(s -> said.add(
                (m.path("disclosure").size() > 1 && config.path("models").size() > 1 ? m.path("name").asText() + ": " : "") + s.asText())));
        return said;
    }

    private static List<String> distinct(Collection<String> values) {
        return values.stream().distinct().collect(Collectors.toList());
    }

    private static List<String> texts(JsonNode array) {
        List<String> texts = new ArrayList<>();
        array.forEach(t -> texts.add(t.asText()));
        return texts;
    }

    private static List<Integer> ints(JsonNode array) {
        Set<Integer> ints = new TreeSet<>();
        array.forEach(t -> ints.add(t.asInt()));
        return List.copyOf(ints);
    }
}
