package org.dhsa.golden;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.stream.Stream;
import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendProvider;
import org.dhsa.reference.ReferenceBackend;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.opentest4j.TestAbortedException;

/// Backend × stage × case: `top-k-selection / dhsa_mask/random_0 / reference`.
class GoldenMatrixTest {

    @TestFactory
    Stream<DynamicContainer> everyStageOfEveryCaseOnEveryBackend() {
        return ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get).map(this::backend);
    }

    private DynamicContainer backend(BackendProvider provider) {
        return switch (provider.probe()) {
            case Availability.Available available -> DynamicContainer.dynamicContainer(provider.name(), cases(provider));
            case Availability.Missing(String why, String remedy) -> DynamicContainer.dynamicContainer(provider.name(),
                    Stream.of(DynamicTest.dynamicTest(provider.name() + " is missing", () -> {
                        throw new TestAbortedException(why + " (" + remedy + ")");
                    })));
        };
    }

    private Stream<DynamicTest> cases(BackendProvider provider) {
        return Recordings.cases().stream().flatMap(golden -> {
            CaseResult result;
            if (provider.name().equals(ReferenceBackend.NAME)) {
                result = Recordings.reference(golden).result();
            } else {
                try (Backend backend = provider.open()) {
                    result = Recordings.check(golden, backend).result();
                }
            }
            return stages(result, provider.name());
        });
    }

    private static Stream<DynamicTest> stages(CaseResult result, String backend) {
        Map<String, List<Comparison>> byStage = new LinkedHashMap<>();
        result.comparisons().forEach(c -> byStage.computeIfAbsent(c.stage(), s -> new ArrayList<>()).add(c));
        List<DynamicTest> tests = new ArrayList<>();
        byStage.forEach((stage, comparisons) -> tests.add(DynamicTest.dynamicTest(stage + " / " + result.id() + " / " + backend,
                () -> assertThat(comparisons).allSatisfy(c -> assertThat(c.verdict()).as(c.where() + " " + c).isIn(Verdict.PASS, Verdict.NEAR_TIE)))));
        tests.add(DynamicTest.dynamicTest("whole case / " + result.id() + " / " + backend, () -> {
            if (result.verdict() == Verdict.NOT_COVERED && result.comparisons().isEmpty() && !backend.equals(ReferenceBackend.NAME)) {
                throw new TestAbortedException(result.message());
            }
            assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.PASS);
        }));
        return tests.stream();
    }
}
