package org.dhsa.eval;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.dhsa.cli.BadInput;

/// The text files of a haystack folder.
///
/// @param files       their texts, in the order of their names, none empty
/// @param fingerprint of the text
public record Prose(List<String> files, String fingerprint) {

    /// @param folder holds `.txt` files
    /// @throws BadInput if there is no text
    public static Prose read(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new BadInput("--haystack: " + folder + " is not a folder. Name one that holds .txt files.");
        }
        List<Path> paths;
        try (Stream<Path> all = Files.list(folder)) {
            paths = all.filter(p -> p.getFileName().toString().endsWith(".txt")).sorted().toList();
        }
        List<String> files = new ArrayList<>();
        for (Path path : paths) {
            String text = text(path).strip();
            if (!text.isEmpty()) {
                files.add(text);
            }
        }
        if (files.isEmpty()) {
            throw new BadInput("--haystack: the folder " + folder + " holds no text: " + (paths.isEmpty() ? "no file ends in .txt" : "its " + paths.size()
                    + " .txt files are empty") + ". Put the prose there as .txt files (UTF-8), or leave the option away for the toy language.");
        }
        return new Prose(List.copyOf(files), "prose " + ProsePrompts.sha256(String.join("\n", files)).substring(0, 12));
    }

    /// Sentences of all files, one after the other: cut after `.`, `!` or `?` before a blank, blanks and line ends made one blank.
    public List<String> sentences() {
        return files.stream().flatMap(text -> Stream.of(text.replaceAll("\\s+", " ").split("(?<=[.!?]) "))).filter(s -> !s.isBlank()).toList();
    }

    private static String text(Path path) throws IOException {
        try {
            return Files.readString(path, StandardCharsets.UTF_8);
        } catch (java.nio.charset.CharacterCodingException e) {
            throw new BadInput("--haystack: " + path + " is not UTF-8 text. Convert it, or take it out of the folder.", e);
        }
    }
}
