package org.dhsa.golden;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendProvider;
import org.dhsa.optimized.OptimizedBackend;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.opentest4j.TestAbortedException;

/// Stricter than the tolerance of a recording: on every comparison of numbers the fast kernels may be off by twice what the
/// plain loops in FP32 are off, plus a floor.
///
/// The floor is 2^-23 of the largest recorded value that the comparison shows, times the number of stages that stand behind
/// it: one for a stage that got recorded inputs, 40 for an end-to-end comparison. Baseline errors below it are luck.
class BaselineRuleTest {

    private static final double FLOOR = 0x1p-23;
    private static final int STAGES_OF_A_PASS = 40;

    /// Worst of a stage.
    private record Worst(double ratio, double candidate, double baseline, double allowed, String where) {}

    /// Checks of the plain loops, made once.
    private static final Map<String, CaseResult> PLAIN = new HashMap<>();

    @TestFactory
    Stream<DynamicTest> fastKernelsAreAsRightAsPlainLoops() {
        return asRightAsPlainLoops(new OptimizedBackend(2));
    }

    @TestFactory
    Stream<DynamicTest> openClKernelsAreAsRightAsPlainLoops() {
        BackendProvider provider = ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get)
                .filter(p -> p.name().equals("opencl")).findFirst().orElseThrow();
        return switch (provider.probe()) {
            case Availability.Available available -> asRightAsPlainLoops(provider.open());
            case Availability.Missing(String why, String remedy) -> Stream.of(DynamicTest.dynamicTest("opencl is missing", () -> {
                System.out.println("SKIPPED, no " + provider.name() + " here: " + why + " (" + remedy + ")");
                throw new TestAbortedException(why + " (" + remedy + ")");
            }));
        };
    }

    /// Closes the backend.
    private static Stream<DynamicTest> asRightAsPlainLoops(Backend candidates) {
        Map<String, List<String>> broken = new LinkedHashMap<>();
        Map<String, Worst> worst = new TreeMap<>();
        List<String> nearTies = new ArrayList<>();
        int comparisons = 0;
        int notCovered = 0;
        try (Backend fast = candidates; OptimizedBackend plain = OptimizedBackend.scalar(2)) {
            for (GoldenCase golden : Recordings.cases()) {
                CaseResult candidate = Recordings.check(golden, fast).result();
                CaseResult baseline = PLAIN.computeIfAbsent(golden.id(), id -> Recordings.check(golden, plain).result());
                notCovered += candidate.verdict() == Verdict.NOT_COVERED ? 1 : 0;
                boolean afterTie = false;
                for (int i = 0; i < candidate.comparisons().size(); i++) {
                    Comparison c = candidate.comparisons().get(i);
                    Comparison b = i < baseline.comparisons().size() ? baseline.comparisons().get(i) : null;
                    if (c.verdict() == Verdict.NEAR_TIE || b != null && b.verdict() == Verdict.NEAR_TIE) {
                        nearTies.add(golden.id() + " " + c.where());
                        afterTie |= c.note().contains("end to end");
                    }
                    if (b == null || !b.where().equals(c.where()) || !Double.isFinite(c.maxAbs()) || c.budget() == 0) {
                        continue; // integers, and what the matrix test reports as wrong
                    }
                    comparisons++;
                    boolean wholePass = c.note().contains("end to end") || c.note().startsWith("prompt ");
                    double floor = FLOOR * Math.max(1e-30, largest(golden, c)) * (wholePass ? STAGES_OF_A_PASS : 2);
                    double allowed = 2 * b.maxAbs() + floor;
                    String stage = c.stage() + (wholePass ? ", end to end" : "");
                    Worst here = new Worst(c.maxAbs() / allowed, c.maxAbs(), b.maxAbs(), allowed, golden.id() + " " + c.where());
                    worst.merge(stage, here, (x, y) -> x.ratio() >= y.ratio() ? x : y);
                    broken.computeIfAbsent(stage, s -> new ArrayList<>());
                    if (c.maxAbs() > allowed && !afterTie) {
                        broken.get(stage).add(here.toString());
                    }
                }
            }
        }
        StringBuilder report = new StringBuilder("baseline rule, " + candidates.name() + ": " + comparisons + " comparisons, " + notCovered + " cases not covered, near ties: " + nearTies);
        worst.forEach((stage, w) -> report.append(String.format("%n  %-34s %3.0f%% of what is allowed: candidate %.2g, baseline %.2g, %s", stage, 100 * w.ratio(),
                w.candidate(), w.baseline(), w.where())));
        System.out.println(report);
        int compared = comparisons;
        return Stream.concat(broken.entrySet().stream().map(e -> DynamicTest.dynamicTest(e.getKey() + " / " + candidates.name() + " against plain loops",
                () -> assertThat(e.getValue()).isEmpty())),
                Stream.of(DynamicTest.dynamicTest("something was compared", () -> assertThat(compared).isGreaterThan(300))));
    }

    /// Largest recorded value of the tensor that was compared; a gap between two logits is as uncertain as the logits.
    private static double largest(GoldenCase golden, Comparison c) {
        boolean gap = c.tensor().startsWith("results.") && c.tensor().contains("logit");
        return golden.tensors().values().stream().filter(t -> gap ? t.name().contains("logits") : t.name().equals(c.tensor()))
                .flatMapToDouble(t -> Arrays.stream(t.values())).filter(v -> Double.isFinite(v) && Math.abs(v) < 1e30).map(Math::abs).max().orElse(Math.abs(c.expected()));
    }
}
