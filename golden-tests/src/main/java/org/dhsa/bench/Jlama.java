package org.dhsa.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/// Prefill of Jlama, an inference engine in Java, as an anchor. It runs in a JVM of its own with its own libraries, which are
/// no part of this project: they must be fetched first, and without them the anchor is left out.
record Jlama(Path folder) {

    static final String FETCH = "mvn -f golden-tests/jlama/pom.xml package";
    private static final String SECONDS = "seconds=";
    private static final String OPERATIONS = "operations=";

    /// @param operations the kernels it chose, in its own words
    record Result(double[] seconds, String operations) {}

    /// @param root the checkout
    static Jlama in(Path root) {
        return new Jlama(root.resolve("golden-tests/jlama"));
    }

    boolean isFetched() {
        return Files.isDirectory(libraries());
    }

    private Path libraries() {
        return folder.resolve("target/lib");
    }

    /// Reads prompts of one length, each with an empty cache.
    ///
    /// @param unmeasured prompts before the measured ones
    /// @throws BenchFailedException if it fails
    Result prefill(Path model, int tokens, int threads, int unmeasured, int measured) {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-cp", libraries().resolve("*").toString(), folder.resolve("JlamaPrefill.java").toString()));
        Stream.of(model, tokens, threads, unmeasured, measured).map(Object::toString).forEach(command::add);
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) {
                throw new BenchFailedException("Jlama failed: " + out.strip(), null);
            }
            return parse(out);
        } catch (IOException e) {
            throw new BenchFailedException("Jlama cannot be started: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BenchFailedException("interrupted", e);
        }
    }

    static Result parse(String out) {
        double[] seconds = out.lines().filter(l -> l.startsWith(SECONDS)).mapToDouble(l -> Double.parseDouble(l.substring(SECONDS.length()))).toArray();
        return new Result(seconds, out.lines().filter(l -> l.startsWith(OPERATIONS)).map(l -> l.substring(OPERATIONS.length())).findFirst().orElse("?"));
    }
}
