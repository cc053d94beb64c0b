package org.dhsa.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// The ranks of the needle, new tokens taken together: one line per run, asker and layer.
///
/// @param asker `the question` or `7 new tokens`
record NeedleSummary(String run, String asker, int layer, List<NeedleRank> ranks) {

    static List<NeedleSummary> of(DemoResult demo) {
        List<NeedleSummary> lines = new ArrayList<>();
        for (AttentionRun run : demo.sparseRuns()) {
            List<NeedleRank> ranks = NeedleRank.of(run.trace().orElseThrow(), demo.prompt());
            byLayer(ranks, true).forEach((layer, r) -> lines.add(new NeedleSummary(run.title(), NeedleRank.QUESTION, layer, r)));
            byLayer(ranks, false).forEach((layer, r) -> lines.add(new NeedleSummary(run.title(), r.size() + " new tokens", layer, r)));
        }
        return lines;
    }

    private static TreeMap<Integer, List<NeedleRank>> byLayer(List<NeedleRank> ranks, boolean question) {
        return ranks.stream().filter(r -> r.asker().equals(NeedleRank.QUESTION) == question)
                .collect(Collectors.groupingBy(NeedleRank::layer, TreeMap::new, Collectors.toList()));
    }

    String rank() {
        return Text.ranks(ranks) + " of " + ranks.getLast().chunks();
    }

    String kept() {
        return Text.kept(ranks);
    }
}
