package org.dhsa.golden.diff;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/// The result for people, in plain text.
final class DiffText {

    private static final int MOST_CONSEQUENCES = 12;

    private final DiffResult result;
    private final StringBuilder out = new StringBuilder();

    DiffText(DiffResult result) {
        this.result = result;
    }

    String text() {
        line("EXPECTED " + result.expectedPath() + "  (" + result.expected() + ")");
        line("ACTUAL   " + result.actualPath());
        line(coverage());
        result.notes().stream().limit(4).forEach(note -> line("note: " + note));
        if (result.notes().size() > 4) {
            line("note: and " + (result.notes().size() - 4) + " more such notes");
        }
        line("");
        if (!result.differs()) {
            line("Same: every compared tensor is within its budget" + (result.nearTies() > 0 ? "; " + result.nearTies() + " tensors of key lists exchange keys of equal score at the cut (near-tie)"
                    + (result.consequences().isEmpty() ? "" : ", and " + result.consequences().size() + " later stage calls differ only because of that") : "") + ".");
            result.blind().forEach(spot -> line("This run cannot show " + spot + "."));
            return out.toString();
        }
        for (int f = 0; f < result.findings().size(); f++) {
            finding(result.findings().get(f), f);
        }
        consequences();
        return out.toString();
    }

    String coverage() {
        long unused = result.unused().size();
        String missing = result.missing() == 0 ? "" : "; " + result.missing() + " not covered, because ACTUAL does not have them: " + some(result.missingNames());
        return result.compared() + " tensors compared" + missing + (unused == 0 ? "" : "; " + unused + " arrays of ACTUAL are no expected tensor: " + some(result.unused()));
    }

    private static String some(List<String> names) {
        return names.stream().limit(3).collect(Collectors.joining(", ")) + (names.size() > 3 ? ", ..." : "");
    }

    private void finding(DiffResult.Finding finding, int number) {
        TensorDiff diff = finding.worst();
        NodeResult node = finding.first();
        line((number == 0 ? "First divergence: " : "A second, independent divergence: ".replace("second", ordinal(number))) + node.node().where() + ", " + diff.name());
        boolean alone = node.alone().contains(diff);
        if (!diff.index().isEmpty()) {
            line("  at " + diff.index() + (Double.isNaN(diff.expected()) && diff.around().isEmpty() ? ""
                    : ": expected " + number(diff.expected()) + ", actual " + number(diff.actual()) + ", error " + error(diff.maxAbs())));
        }
        if (!diff.note().isEmpty()) {
            line("  " + diff.note());
        }
        if (diff.budget().error() > 0) {
            line("  budget " + error(diff.budget().error()) + " = " + diff.budget().how());
            line("  " + String.format(Locale.ROOT, "%.1f%% of the values are over budget; worst error is %s of the largest value, cosine %.6f", 100 * diff.wrongShare(),
                    error(diff.relative()), diff.cosine()));
        }
        if (alone) {
            line("  judged alone: expected is what the reference makes of ACTUAL's own inputs of this stage");
        } else if (node.cause() == NodeResult.Cause.FOLLOWS) {
            line("  but every stage is what the reference makes of ACTUAL's own inputs: rounding has grown beyond the budget, or the dump was not made in one run");
            line("  (if the program computes in bfloat16 or float16, say so with --dtype)");
        } else if (!node.aloneNote().isEmpty()) {
            line("  " + node.aloneNote());
        }
        if (!node.bridged().isEmpty() && alone) {
            line("  ACTUAL has no result of " + node.bridged().stream().map(n -> n.where() + " (" + n.role() + ")").collect(Collectors.joining(", "))
                    + "; the mistake may lie there too");
        }
        around(diff);
        if (!finding.same().isEmpty()) {
            line("  the same stage is wrong by itself in layers " + finding.layers().stream().map(String::valueOf).collect(Collectors.joining(", ")));
        }
        if (!finding.also().isEmpty()) {
            line("  the same mistake shows by itself in " + some(finding.also()) + (finding.also().size() > 3 ? " (" + finding.also().size() + " tensors)" : ""));
        }
        line("  diagnosis: " + finding.diagnosis().lines().getFirst());
        finding.diagnosis().lines().stream().skip(1).forEach(l -> line("    " + l));
        line("");
    }

    private static String ordinal(int number) {
        return switch (number) {
            case 1 -> "second";
            case 2 -> "third";
            case 3 -> "fourth";
            default -> "further";
        };
    }

    private void around(TensorDiff diff) {
        if (diff.around().isEmpty()) {
            return;
        }
        line(String.format(Locale.ROOT, "    %-46s %16s %16s %10s", "around it", "expected", "actual", "error"));
        for (TensorDiff.Around a : diff.around()) {
            line(String.format(Locale.ROOT, "  %s %-46s %16s %16s %10s", a.worst() ? ">" : " ", a.index(), number(a.expected()), number(a.actual()),
                    error(Math.abs(a.expected() - a.actual()))));
        }
    }

    private void consequences() {
        List<NodeResult> after = result.consequences();
        long same = result.results().stream().filter(r -> r.cause() == NodeResult.Cause.SAME).count();
        List<NodeResult> open = result.results().stream().filter(r -> r.cause() == NodeResult.Cause.OPEN).toList();
        if (!after.isEmpty()) {
            line("What follows from it: " + after.size() + " stage calls differ only because their inputs do (each is what the reference makes of ACTUAL's inputs).");
            line(String.format(Locale.ROOT, "    %-58s %10s %12s", "tensor", "error", "of largest"));
            after.stream().limit(MOST_CONSEQUENCES).forEach(r -> r.worstCompared().ifPresent(d ->
                    line(String.format(Locale.ROOT, "    %-58s %10s %12s", d.name(), error(d.maxAbs()), error(d.relative())))));
            if (after.size() > MOST_CONSEQUENCES) {
                NodeResult last = after.getLast();
                line("    ... " + (after.size() - MOST_CONSEQUENCES - 1) + " more, and last " + last.worstCompared().map(d -> d.name() + " " + error(d.maxAbs())).orElse(""));
            }
        }
        if (!open.isEmpty()) {
            line(open.size() + " more stage calls differ and could not be judged alone: " + open.getFirst().aloneNote());
        }
        line(same + " stage calls agree.");
    }

    static String number(double value) {
        if (!Double.isFinite(value) || value == Math.rint(value) && Math.abs(value) < 1e9) {
            return Double.isFinite(value) ? Long.toString((long) value) : Double.toString(value);
        }
        return String.format(Locale.ROOT, "%.9g", value);
    }

    static String error(double value) {
        return value == 0 ? "0" : Double.isFinite(value) ? String.format(Locale.ROOT, "%.1e", value) : Double.toString(value);
    }

    private void line(String text) {
        out.append(text).append(System.lineSeparator());
    }
}
