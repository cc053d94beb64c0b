package org.dhsa.golden;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import org.dhsa.backend.Availability;
import org.dhsa.backend.BackendProvider;
import org.junit.jupiter.api.Test;

/// A lane that promises a backend, `-Dgolden.require=opencl` or `./dhsa test --require opencl`, fails without it.
class RequiredBackendTest {

    @Test
    void whatIsRequiredIsThere() {
        Arrays.stream(System.getProperty("golden.require", "").split(",")).map(String::strip).filter(name -> !name.isEmpty())
                .forEach(name -> missing(name).ifPresent(why -> fail("the required backend " + name + " is missing: " + why)));
    }

    @Test
    void theReferenceIsAlwaysThere() {
        assertThat(missing("reference")).isEmpty();
    }

    @Test
    void aBackendThatDoesNotExistIsMissing() {
        assertThat(missing("abacus").orElseThrow()).contains("there is no backend abacus", "reference");
    }

    /// Why tests of a backend cannot run here, empty if they can.
    private static Optional<String> missing(String name) {
        List<BackendProvider> all = ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get).toList();
        Optional<BackendProvider> found = all.stream().filter(p -> p.name().equals(name)).findFirst();
        if (found.isEmpty()) {
            return Optional.of("there is no backend " + name + " in this version; there are: " + all.stream().map(BackendProvider::name).toList());
        }
        return switch (found.get().probe()) {
            case Availability.Available available -> Optional.empty();
            case Availability.Missing(String why, String remedy) -> Optional.of(why + " (" + remedy + ")");
        };
    }
}
