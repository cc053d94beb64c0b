package org.dhsa.cli;

import org.dhsa.generate.Sampler;
import picocli.CommandLine.Option;

/// How the next token is chosen.
final class SamplingOptions {

    @Option(names = "--temperature", paramLabel = "T", description = "0 is greedy (default); 1 follows the model; more is bolder.")
    double temperature;

    @Option(names = "--top-k", paramLabel = "K", description = "Choose among the K most probable tokens. 0: all (default).")
    int topK;

    @Option(names = "--top-p", paramLabel = "P", description = {"Choose among the most probable tokens that reach P "
            + "together, 0 < P <= 1. Default: 1."})
    double topP = 1;

    @Option(names = "--seed", paramLabel = "S", description = "The same seed gives the same text. Default: 0.")
    long seed;

    Sampler sampler() {
        try {
            return Sampler.of(temperature, topK, topP, seed);
        } catch (IllegalArgumentException e) {
            throw new BadInput("--" + e.getMessage() + ".", e);
        }
    }
}
