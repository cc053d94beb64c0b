package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.dhsa.weights.WeightsFormatException;
import picocli.CommandLine.Option;

/// Which model, on which backend.
final class ModelOptions {

    @Option(names = "--model", paramLabel = "DIR", description = {"A Hugging Face folder of Gemma 2 (2b, 9b, 27b): config.json, one or many "
            + "safetensors files, tokenizer.model. Default: the small model that comes with this project."})
    Path model;

    @Option(names = "--backend", paramLabel = "NAME", description = "What computes: a name that ./dhsa backends lists. Default: reference.")
    String backend = Backends.DEFAULT;

    @Option(names = "--embedding-scale", paramLabel = "HOW", description = {"The factor sqrt(hidden size) of the embedding: exact, or bf16 (rounded, as a BF16 model multiplies). "
                    + "Default: exact."})
    EmbeddingScale embeddingScale = EmbeddingScale.EXACT;

    Path folder() {
        return model == null ? Home.find().tinyModel() : model;
    }

    /// Opens the folder, tells its warnings and looks at every value.
    Gemma2Model open(PrintWriter err, Progress progress) throws IOException, WeightsFormatException {
        Gemma2Model opened = Gemma2Loader.load(folder());
        try {
            opened.warnings().forEach(warning -> err.println("warning: " + warning));
            Progress.Task task = progress.task("checking the weights");
            opened.requireFinite((tensor, done, total) -> task.at("MB", done >> 20, total >> 20));
            task.done();
            return opened;
        } catch (Throwable e) {
            opened.close();
            throw e;
        }
    }
}
