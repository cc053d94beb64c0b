package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.dhsa.bench.SyntheticCheckpoint;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// A checkpoint of a real shape with made-up weights.
@Command(name = "synth", mixinStandardHelpOptions = true, sortOptions = false,
        description = {"Writes a Gemma 2 folder of a published shape with made-up weights, to measure time and memory with.",
            "What such a model says means nothing. The 2b shape with all layers takes 5.2 GB.", ""})
final class SynthCommand implements Callable<Integer> {

    @Option(names = "--size", paramLabel = "SIZE", defaultValue = "2b", description = "2b, 9b or 27b. Default: ${DEFAULT-VALUE}.")
    String size;

    @Option(names = "--layers", paramLabel = "N", description = "How many layers. Default: as many as the published model has.")
    Integer layers;

    @Option(names = "--vocab", paramLabel = "N", defaultValue = "256000", description = "Size of the vocabulary, at least 960. Default: ${DEFAULT-VALUE}.")
    int vocab;

    @Option(names = "--out", paramLabel = "DIR", required = true, description = "The folder to write.")
    Path out;

    @Mixin
    DebugOption debug;

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        SyntheticCheckpoint.Size shape = Arrays.stream(SyntheticCheckpoint.Size.values())
                .filter(s -> s.toString().equals(size.toLowerCase(Locale.ROOT))).findFirst()
                .orElseThrow(() -> new BadInput("--size must be 2b, 9b or 27b, was " + size + "."));
        int count = layers == null ? shape.layers() : layers;
        if (count <= 0) {
            throw new BadInput("--layers must be positive, was " + count + ".");
        }
        if (vocab < 960) {
            throw new BadInput("--vocab must be at least 960, the ids of the tokenizer that goes with it; was " + vocab + ".");
        }
        FileOutput.requireWritable(out, "--out");
        long bytes = SyntheticCheckpoint.bytes(shape, count, vocab);
        if (Files.getFileStore(out).getUsableSpace() < bytes + (1L << 20)) {
            throw new BadInput("The checkpoint needs " + bytes / 1_000_000 + " MB, and " + out + " has "
                    + Files.getFileStore(out).getUsableSpace() / 1_000_000 + " MB left. Name another folder with --out, or fewer --layers.");
        }
        PrintWriter print = spec.commandLine().getOut();
        try (Progress progress = Progress.on(spec.commandLine().getErr(), false)) {
            Progress.Task writing = progress.task("writing " + out);
            Path tokenizer = Home.find().tinyModel().resolve("tokenizer.model");
            SyntheticCheckpoint.write(out, shape, count, vocab, tokenizer, (tensor, share) -> writing.at("percent", Math.round(100 * share), 100));
        }
        print.println("wrote " + out + ": Gemma 2 " + shape + " shape, " + count + " layers, vocabulary " + vocab + ", "
                + bytes / 1_000_000 + " MB of made-up BF16 weights");
        print.flush();
        return 0;
    }
}
