package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Stream;
import picocli.CommandLine;

/// Runs the command line inside the test's own JVM.
final class Cli {

    static final Path TINY = Home.find().tinyModel();

    /// The first sample prompt of the tiny model, 115 tokens; the answer is 44135.
    static final String PROMPT = """
            The crew was happy when the ferry reached the harbor. The special magic number for copper is 44135. \
            The yacht carried grain across the harbor. Paul painted the hull black in the evening. The tanker carried timber across the bay. \
            A storm broke the anchor of the ferry. The captain of the ferry watched the lighthouse.
            What is the special magic number for copper? The special magic number for copper is""";

    record Result(int code, String out, String err) {}

    private Cli() {}

    static Result run(String... args) {
        return run(Main.commandLine(), args);
    }

    static Result run(CommandLine commandLine, String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        commandLine.setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
        int code = commandLine.execute(args);
        return new Result(code, out.toString(), err.toString());
    }

    /// A copy of the tiny model that a test may damage.
    static Path copyOfTinyModel(Path folder) throws IOException {
        for (String name : List.of("config.json", "generation_config.json", "model.safetensors", "tokenizer.model",
                "boundary_predictor.safetensors", "boundary_predictor.json", "niah_samples.jsonl")) {
            Files.copy(TINY.resolve(name), folder.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        }
        return folder;
    }

    static List<Path> files(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            return all.filter(Files::isRegularFile).toList();
        }
    }
}
