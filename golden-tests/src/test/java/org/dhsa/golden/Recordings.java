package org.dhsa.golden;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.dhsa.backend.Backend;
import org.dhsa.reference.ReferenceBackend;

/// The recordings of this project, read once.
final class Recordings {

    static final Path ROOT = Path.of(System.getProperty("dhsa.root", ".")).toAbsolutePath();
    static final Path DIR = ROOT.resolve("golden-tests/recordings");
    private static final ConcurrentHashMap<String, CaseCheck> REFERENCE = new ConcurrentHashMap<>();
    private static List<GoldenCase> all;

    private Recordings() {}

    static synchronized List<GoldenCase> all() {
        if (all == null) {
            try {
                all = GoldenRun.find(DIR);
            } catch (GoldenFormatException | IOException e) {
                throw new AssertionError(e);
            }
        }
        return all;
    }

    /// Without folders of shared weights.
    static List<GoldenCase> cases() {
        return all().stream().filter(c -> !c.isMaterial()).toList();
    }

    static GoldenCase named(String id) {
        return all().stream().filter(c -> c.id().equals(id)).findFirst().orElseThrow(() -> new AssertionError("no recording " + id));
    }

    static CaseCheck check(GoldenCase golden, Backend backend) {
        try {
            return GoldenRun.check(golden, backend);
        } catch (GoldenFormatException | IOException e) {
            throw new AssertionError(golden.id(), e);
        }
    }

    /// The reference on a recording, computed once for all tests.
    static CaseCheck reference(GoldenCase golden) {
        return REFERENCE.computeIfAbsent(golden.id(), id -> check(golden, new ReferenceBackend()));
    }
}
