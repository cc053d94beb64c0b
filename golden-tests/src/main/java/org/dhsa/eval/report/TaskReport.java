package org.dhsa.eval.report;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.dhsa.cli.BadInput;

/// What can be said about the results of one task: sections of the page, lines of the terminal, fields of the JSON.
///
/// A new task needs an implementation and a line in [#of].
public interface TaskReport {

    /// What is reported.
    ResultSet results();

    /// The page's headline where this task stands alone.
    String headline();

    /// One or two sentences on what was measured.
    String lead();

    /// The parts of the page, in order.
    List<Section> sections();

    /// For the terminal, with its line ends.
    String text();

    /// Adds this task's fields to the object that `--json` prints.
    void addTo(ObjectNode json);

    /// What is missing or odd about the results.
    default List<String> notes() {
        return List.of();
    }

    /// Pictures that stand alone as files: SVG by file name.
    default Map<String, String> pictures() {
        return Map.of();
    }

    /// @throws BadInput if the task is not known
    static TaskReport of(ResultSet results) {
        Map<String, Function<ResultSet, TaskReport>> known = new java.util.LinkedHashMap<>();
        known.put("quick", NeedleReport::of);
        known.put("niah", NeedleReport::of);
        known.put("ablate", NeedleReport::of);
        known.put("recall", RecallReport::new);
        known.put("latency", LatencyReport::new);
        known.put("field", FieldReport::new);
        known.put("kinds", KindsReport::new);
        known.put("ruler", ScoresReport::of);
        known.put("longbench", ScoresReport::of);
        Function<ResultSet, TaskReport> maker = known.get(results.task());
        if (maker == null) {
            throw new BadInput("No report is known for results of eval " + results.task() + ". There are reports for: "
                    + known.keySet().stream().collect(Collectors.joining(", ")) + ".");
        }
        return maker.apply(results);
    }
}
