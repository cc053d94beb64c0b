package org.dhsa.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/// Writes a file whole or not at all: first beside its place, then moved there.
public final class FileOutput {

    private FileOutput() {}

    /// Makes the folder if need be and finds out whether a file can be written there, before any long work.
    ///
    /// @param option the option that named it, for the message
    public static void requireWritable(Path folder, String option) {
        try {
            Files.createDirectories(folder);
            Files.delete(Files.createTempFile(folder, ".dhsa", ".tmp"));
        } catch (IOException e) {
            throw new BadInput("Nothing can be written to the folder " + folder + " (" + reason(e) + "). "
                    + "Name another folder with " + option + ", or change its permissions.", e);
        }
    }

    public static void write(Path file, String text) throws IOException {
        Path temporary = Files.createTempFile(file.toAbsolutePath().getParent(), "." + file.getFileName(), ".tmp");
        try {
            Files.writeString(temporary, text, StandardCharsets.UTF_8);
            makeReadable(temporary);
            try {
                Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } catch (AtomicMoveNotSupportedException e) {
                Files.move(temporary, file, StandardCopyOption.REPLACE_EXISTING);
            }
        } catch (IOException e) {
            throw new IOException(file + ": " + reason(e), e);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    /// A temporary file is private; a page is to be shown.
    private static void makeReadable(Path file) {
        file.toFile().setReadable(true, false);
    }

    static String reason(IOException e) {
        return switch (e) {
            case java.nio.file.AccessDeniedException denied -> "access denied to " + denied.getFile();
            case java.nio.file.NoSuchFileException missing -> "no such file: " + missing.getFile();
            case java.nio.file.FileAlreadyExistsException exists -> exists.getFile() + " is a file, not a folder";
            case java.nio.file.FileSystemException other -> other.getReason() == null ? other.getMessage()
                    : other.getReason() + ": " + other.getFile();
            default -> e.getMessage();
        };
    }
}
