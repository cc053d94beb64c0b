package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.OptionalInt;
import org.dhsa.backend.Backend;
import org.dhsa.backend.BackendOptions;
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

    @Option(names = "--backend", paramLabel = "NAME", description = {"What computes: a name that ./dhsa backends lists. Default: optimized for "
            + "generate, reference for demo."})
    String backend;

    @Option(names = "--threads", paramLabel = "N", description = {"Threads that share the work (backend optimized). The result is the same for every number. "
            + "Default: one for each processor."})
    Integer threads;

    @Option(names = "--kv", paramLabel = "TYPE", description = {"How keys and values are kept (backend optimized): f32 (default), or bf16 with half the memory, rounded."})
    BackendOptions.KvType kv = BackendOptions.KvType.F32;

    @Option(names = "--embedding-scale", paramLabel = "HOW", description = {"The factor sqrt(hidden size) of the embedding: exact, or bf16 (rounded, as a BF16 model multiplies). "
                    + "Default: exact."})
    EmbeddingScale embeddingScale = EmbeddingScale.EXACT;

    Path folder() {
        return model == null ? Home.find().tinyModel() : model;
    }

    /// The backend that was asked for, or else the given one.
    String backendOr(String fallback) {
        return backend == null ? fallback : backend;
    }

    Backend openBackend(String name) {
        if (threads != null && threads <= 0) {
            throw new BadInput("--threads must be positive, was " + threads + ".");
        }
        return Backends.open(name, new BackendOptions(threads == null ? OptionalInt.empty() : OptionalInt.of(threads), kv));
    }

    /// Opens the folder and tells its warnings. The weights are not looked at.
    Gemma2Model open(PrintWriter err) throws IOException, WeightsFormatException {
        Gemma2Model opened = Gemma2Loader.load(folder());
        opened.warnings().forEach(warning -> err.println("warning: " + warning));
        return opened;
    }

    /// Looks at every value; names the first that is no number.
    static void requireFinite(Gemma2Model opened, Progress progress) throws IOException, WeightsFormatException {
        Progress.Task task = progress.task("checking the weights");
        opened.requireFinite((tensor, done, total) -> task.at("MB", done >> 20, total >> 20));
        task.done();
    }

    /// Opens the folder, tells its warnings and looks at every value.
    Gemma2Model open(PrintWriter err, Progress progress) throws IOException, WeightsFormatException {
        Gemma2Model opened = open(err);
        try {
            requireFinite(opened, progress);
            return opened;
        } catch (Throwable e) {
            opened.close();
            throw e;
        }
    }
}
