package org.dhsa.eval;

import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.dhsa.cli.SweepRecipe;

/// An engine beyond this process, found on the class path.
public interface EngineProvider {

    /// As `--engine` names it.
    String name();

    /// Connects.
    ///
    /// @throws org.dhsa.cli.BadInput if it cannot be reached
    SweepEngine open(Request request);

    /// What an engine needs to know.
    ///
    /// @param recipe   makes the sweep again in another process
    /// @param master   where it is; the engine's default if absent
    /// @param settings the engine's own, by their names
    /// @param say      one line for whoever watches
    record Request(SweepRecipe recipe, Optional<String> master, Map<String, String> settings, Consumer<String> say) {}
}
