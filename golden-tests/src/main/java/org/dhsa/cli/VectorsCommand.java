package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.golden.vector.VectorTree;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `dhsa golden vectors --out DIR`: computes the published vectors again.
@Command(name = "vectors", mixinStandardHelpOptions = true, sortOptions = false, header = "Writes the published vectors into a new folder.",
        description = "For people who change this project. Expected values come from the reference, baseline errors from plain loops in float32, and the distance to the official code from the recordings.")
final class VectorsCommand implements Callable<Integer> {

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "a new or empty folder")
    private Path out;

    @Option(names = "--commit", paramLabel = "HASH", description = "commit of this program, for the manifest (default: what git says of the working copy)")
    private String commit;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        PrintWriter err = spec.commandLine().getErr();
        boolean progress = System.console() != null && System.console().isTerminal();
        try {
            VectorTree.write(out, commit == null ? headCommit() : commit, Home.find().recordings(), (done, all) -> {
                if (progress) {
                    System.err.print("\r" + done + " of " + all + " cases");
                }
            });
            return GoldenCommand.GOOD;
        } catch (GoldenFormatException | IllegalArgumentException e) {
            err.println("dhsa: " + e.getMessage());
            err.flush();
            return GoldenCommand.BAD_INPUT;
        }
    }

    private static String headCommit() throws IOException {
        Process git = new ProcessBuilder("git", "rev-parse", "HEAD").directory(Home.find().root().toFile()).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        String said = new String(git.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip();
        if (!said.matches("[0-9a-f]{40,64}")) {
            throw new IllegalArgumentException("git does not say which commit this is: name it with --commit");
        }
        return said;
    }
}
