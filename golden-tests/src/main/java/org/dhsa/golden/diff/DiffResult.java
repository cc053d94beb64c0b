package org.dhsa.golden.diff;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dhsa.golden.Verdict;

/// Everything that a comparison found.
///
/// @param expected what ACTUAL was compared with, for people
/// @param unused   arrays of ACTUAL that are no expected tensor
/// @param notes    what was tolerated
/// @param blind    what this run cannot show, right or wrong
record DiffResult(String expectedPath, String actualPath, String expected, List<NodeResult> results, List<Finding> findings, List<String> unused, List<String> notes,
                  List<String> blind) {

    /// One mistake: the first stage where it shows, and the others of the same kind.
    ///
    /// @param same the later calls of the same stage and role that are wrong by themselves too
    /// @param also other tensors in which the same mistake shows by itself
    record Finding(NodeResult first, TensorDiff worst, List<NodeResult> same, List<String> also, Optional<HeatMap> heat, Diagnosed diagnosis) {

        /// `1, 2, 3`.
        List<Integer> layers() {
            List<Integer> layers = new ArrayList<>(List.of(first.node().layer()));
            same.forEach(s -> layers.add(s.node().layer()));
            return layers;
        }
    }

    /// Results that are wrong by themselves, those of one stage and role together, in the order in which they show.
    static Map<String, List<NodeResult>> groups(List<NodeResult> results) {
        Map<String, List<NodeResult>> groups = new LinkedHashMap<>();
        results.stream().filter(NodeResult::guilty).forEach(r -> groups.computeIfAbsent(r.node().stage() + r.node().role(), k -> new ArrayList<>()).add(r));
        if (groups.isEmpty() && results.stream().noneMatch(NodeResult::nearTie)) {
            // over budget, though every stage is what its inputs make it: the first is shown
            results.stream().filter(NodeResult::differs).findFirst().ifPresent(r -> groups.put("", List.of(r)));
        }
        return groups;
    }

    /// Findings that one mistake explains become one: the first, with the mistakes that explain all of them.
    static List<Finding> merged(List<Finding> findings) {
        List<Finding> merged = new ArrayList<>();
        for (Finding finding : findings) {
            int at = 0;
            Set<String> common = Set.of();
            while (at < merged.size() && common.isEmpty()) {
                common = new LinkedHashSet<>(merged.get(at).diagnosis().bugs());
                common.retainAll(finding.diagnosis().bugs());
                at++;
            }
            if (common.isEmpty()) {
                merged.add(finding);
                continue;
            }
            Finding earlier = merged.get(at - 1);
            List<String> also = new ArrayList<>(earlier.also());
            also.add(finding.worst().name());
            Diagnosed diagnosis = common.size() == earlier.diagnosis().bugs().size() ? earlier.diagnosis() : finding.diagnosis();
            merged.set(at - 1, new Finding(earlier.first(), earlier.worst(), earlier.same(), also, earlier.heat(), new Diagnosed(List.copyOf(common), diagnosis.lines())));
        }
        return merged;
    }

    /// What follows from another choice among keys of equal score is no difference.
    boolean differs() {
        return results.stream().anyMatch(r -> r.guilty() || r.cause() == NodeResult.Cause.OPEN)
                || results.stream().anyMatch(NodeResult::differs) && results.stream().noneMatch(NodeResult::nearTie);
    }

    long compared() {
        return results.stream().mapToLong(r -> r.compared().size()).sum();
    }

    long missing() {
        return results.stream().mapToLong(r -> r.missing().size()).sum();
    }

    List<String> missingNames() {
        return results.stream().flatMap(r -> r.missing().stream()).toList();
    }

    long nearTies() {
        return results.stream().flatMap(r -> r.compared().stream()).filter(d -> d.verdict() == Verdict.NEAR_TIE).count();
    }

    Optional<NodeResult> firstDivergence() {
        return results.stream().filter(NodeResult::differs).findFirst();
    }

    /// Those that differ, but are what the reference makes of ACTUAL's inputs.
    List<NodeResult> consequences() {
        return results.stream().filter(r -> r.cause() == NodeResult.Cause.FOLLOWS).toList();
    }

    int exitCode() {
        return differs() ? 1 : 0;
    }
}
