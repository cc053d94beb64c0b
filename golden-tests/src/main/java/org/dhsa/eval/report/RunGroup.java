package org.dhsa.eval.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;
import org.dhsa.eval.Contenders;
import org.dhsa.eval.Interval;

/// What one policy at one budget gave on the units of one model: runs by the name of their unit.
///
/// @param budget 0 for dense attention
record RunGroup(String policy, int budget, Map<String, JsonNode> runs) {

    /// The policies of a result set, each at all its budgets; dense attention once, in its place.
    ///
    /// @param wanted which units
    static List<RunGroup> of(ResultSet results, Predicate<JsonNode> wanted) {
        List<RunGroup> groups = new ArrayList<>();
        for (String policy : results.policies()) {
            for (int budget : policy.equals(Contenders.DENSE) ? List.of(0) : results.budgets()) {
                groups.add(of(results, wanted, policy, budget));
            }
        }
        return groups;
    }

    static RunGroup of(ResultSet results, Predicate<JsonNode> wanted, String policy, int budget) {
        Map<String, JsonNode> runs = new LinkedHashMap<>();
        results.units().forEach((key, unit) -> {
            if (wanted.test(unit)) {
                for (JsonNode run : unit.path("runs")) {
                    if (run.path("policy").asText().equals(policy) && run.path("budget").asInt() == budget) {
                        runs.put(key, run);
                    }
                }
            }
        });
        return new RunGroup(policy, budget, runs);
    }

    static Predicate<JsonNode> model(String model) {
        return unit -> unit.path("model").asText().equals(model);
    }

    String label() {
        return budget == 0 ? policy : policy + ", " + budget;
    }

    /// @param field JSON pointer into a run
    Interval mean(String field) {
        return Interval.of(runs.values().stream().map(r -> r.at(field)).filter(JsonNode::isNumber).map(JsonNode::asDouble).toList());
    }

    /// This group's value minus the other's, on the units that both have.
    Interval minus(RunGroup other, String field) {
        return paired(other, field, p -> p[0] - p[1]);
    }

    /// Geometric mean of this group's value over the other's, unit by unit.
    Interval over(RunGroup other, String field) {
        Interval logs = paired(other, field, p -> Math.log(p[0] / p[1]));
        return new Interval(Math.exp(logs.mean()), Math.exp(logs.low()), Math.exp(logs.high()), logs.units());
    }

    private Interval paired(RunGroup other, String field, Function<double[], Double> of) {
        List<Double> values = new ArrayList<>();
        runs.forEach((key, run) -> {
            JsonNode here = run.at(field);
            JsonNode there = other.runs.containsKey(key) ? other.runs.get(key).at(field) : null;
            if (here.isNumber() && there != null && there.isNumber()) {
                values.add(of.apply(new double[] {here.asDouble(), there.asDouble()}));
            }
        });
        return Interval.of(values);
    }
}
