package org.dhsa.weights;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.dhsa.model.Gemma2Config;
import org.dhsa.model.Gemma2Weights;

/// A loaded model folder: configuration, mapped weights and, when asked for, the tokenizer.
///
/// The weights are views of mapped files and end with [#close()]. The tokenizer is opened on first use, because it loads
/// a native library that a reader of weights does not need.
public final class Gemma2Model implements AutoCloseable {

    static final String TOKENIZER = "tokenizer.model";

    private final Path folder;
    private final Gemma2Config config;
    private final Gemma2Weights weights;
    private final Checkpoint checkpoint;
    private final List<String> warnings;
    private Tokenizer tokenizer;

    Gemma2Model(Path folder, Gemma2Config config, Gemma2Weights weights, Checkpoint checkpoint, List<String> warnings) {
        this.folder = folder;
        this.config = config;
        this.weights = weights;
        this.checkpoint = checkpoint;
        this.warnings = List.copyOf(warnings);
    }

    public Path folder() {
        return folder;
    }

    public Gemma2Config config() {
        return config;
    }

    public Gemma2Weights weights() {
        return weights;
    }

    public Checkpoint checkpoint() {
        return checkpoint;
    }

    public boolean hasTokenizer() {
        return Files.exists(folder.resolve(TOKENIZER));
    }

    /// The tokenizer of the folder, opened on the first call and closed with the model.
    ///
    /// @throws WeightsFormatException if `tokenizer.model` is absent or malformed, or has more pieces than the model embeds
    public synchronized Tokenizer tokenizer() throws IOException, WeightsFormatException {
        if (tokenizer == null) {
            Path file = folder.resolve(TOKENIZER);
            if (!hasTokenizer()) {
                throw new WeightsFormatException(file, null, "there is no such file; it is published beside the weights "
                        + "(tokenizer.json alone is not read)");
            }
            Tokenizer opened = Tokenizer.open(file);
            if (opened.vocabSize() > config.vocabSize()) {
                opened.close();
                throw new WeightsFormatException(file, null, "has " + opened.vocabSize() + " pieces, but the model embeds only "
                        + config.vocabSize() + ": the tokenizer belongs to another model");
            }
            tokenizer = opened;
        }
        return tokenizer;
    }

    /// What is odd in the folder but does no harm.
    public List<String> warnings() {
        return warnings;
    }

    /// Reads every weight once and refuses NaN and infinities.
    ///
    /// @throws WeightsFormatException naming file, tensor and index of the first one
    public void requireFinite(WeightCheck.Progress progress) throws WeightsFormatException {
        WeightCheck.requireFinite(checkpoint, progress);
    }

    @Override
    public synchronized void close() {
        if (tokenizer != null) {
            tokenizer.close();
        }
        checkpoint.close();
    }
}
