package org.dhsa.eval;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import org.dhsa.cli.BadInput;

/// What a comparison at equal pairs measures: every combination of these.
///
/// @param needles prompts as in a needle test, one needle each; its budgets and settings are not used
/// @param shares  of the pairs that dense attention reads, each above 0 and below 1
/// @param maxRows most rows per head and layer that are looked at
public record FieldPlan(NeedlePlan needles, List<Double> shares, int maxRows) {

    public FieldPlan {
        shares = shares.stream().distinct().toList();
        if (shares.isEmpty()) {
            throw new BadInput("--shares names nothing. Give at least one, or leave the option away.");
        }
        for (double share : shares) {
            if (!(share > 0 && share < 1)) {
                throw new BadInput("--shares are shares of dense attention's pairs, above 0 and below 1, one was " + share + ". Example: --shares 0.1,0.2.");
            }
        }
        if (maxRows <= 0) {
            throw new BadInput("--rows must be positive, was " + maxRows + ".");
        }
    }

    /// One prompt under one policy.
    record Cell(NeedlePlan.Unit unit, String policy) {
        String key() {
            return unit.key() + "/" + policy;
        }
    }

    List<Cell> cells(int models) {
        List<Cell> cells = new ArrayList<>();
        for (NeedlePlan.Unit unit : needles.units(models)) {
            needles.policies().forEach(policy -> cells.add(new Cell(unit, policy)));
        }
        return cells;
    }

    /// @return the fields that must be equal for two runs to be one
    ObjectNode json() {
        ObjectNode json = needles.json();
        json.remove(List.of("budgets", "settings"));
        ArrayNode at = json.putArray("shares");
        shares.forEach(at::add);
        return json.put("rows", maxRows);
    }
}
