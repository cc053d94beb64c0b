package org.dhsa.cli;

import java.io.PrintWriter;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dhsa.bug.KnownBugs;
import org.dhsa.golden.CaseResult;
import org.dhsa.golden.Comparison;
import org.dhsa.golden.GoldenRun;
import org.dhsa.golden.Verdict;
import org.dhsa.golden.vector.StageCatalog;

/// What `golden check` says when all cases are through: tables, the failures in the order in which to mend them, and which to mend first.
final class CheckReport {

    /// Failures of one stage that are shown in full.
    private static final int MOST_PER_STAGE = 3;
    private static final String UPSTREAM = "dhsa-upstream";

    private final GoldenRun run;
    private final PrintWriter out;
    private final boolean verbose;
    private final boolean wholeTree;

    /// @param wholeTree all vectors were checked, so a level can be called complete
    CheckReport(GoldenRun run, PrintWriter out, boolean verbose, boolean wholeTree) {
        this.run = run;
        this.out = out;
        this.verbose = verbose;
        this.wholeTree = wholeTree;
    }

    void print() {
        stageTable();
        levelTable();
        notCovered();
        divergences();
        bugs();
        whereToStart();
        totals();
        out.flush();
    }

    private void stageTable() {
        out.println();
        out.println(String.format(Locale.ROOT, "%-24s %6s %9s %6s %12s %9s  %s", "stage", "pass", "near-tie", "fail", "worst error", "allowed", "where"));
        for (GoldenRun.StageSummary s : run.byStage().values()) {
            out.println(String.format(Locale.ROOT, "%-24s %6d %9d %6d %12s %9s  %s", s.stage(), s.pass(), s.nearTie(), s.fail(),
                    number(s.worstError()), s.budget() == 0 ? "exact" : number(s.budget()), s.worstError() == 0 ? "" : s.worstWhere()));
        }
    }

    private void levelTable() {
        if (run.byLevel().isEmpty()) {
            return;
        }
        out.println();
        out.println(String.format(Locale.ROOT, "%-24s %6s %9s %6s %12s", "level", "pass", "near-tie", "fail", "not-covered"));
        run.byLevel().forEach(l -> out.println(String.format(Locale.ROOT, "%-24s %6d %9d %6d %12d%s", l.level(), l.pass(), l.nearTie(), l.fail(), l.notCovered(), complete(l))));
    }

    private String complete(GoldenRun.LevelSummary level) {
        if (!wholeTree || level.fail() > 0) {
            return "";
        }
        boolean corrected = run.cases().stream().filter(c -> c.verdict() == Verdict.NOT_COVERED && run.place(c).level().equals(level.level()))
                .allMatch(c -> run.place(c).profile().equals(UPSTREAM));
        return level.notCovered() == 0 ? "  complete" : corrected ? "  complete but for the profile " + UPSTREAM : "";
    }

    /// By level: how many cases of which stage.
    private void notCovered() {
        List<CaseResult> missing = run.cases().stream().filter(c -> c.verdict() == Verdict.NOT_COVERED).sorted(order()).toList();
        if (missing.isEmpty()) {
            return;
        }
        out.println();
        out.println("not covered" + (verbose ? "" : " (-v lists the cases)"));
        Map<String, Map<String, Integer>> byLevel = new LinkedHashMap<>();
        for (CaseResult c : missing) {
            String profile = run.place(c).profile().equals(UPSTREAM) ? " " + UPSTREAM : "";
            byLevel.computeIfAbsent(run.place(c).level(), l -> new LinkedHashMap<>()).merge(c.family() + profile, 1, Integer::sum);
        }
        byLevel.forEach((level, stages) -> out.println("  " + String.format(Locale.ROOT, "%-3s", level)
                + stages.entrySet().stream().map(e -> e.getKey() + " " + e.getValue()).collect(Collectors.joining(", "))));
        List<String> why = missing.stream().map(CaseResult::message).filter(m -> !m.isEmpty()).distinct().toList();
        why.stream().limit(3).forEach(m -> out.println("  because " + m));
        if (why.size() > 3) {
            out.println("  and " + (why.size() - 3) + " more reasons");
        }
    }

    /// Lowest level first, in it the stages as they are computed, in them what was recognised first.
    private Comparator<CaseResult> order() {
        List<String> slugs = StageCatalog.INSTANCE.slugs();
        return Comparator.comparing((CaseResult c) -> run.place(c).level()).thenComparingInt(c -> slugs.indexOf(c.family()))
                .thenComparing(c -> c.bugs().size() != 1).thenComparing(CaseResult::id);
    }

    private List<CaseResult> wrong() {
        return run.cases().stream().filter(c -> c.verdict() == Verdict.FAIL || c.verdict() == Verdict.ERROR).sorted(order()).toList();
    }

    private void divergences() {
        List<CaseResult> ties = run.cases().stream().filter(c -> c.verdict() == Verdict.NEAR_TIE).toList();
        if (verbose) {
            ties.forEach(this::divergence);
        } else if (!ties.isEmpty()) {
            out.println();
            out.println(ties.size() + (ties.size() == 1 ? " case takes" : " cases take") + " other keys of equal score (near-tie), which is no failure; the rule is lowest position first. -v shows them.");
        }
        Map<String, List<CaseResult>> byStage = wrong().stream().collect(Collectors.groupingBy(this::stage, LinkedHashMap::new, Collectors.toList()));
        byStage.forEach((stage, cases) -> {
            cases.stream().limit(verbose ? cases.size() : MOST_PER_STAGE).forEach(this::divergence);
            if (!verbose && cases.size() > MOST_PER_STAGE) {
                out.println();
                out.println("and " + (cases.size() - MOST_PER_STAGE) + " more of " + stage + "; -v shows them");
            }
        });
    }

