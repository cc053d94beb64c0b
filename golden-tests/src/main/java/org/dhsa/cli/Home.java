package org.dhsa.cli;

import java.nio.file.Files;
import java.nio.file.Path;

/// Where the project's own data lie. `./dhsa` says so with `-Ddhsa.root`.
public record Home(Path root) {

    static final String TINY = "golden-tests/models/tiny-gemma2";

    public static Home find() {
        String stated = System.getProperty("dhsa.root");
        return new Home(Path.of(stated == null || stated.isBlank() ? "" : stated).toAbsolutePath().normalize());
    }

    public Path tinyModel() {
        return required(root.resolve(TINY));
    }

    public Path recordings() {
        return required(root.resolve("golden-tests/recordings"));
    }

    private Path required(Path path) {
        if (!Files.isDirectory(path)) {
            throw new BadInput("The folder " + path + " is not there: the command line was not started from a complete checkout. "
                    + "Start it with ./dhsa, or say where the checkout is: -Ddhsa.root=FOLDER.");
        }
        return path;
    }
}
