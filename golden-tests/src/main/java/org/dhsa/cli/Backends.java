package org.dhsa.cli;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Stream;
import org.dhsa.backend.Availability;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendOptions;
import org.dhsa.backend.BackendProvider;

/// The backends on the class path.
final class Backends {

    static final String DEFAULT = "reference";
    static final String FAST = "optimized";
    static final String DEVICE = "opencl";

    private Backends() {}

    /// The reference first.
    static List<BackendProvider> providers() {
        return ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get)
                .sorted(Comparator.<BackendProvider, Boolean>comparing(p -> !p.name().equals(DEFAULT)).thenComparing(BackendProvider::name))
                .toList();
    }

    /// Whether a backend can run here.
    static boolean available(String name) {
        return providers().stream().anyMatch(p -> p.name().equals(name) && p.probe() instanceof Availability.Available);
    }

    /// What a backend is on this machine, empty if it cannot run here.
    static Optional<String> describe(String name) {
        return providers().stream().filter(p -> p.name().equals(name)).map(BackendProvider::probe)
                .flatMap(a -> a instanceof Availability.Available(String description) ? Stream.of(description) : Stream.empty()).findFirst();
    }

    static Backend open(String name, BackendOptions options) {
        BackendProvider provider = providers().stream().filter(p -> p.name().equals(name)).findFirst()
                .orElseThrow(() -> new BadInput("--backend: " + Choice.unknown(name, providers().stream().map(BackendProvider::name).toList())
                        + ". ./dhsa backends says what each needs."));
        return switch (provider.probe()) {
            case Availability.Available available -> provider.open(options);
            case Availability.Missing(String why, String remedy) ->
                    throw new BadInput("The backend " + name + " cannot run here: " + why + ". What to do: " + remedy + ".");
        };
    }
}
