package org.dhsa.golden.vector;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.dhsa.golden.GoldenFormatException;

/// The published tree, read once.
final class Published {

    static final Path GOLDEN = Path.of(System.getProperty("dhsa.root", ".")).toAbsolutePath().resolve("golden-tests/golden");
    static final Path V1 = GOLDEN.resolve("v1");
    private static List<VectorCase> cases;

    private Published() {}

    static synchronized List<VectorCase> cases() {
        if (cases == null) {
            cases = folders().stream().map(folder -> {
                try {
                    return VectorCase.read(folder);
                } catch (GoldenFormatException e) {
                    throw new AssertionError(e);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }).toList();
        }
        return cases;
    }

    static List<Path> folders() {
        try (Stream<Path> walk = Files.walk(V1)) {
            return walk.filter(f -> f.endsWith(VectorCase.FILE_NAME)).map(Path::getParent).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
