package org.dhsa.golden.vector;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.ServiceLoader;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendProvider;
import org.dhsa.golden.CaseResult;
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

    private static Stream<DynamicTest> cases(String name, Supplier<Backend> open) {
        List<CaseResult> results;
        try (Backend backend = open.get()) {
            results = Published.cases().stream().map(golden -> VectorCheck.check(golden, backend)).toList();
        }
        return results.stream().map(result -> DynamicTest.dynamicTest(result.id() + " / " + name, () -> {
            assertThat(result.comparisons()).as(result.message()).isNotEmpty();
            assertThat(result.verdict()).as(() -> result.firstDivergence().map(Object::toString).orElse(result.message())).isEqualTo(Verdict.PASS);
        }));
    }
}