    private String stage(CaseResult c) {
        int slash = c.id().lastIndexOf('/');
        return slash < 0 ? c.family() : c.id().substring(0, slash);
    }

    private void divergence(CaseResult result) {
        out.println();
        out.println(result.id() + ": " + result.verdict().slug() + (result.verdict() == Verdict.ERROR ? "" : ", first divergence"));
        result.firstDivergence().ifPresent(c -> out.println("  " + detail(c)));
        result.diagnosis().ifPresent(d -> out.println("  diagnosis: " + d.text().replace(System.lineSeparator(), System.lineSeparator() + "    ")));
    }

    private void bugs() {
        Map<String, Long> bugs = run.cases().stream().flatMap(c -> c.bugs().size() == 1 ? c.bugs().stream() : Stream.empty())
                .collect(Collectors.groupingBy(b -> b, TreeMap::new, Collectors.counting()));
        bugs.forEach((id, cases) -> KnownBugs.byId(id).ifPresent(bug -> {
            out.println();
            out.println("matches bug " + id + " in " + cases + (cases == 1 ? " case: " : " cases: ") + bug.title() + "; " + bug.remedy() + " (" + bug.docsLink() + ")");
        }));
    }

    /// The lowest stage that is wrong, and the mistake that explains most of its diagnosed cases.
    private void whereToStart() {
        List<CaseResult> wrong = wrong();
        if (wrong.isEmpty() || run.cases().size() == 1 || run.byLevel().isEmpty()) {
            return;
        }
        String stage = stage(wrong.getFirst());
        List<CaseResult> here = wrong.stream().filter(c -> stage(c).equals(stage)).toList();
        long all = run.cases().stream().filter(c -> stage(c).equals(stage)).count();
        List<CaseResult> diagnosed = here.stream().filter(c -> c.diagnosis().isPresent()).toList();
        Map<String, Long> named = diagnosed.stream().flatMap(c -> c.bugs().stream()).collect(Collectors.groupingBy(b -> b, TreeMap::new, Collectors.counting()));
        out.println();
        out.println("Start with " + stage + " (" + run.place(here.getFirst()).level() + "): " + here.size() + " of its " + all + " cases are wrong"
                + (here.size() < wrong.size() ? "; the other " + (wrong.size() - here.size()) + " may only follow from it" : ""));
        named.entrySet().stream().max(Map.Entry.comparingByValue()).ifPresentOrElse(
                most -> out.println("  " + most.getKey() + " explains " + most.getValue() + " of the " + diagnosed.size() + " that were diagnosed"),
                () -> {
                    if (!diagnosed.isEmpty()) {
                        out.println("  none of the known bugs explains it");
                    }
                });
        out.println("  alone: --filter \"" + stage + "/*\"");
    }

    private void totals() {
        out.println();
        out.println(run.cases().size() + " cases: " + run.count(Verdict.PASS) + " pass, " + run.count(Verdict.NEAR_TIE) + " near-tie, "
                + run.count(Verdict.FAIL) + " fail, " + run.count(Verdict.ERROR) + " error, " + run.count(Verdict.NOT_COVERED) + " not-covered; "
                + run.comparisons() + " comparisons"
                + (run.unusable().isEmpty() ? "" : "; " + run.unusable().size() + " more could not be checked")
                + (run.materials().isEmpty() ? "" : "; weights shared by cases: " + run.materials().stream().distinct().collect(Collectors.joining(", "))));
        long chosenElsewhere = run.cases().stream().filter(CaseResult::selectionNotCovered).count();
        if (chosenElsewhere > 0) {
            out.println("NOT COVERED in " + chosenElsewhere + " of those that pass: how keys are selected (lists, masks, counts). That is FP64 code which all backends share; --backend reference compares it.");
            out.println("What " + run.backend().name() + " computed there is in the table: sparse-attention is attention over the recorded lists, against FP64 attention over the same lists or the recorded output.");
        }
        if (run.comparisons() == 0) {
            out.println("Nothing was compared.");
        }
    }

    static String detail(Comparison c) {
        String where = c.tensor().isEmpty() ? c.stage() + ": " + c.note() : c.where();
        if (c.verdict() == Verdict.PASS) {
            return where + ", worst error " + number(c.maxAbs()) + " of " + number(c.budget());
        }
        if (c.verdict() == Verdict.ERROR || c.worstIndex().isEmpty()) {
            return where;
        }
        return where + System.lineSeparator() + "  at " + c.worstIndex() + ": expected " + value(c.expected()) + ", actual " + value(c.actual()) + ", error "
                + number(c.maxAbs()) + ", allowed " + number(c.budget());
    }

    /// Whole numbers without a point, all others with every digit.
    private static String value(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e6 ? Long.toString((long) value) : Double.toString(value);
    }

    static String number(double value) {
        if (value == Math.rint(value) && Math.abs(value) < 1e6) {
            return Long.toString((long) value);
        }
        return Double.isFinite(value) ? String.format(Locale.ROOT, "%.1e", value) : Double.toString(value);
    }
}
