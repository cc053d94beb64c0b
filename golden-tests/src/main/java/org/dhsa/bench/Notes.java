package org.dhsa.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.TreeMap;

/// What a benchmark tells besides its times: pairs read, floating-point operations, why a check failed.
///
/// A benchmark runs in a JVM of its own. It appends `name=value` lines to the file that [#PROPERTY] names; the JVM that
/// started it reads them. Without the property nothing is written.
final class Notes {

    static final String PROPERTY = "dhsa.bench.notes";

    private Notes() {}

    static void put(String name, Object value) {
        String file = System.getProperty(PROPERTY);
        if (file == null) {
            return;
        }
        try {
            Files.writeString(Path.of(file), name + "=" + String.valueOf(value).replace('\n', ' ') + "\n",
                    StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The last value of every name.
    static Map<String, String> read(Path file) throws IOException {
        Map<String, String> notes = new TreeMap<>();
        if (Files.exists(file)) {
            for (String line : Files.readAllLines(file)) {
                int at = line.indexOf('=');
                notes.put(line.substring(0, at), line.substring(at + 1));
            }
        }
        return notes;
    }
}
