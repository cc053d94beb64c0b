package org.dhsa.golden.vector;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendProvider;
import org.dhsa.golden.CaseResult;
import org.dhsa.golden.Comparison;
import org.dhsa.golden.Verdict;
import org.dhsa.optimized.OptimizedBackend;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.opentest4j.TestAbortedException;

/// Published vectors × backends: `gemma2/rms-norm/toy / optimized`. A near tie is no pass here: the rule for ties is defined.
class VectorMatrixTest {

    @TestFactory
    Stream<DynamicContainer> everyVectorOnEveryBackend() {
        return Stream.concat(ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get).map(this::backend),
                Stream.of(DynamicContainer.dynamicContainer("optimized, plain loops", cases("optimized-scalar", () -> OptimizedBackend.scalar(2)))));
    }

    private DynamicContainer backend(BackendProvider provider) {
        return switch (provider.probe()) {
            case Availability.Available available -> DynamicContainer.dynamicContainer(provider.name() + ": " + available.description(), cases(provider.name(), provider::open));
            case Availability.Missing(String why, String remedy) -> DynamicContainer.dynamicContainer(provider.name(),
                    Stream.of(DynamicTest.dynamicTest(provider.name() + " is missing", () -> {
                        boolean promised = List.of(System.getProperty("golden.require", "").split("\\s*,\\s*")).contains(provider.name());
                        assertThat(promised).as("the required backend " + provider.name() + " is missing: " + why + " (" + remedy + ")").isFalse();
                        System.out.println("SKIPPED, no " + provider.name() + " here: " + why + " (" + remedy + ")");
                        throw new TestAbortedException(why + " (" + remedy + ")");
                    })));
        };
    }

    /// What this project asks of its own backends, stricter than the 4 that a case asks of every port: twice the error of plain
    /// loops, and the case's floor.
    private static final double OWN_RATIO = 2;

    private static void withinOurOwnRatio(VectorCase golden, CaseResult result) {
        for (Comparison c : result.comparisons()) {
            JsonNode rule = golden.expected().get(c.tensor()).comparison();
            if (rule.path("kind").asText().equals("continuous")) {
                double own = OWN_RATIO * rule.path("baselineError").asDouble() + rule.path("floor").asDouble();
                assertThat(c.maxAbs()).as(() -> result.id() + " " + c.tensor() + " at " + c.worstIndex() + ": baseline " + rule.path("baselineError") + ", floor " + rule.path("floor"))
                        .isLessThanOrEqualTo(own);
            }
        }
    }

    private static Stream<DynamicTest> cases(String name, Supplier<Backend> open) {
        List<CaseResult> results;
        try (Backend backend = open.get()) {
            results = Published.cases().stream().map(golden -> VectorCheck.check(golden, backend)).toList();
        }
        Map<String, VectorCase> byId = Published.cases().stream().collect(Collectors.toMap(VectorCase::id, c -> c));
        return results.stream().map(result -> DynamicTest.dynamicTest(result.id() + " / " + name, () -> {
            assertThat(result.comparisons()).as(result.message()).isNotEmpty();
            assertThat(result.verdict()).as(() -> result.firstDivergence().map(Object::toString).orElse(result.message())).isEqualTo(Verdict.PASS);
            withinOurOwnRatio(byId.get(result.id()), result);
        }));
    }
}
