package org.dhsa.eval.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;
import org.dhsa.cli.Json;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.Interval;
import org.dhsa.eval.NeedleTask;
import org.dhsa.eval.Setting;

/// Needle results of one configuration, from one file or from the files of its shards, grouped for comparison.
///
/// Every policy answered the same prompts, so differences are taken prompt by prompt.
public final class EvalSummary {

    private final ResultSet results;
    private final JsonNode config;
    private final Map<String, JsonNode> units;
    private final List<String> notes = new ArrayList<>();

    private EvalSummary(ResultSet results) {
        this.results = results;
        this.config = results.config();
        this.units = results.units();
        int expected = expected();
        if (units.size() < expected) {
            notes.add("Not finished: " + units.size() + " of " + expected + " prompts are measured. Give the same command again, or add the files of the other shards.");
        }
    }

    public static EvalSummary of(ResultSet results) {
        return new EvalSummary(results);
    }

    /// Prompts per cell, as far as any cell has got.
    private int samples() {
        return units.values().stream().mapToInt(u -> u.path("sample").asInt() + 1).max().orElse(0);
    }

    private int expected() {
        if (config.has("examples")) {
            int perModel = 0;
            for (JsonNode inFile : config.path("examples")) {
                perModel += Math.min(inFile.asInt(), samples());
            }
            return config.path("models").size() * perModel;
        }
        if (config.has("tasks")) {
            return config.path("models").size() * config.path("lengths").size() * config.path("tasks").size() * samples();
        }
        return config.path("models").size() * config.path("lengths").size() * config.path("depths").size() * config.path("needles").size() * samples();
    }

    public ResultSet results() {
        return results;
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

        /// Scores of some prompts.
        List<Double> scores(Predicate<JsonNode> wanted) {
            return runs.entrySet().stream().filter(e -> wanted.test(units.get(e.getKey()))).map(e -> e.getValue().path("score").asDouble()).toList();
        }

        private Interval values(String field, Predicate<JsonNode> wanted) {
            return Interval.of(runs.entrySet().stream().filter(e -> wanted.test(units.get(e.getKey())) && e.getValue().has(field))
                    .map(e -> e.getValue().path(field).asDouble()).toList());
        }

        /// This policy's score minus the other's, on the prompts that both answered.
        public Interval minus(Group other, Predicate<JsonNode> wanted) {
            return Interval.of(differences(other, wanted));
        }

        List<Double> differences(Group other, Predicate<JsonNode> wanted) {
            return runs.entrySet().stream().filter(e -> other.runs.containsKey(e.getKey()) && wanted.test(units.get(e.getKey())))
                    .map(e -> e.getValue().path("score").asDouble() - other.runs.get(e.getKey()).path("score").asDouble()).toList();
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

        public ObjectNode json() {
            ObjectNode json = Json.object().put("model", model).put("setting", setting).put("budget", budget).put("policy", policy);
            json.set("score", NeedleTask.json(score()));
            return json.put("global_pairs_read", NeedleTask.rounded(share("global", u -> true)));
        }
    }

    public List<String> models() {
        return results.models();
    }

    public List<String> settings() {
        return results.texts("settings");
    }

    public List<String> policies() {
        return results.policies();
    }

    public List<Integer> budgets() {
        return results.budgets();
    }

    public List<Integer> lengths() {
        return results.lengths();
    }

    public List<Integer> depths() {
        return results.ints("depths");
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
        return Setting.of(setting).map(Setting::said).orElse(setting);
    }
}
