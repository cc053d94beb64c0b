package org.dhsa.optimized;

import static org.assertj.core.api.Assertions.assertThat;

import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.junit.jupiter.api.Test;

/// The probe says what will run, and what is missing when the fast kernels cannot.
class WithoutVectorModuleTest {

    @Test
    void theProbeNamesTheKernelsOrTheMissingModule() {
        assertThat(new OptimizedBackendProvider().probe()).isInstanceOfSatisfying(Availability.Available.class, available -> {
            if (KernelChoice.vectorModulePresent()) {
                assertThat(available.description()).contains(KernelChoice.best().description()).contains("processors");
            } else {
                assertThat(available.description()).contains("plain loops").contains("--add-modules=jdk.incubator.vector");
            }
        });
    }

    @Test
    void theBackendOpensEitherWay() {
        try (Backend backend = new OptimizedBackendProvider().open()) {
            assertThat(((OptimizedBackend) backend).description()).startsWith(KernelChoice.vectorModulePresent() ? "Vector API" : "plain loops");
        }
    }

    @Test
    void thisRunIsTheOneThatWasConfigured() {
        if ("scalar".equals(System.getProperty("dhsa.kernels"))) {
            assertThat(KernelChoice.vectorModulePresent()).as("the module must be absent in this run").isFalse();
        }
    }
}
