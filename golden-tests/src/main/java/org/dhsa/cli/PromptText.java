package org.dhsa.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// A prompt from the command line, a file or standard input.
final class PromptText {

    private PromptText() {}

    /// The text of a file, or of standard input for `-`, without a byte order mark and without its last line break (editors add both).
    static String read(Path file) throws IOException {
        boolean standardInput = file.toString().equals("-");
        if (!standardInput && !Files.exists(file)) {
            throw new BadInput("--prompt-file: there is no file " + file + ".");
        }
        if (!standardInput && Files.isDirectory(file)) {
            throw new BadInput("--prompt-file: " + file + " is a folder; a text file is needed.");
        }
        byte[] bytes = standardInput ? System.in.readAllBytes() : Files.readAllBytes(file);
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString().replaceFirst("\\A\uFEFF", "").replaceFirst("\\r?\\n\\z", "");
        } catch (CharacterCodingException e) {
            throw new BadInput("--prompt-file: " + (standardInput ? "standard input" : file) + " is not UTF-8 text. Save it as UTF-8 and try again.", e);
        }
    }

    static String requireSome(String text) {
        if (text.isEmpty()) {
            throw new BadInput("The prompt is empty. Give some text: ./dhsa generate \"Once upon a time\", or --prompt-file FILE.");
        }
        return text;
    }
}
