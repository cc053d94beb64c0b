package org.dhsa.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
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

    @Option(names = "--kv", paramLabel = "TYPE", description = {"How keys and values are kept (backends optimized and opencl): f32 (default), or bf16 with half the memory, rounded."})
    BackendOptions.KvType kv = BackendOptions.KvType.F32;

    @Option(names = "--max-device-memory", paramLabel = "SIZE", description = {"Most memory to use on a device (generate with backend opencl): bytes, or with k, m or g, like "
            + "6g. The prompt is then worked on in parts that fit. Default: all the device has."})
    String maxDeviceMemory;

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
        if (kv == BackendOptions.KvType.BF16 && name.equals(Backends.DEFAULT)) {
            throw new BadInput("--kv bf16 is there for the backends " + Backends.FAST + " and opencl; " + name + " keeps keys and values as it computes. Leave --kv out, or take --backend "
                    + Backends.FAST + ".");
        }
        OptionalLong limit = maxDeviceMemory();
        if (limit.isPresent() && !name.equals(Backends.DEVICE)) {
            throw new BadInput("--max-device-memory is there for the backend " + Backends.DEVICE + "; " + name + " computes in the memory of the process. Leave it out, or take --backend "
                    + Backends.DEVICE + ".");
        }
        return Backends.open(name, new BackendOptions(threads == null ? OptionalInt.empty() : OptionalInt.of(threads), kv, limit));
    }

    /// For commands that show or write whole tensors: a prompt that is worked on in parts never has them.
    void requireNoMemoryLimit(String command) {
        if (maxDeviceMemory().isPresent()) {
            throw new BadInput(command + " needs whole tensors, and --max-device-memory works on a prompt in parts. Leave it out, or take ./dhsa generate.");
        }
    }

    /// Bytes, empty if not given.
    private OptionalLong maxDeviceMemory() {
        if (maxDeviceMemory == null) {
            return OptionalLong.empty();
        }
        Matcher size = Pattern.compile("([1-9][0-9]{0,8}|[1-9][0-9]{0,17}(?![0-9kKmMgG]))([kKmMgG]?)").matcher(maxDeviceMemory);
        if (!size.matches()) {
            throw new BadInput("--max-device-memory takes a number of bytes, or one with k, m or g, like 6g; was \"" + maxDeviceMemory + "\".");
        }
        int shift = switch (size.group(2)) {
            case "k", "K" -> 10;
            case "m", "M" -> 20;
            case "g", "G" -> 30;
            default -> 0;
        };
        return OptionalLong.of(Math.multiplyExact(Long.parseLong(size.group(1)), 1L << shift));
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
