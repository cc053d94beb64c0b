package org.dhsa.golden;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendProvider;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.stage.Stage;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.opentest4j.TestAbortedException;

/// Backend × stage × case: `top-k-selection / dhsa_mask/random_0 / reference`.
class GoldenMatrixTest {

    /// Labels and the authors' baselines: functions of the reference, no stages.
    private static final Set<String> REFERENCE_ONLY = Set.of("labels", "block_sparse", "topk_attention", "merge_regions", "kv");

    @TestFactory
    Stream<DynamicContainer> everyStageOfEveryCaseOnEveryBackend() {
        return Stream.concat(ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get).map(this::backend),
                Stream.of(DynamicContainer.dynamicContainer("optimized, plain loops", cases("optimized-scalar", () -> OptimizedBackend.scalar(2)))));
    }

    private DynamicContainer backend(BackendProvider provider) {
        return switch (provider.probe()) {
            case Availability.Available available -> DynamicContainer.dynamicContainer(provider.name() + ": " + available.description(),
                    cases(provider.name(), provider::open));
            case Availability.Missing(String why, String remedy) -> DynamicContainer.dynamicContainer(provider.name(),
                    Stream.of(DynamicTest.dynamicTest(provider.name() + " is missing", () -> {
                        System.out.println("SKIPPED, no " + provider.name() + " here: " + why + " (" + remedy + ")");
                        throw new TestAbortedException(why + " (" + remedy + ")");
                    })));
        };
    }

    private static Stream<DynamicTest> cases(String name, Supplier<Backend> open) {
        if (name.equals(ReferenceBackend.NAME)) {
            return Recordings.cases().stream().flatMap(golden -> stages(Recordings.reference(golden).result(), name));
        }
        try (Backend backend = open.get()) {
            List<CaseResult> results = Recordings.cases().stream().map(golden -> Recordings.check(golden, backend).result()).toList();
            Map<Verdict, Long> counts = results.stream().collect(Collectors.groupingBy(CaseResult::verdict, () -> new EnumMap<>(Verdict.class), Collectors.counting()));
            System.out.println("golden matrix, " + name + ": " + counts + "; near ties: " + results.stream()
                    .flatMap(r -> r.comparisons().stream().filter(c -> c.verdict() == Verdict.NEAR_TIE).map(c -> r.id() + " " + c.where())).toList());
            return Stream.concat(
                    Stream.of(listsOfOtherMethods(name, backend), DynamicTest.dynamicTest("families left to the reference / " + name, () -> assertThat(results.stream()
                            .filter(GoldenMatrixTest::leftToTheReference).map(CaseResult::family).collect(Collectors.toSet())).isEqualTo(REFERENCE_ONLY))),
                    results.stream().filter(r -> !leftToTheReference(r)).flatMap(result -> stages(result, name)));
        } catch (GoldenFormatException | IOException e) {
            throw new AssertionError(e);
        }
    }

    /// Recordings of other methods: attention over every recorded list, and what the backend's stages compute of a selection. Nothing else may count as passed.
    private static DynamicTest listsOfOtherMethods(String name, Backend backend) throws GoldenFormatException, IOException {
        List<CaseResult> results = PolicyRecordingsTest.kinds().stream().map(golden -> Recordings.check(golden, backend).result()).toList();
        return DynamicTest.dynamicTest("attention over the lists of other methods / " + name, () -> {
            assertThat(results.stream().filter(r -> r.verdict() == Verdict.NOT_COVERED).map(CaseResult::id)).as("no queries and keys are recorded").containsExactlyInAnyOrder(
                    "icml_masks/budget_rule", "icml_masks/limits", "seerattention_decode/budget6", "seerattention_decode/thr05");
            assertThat(results).filteredOn(r -> r.verdict() != Verdict.NOT_COVERED).hasSizeGreaterThan(30).allSatisfy(r -> {
                assertThat(r.verdict()).as("%s", r).isEqualTo(Verdict.PASS);
                assertThat(r.comparisons()).as(r.id()).anyMatch(c -> c.stage().equals(Stage.SPARSE_ATTENTION.slug()));
                assertThat(r.selectionNotCovered()).as(r.id()).isEqualTo(!Set.of("xattention", "minference_block_sparse").contains(r.family()));
            });
        });
    }

    /// No case of these families asks for a stage of a backend; that a fast backend leaves out anything else is a failure.
    private static boolean leftToTheReference(CaseResult result) {
        return result.verdict() == Verdict.NOT_COVERED && result.comparisons().isEmpty();
    }

    private static Stream<DynamicTest> stages(CaseResult result, String backend) {
        Map<String, List<Comparison>> byStage = new LinkedHashMap<>();
        result.comparisons().forEach(c -> byStage.computeIfAbsent(c.stage(), s -> new ArrayList<>()).add(c));
        List<DynamicTest> tests = new ArrayList<>();
        byStage.forEach((stage, comparisons) -> tests.add(DynamicTest.dynamicTest(stage + " / " + result.id() + " / " + backend,
                () -> assertThat(comparisons).allSatisfy(c -> assertThat(c.verdict()).as(c.where() + " " + c).isIn(Verdict.PASS, Verdict.NEAR_TIE)))));
        tests.add(DynamicTest.dynamicTest("whole case / " + result.id() + " / " + backend, () -> {
            assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.PASS);
        }));
        return tests.stream();
    }
}
