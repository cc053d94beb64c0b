package org.dhsa.demo;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.dhsa.backend.Backend;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.GoldenRun;

/// The recordings replayed on a backend, one line per stage.
public final class GoldenVerdicts {

    private GoldenVerdicts() {}

    /// @param onCase told the id of each case as soon as it is checked
    public static List<StageVerdict> check(Path recordings, Backend backend, Consumer<String> onCase) throws IOException {
        try {
            GoldenRun run = GoldenRun.of(recordings, backend, id -> true, result -> onCase.accept(result.id()));
            if (!run.unusable().isEmpty()) {
                throw new IOException(run.unusable().getFirst());
            }
            return run.byStage().values().stream()
                    .map(s -> new StageVerdict(s.stage(), s.pass(), s.nearTie(), s.fail(), s.worstError(), s.budget()))
                    .toList();
        } catch (GoldenFormatException e) {
            throw new IOException(e.getMessage(), e);
        }
    }
}
