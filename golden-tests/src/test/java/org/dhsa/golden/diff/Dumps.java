package org.dhsa.golden.diff;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.UnaryOperator;
import org.dhsa.backend.Backend;
import org.dhsa.bug.BugContext;
import org.dhsa.bug.KnownBugs;
import org.dhsa.cli.Main;
import org.dhsa.forward.AttentionMode;
import org.dhsa.forward.Gemma2Forward;
import org.dhsa.golden.GoldenFormatException;
import org.dhsa.model.EmbeddingScale;
import org.dhsa.optimized.OptimizedBackend;
import org.dhsa.reference.ReferenceBackend;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.weights.Gemma2Loader;
import org.dhsa.weights.Gemma2Model;
import org.dhsa.weights.SafetensorsWriter;
import org.dhsa.weights.WeightsFormatException;

/// Exports of the small model, and dumps of "ports": the same forward pass with mistakes in it, written as float32.
final class Dumps {

    static final Path ROOT = Path.of(System.getProperty("dhsa.root", ".")).toAbsolutePath();
    static final Path MODEL = ROOT.resolve("golden-tests/models/tiny-gemma2");
    /// 80 tokens: more than the window of 64, and enough for six query blocks with a choice.
    static final String TOKENS = tokens(80);

    /// What the mistakes need to know of the small model.
    private static final BugContext KNOWN = new BugContext(OptionalInt.of(64), OptionalInt.of(4), 10000, OptionalInt.of(80));

    private Dumps() {}

    private static String tokens(int n) {
        StringBuilder ids = new StringBuilder("2");
        for (int i = 1; i < n; i++) {
            ids.append(',').append(200 + (i * 37) % 700);
        }
        return ids.toString();
    }

    static Path export(Path folder, String... options) {
        String[] args = new String[options.length + 6];
        System.arraycopy(new String[] {"golden", "export", "--tokens", TOKENS, "--out", folder.toString()}, 0, args, 0, 6);
        System.arraycopy(options, 0, args, 6, options.length);
        int code = Main.commandLine().setOut(new java.io.PrintWriter(new java.io.StringWriter())).execute(args);
        if (code != 0) {
            throw new IllegalStateException("export ended with " + code);
        }
        return folder;
    }

    static final String[] DHSA = {"--mode", "dhsa", "--block-size", "8", "--budget", "16", "--local-tokens", "2", "--global-tokens", "2", "--instruction-tokens", "8"};

    /// What a port with these mistakes dumps.
    static Map<String, DoubleTensor> port(Path export, String... bugs) throws GoldenFormatException, IOException, WeightsFormatException {
        Backend backend = new ReferenceBackend();
        for (String bug : bugs) {
            backend = KnownBugs.byId(bug).orElseThrow().inject(backend, 0, KNOWN);
        }
        return run(export, backend);
    }

    static Map<String, DoubleTensor> float32(Path export) throws GoldenFormatException, IOException, WeightsFormatException {
        try (Backend backend = OptimizedBackend.scalar(1)) {
            return run(export, backend);
        }
    }

    private static Map<String, DoubleTensor> run(Path export, Backend backend) throws GoldenFormatException, IOException, WeightsFormatException {
        Map<String, DoubleTensor> seen = new LinkedHashMap<>();
        try (Expected expected = Expected.open(export, null); Gemma2Model model = Gemma2Loader.load(MODEL)) {
            ForwardTrace.Setting setting = ((ForwardTrace) expected.recipe()).setting();
            AttentionMode mode = setting.dhsa().isEmpty() ? new AttentionMode.Dense()
                    : new AttentionMode.Dhsa(setting.dhsa().get(), setting.predictor(), java.util.Optional.empty());
            int[] ids = Arrays.stream(expected.tensor(ForwardTrace.IDS).data()).mapToInt(v -> (int) v).toArray();
            new Gemma2Forward(model.config(), model.weights(), backend, EmbeddingScale.EXACT).open(mode, new Export.Seen((name, value) -> {
                if (expected.tensors().containsKey(name)) {
                    seen.putIfAbsent(name, value);
                }
            })).prefillAllLogits(ids);
        }
        return seen;
    }

    /// @param names what the port calls each tensor; null leaves it out
    static Path write(Path file, Map<String, DoubleTensor> tensors, UnaryOperator<String> names) throws IOException {
        SafetensorsWriter writer = new SafetensorsWriter();
        tensors.forEach((name, value) -> {
            String called = names.apply(name);
            if (called == null) {
                return;
            }
            long[] dims = new long[value.shape().rank()];
            for (int a = 0; a < dims.length; a++) {
                dims[a] = value.shape().extent(a);
            }
            if (Export.isWhole(name)) {
                writer.addI64(called, Arrays.stream(value.data()).mapToLong(v -> (long) v).toArray(), dims);
            } else {
                float[] single = new float[value.data().length];
                for (int i = 0; i < single.length; i++) {
                    single[i] = (float) value.data()[i];
                }
                writer.addF32(called, single, dims);
            }
        });
        writer.write(file);
        return file;
    }

    static Path write(Path file, Map<String, DoubleTensor> tensors) throws IOException {
        return write(file, tensors, UnaryOperator.identity());
    }
}
