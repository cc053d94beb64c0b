package org.dhsa.eval.task;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/// Text that needles are hidden in: as many units as are wanted, with the needles between them.
final class Haystack {

    /// RULER hides needles at 40 depths, evenly from 0 to 100 percent, no two at the same one.
    private static final int DEPTHS = 40;

    /// A sentence of the haystack, or what stands for one.
    ///
    /// @param before what separates it from what stands before it
    record Unit(String before, String text) {}

    private final Supplier<Unit> more;
    private final List<Unit> units = new ArrayList<>();
    private final List<String> needles;
    private final List<Double> depths;
    private final String joint;

    private Haystack(Supplier<Unit> more, List<String> needles, List<Double> depths, String joint) {
        this.more = more;
        this.needles = needles;
        this.depths = depths;
        this.joint = joint;
    }

    /// Needles at depths of their own.
    ///
    /// @param more  the next unit; never runs out
    /// @param joint between a needle and what follows it
    Haystack(Supplier<Unit> more, List<String> needles, String joint, Random random) {
        this(more, needles, depths(needles.size(), random), joint);
    }

    /// Needles in the order given.
    static Haystack inOrder(Supplier<Unit> more, List<String> needles, String joint, Random random) {
        return new Haystack(more, needles, depths(needles.size(), random).stream().sorted().toList(), joint);
    }

    private static List<Double> depths(int needles, Random random) {
        List<Integer> places = new ArrayList<>(IntStream.range(0, DEPTHS).boxed().toList());
        Collections.shuffle(places, random);
        return places.subList(0, needles).stream().map(p -> p / (DEPTHS - 1.0)).toList();
    }

    /// The first n units with the needles among them: needle i before unit ⌊depth_i · n⌋.
    String text(int n) {
        while (units.size() < n) {
            units.add(more.get());
        }
        StringBuilder text = new StringBuilder();
        for (int i = 0; i <= n; i++) {
            String before = i < n ? units.get(i).before() : joint;
            for (int needle = 0; needle < needles.size(); needle++) {
                if ((int) (depths.get(needle) * n) == i) {
                    append(text, before, needles.get(needle));
                    before = joint;
                }
            }
            if (i < n) {
                append(text, before, units.get(i).text());
            }
        }
        return text.toString();
    }

    private static void append(StringBuilder text, String before, String sentence) {
        text.append(text.isEmpty() ? "" : before).append(sentence);
    }
}
