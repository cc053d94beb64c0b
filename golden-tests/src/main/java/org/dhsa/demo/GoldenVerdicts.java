package org.dhsa.demo;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.dhsa.backend.Backend;
public final class GoldenVerdicts {
    private GoldenVerdicts() {}
    public static List<StageVerdict> check(Path recordings, Backend backend, Consumer<String> progress) { return List.of(); }
}
