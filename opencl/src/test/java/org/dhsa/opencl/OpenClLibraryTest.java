package org.dhsa.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.dhsa.backend.Availability;
import org.junit.jupiter.api.Test;

/// What is said where something is missing; needs no device.
class OpenClLibraryTest {

    /// Whatever this machine has: an answer, never an exception.
    @Test
    void theProbeAnswers() {
        switch (new OpenClBackendProvider().probe()) {
            case Availability.Available(String description) -> assertThat(description).contains("compute units");
            case Availability.Missing(String why, String remedy) -> {
                assertThat(why).isNotBlank();
                assertThat(remedy).isNotBlank();
            }
        }
    }

    @Test
    void aMissingLoaderIsAnAnswerWithARemedy() {
        assertThat(why("Linux", library -> false)).contains("no OpenCL loader", "pocl-opencl-icd");
        assertThat(why("Linux", "libOpenCL.so.1"::equals)).contains("libOpenCL.so.1", "ocl-icd-opencl-dev");
        assertThat(why("Windows 11", library -> false)).contains("OpenCL.dll");
        assertThat(why("Mac OS X", library -> false)).contains("framework");
        assertThat(OpenClLibrary.withoutLoader("Linux", "libOpenCL.so"::equals)).isEmpty();
    }

    private static String why(String system, OpenClLibrary.Loading loading) {
        Optional<OpenClLibrary.Found> found = OpenClLibrary.withoutLoader(system, loading);
        return found.orElseThrow().missing().orElseThrow().toString();
    }
}
