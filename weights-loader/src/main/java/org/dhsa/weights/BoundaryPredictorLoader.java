package org.dhsa.weights;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.dhsa.model.BoundaryPredictorWeights;
import org.dhsa.model.BoundaryPredictorWeights.Attention;
import org.dhsa.model.BoundaryPredictorWeights.Cnn;
import org.dhsa.model.BoundaryPredictorWeights.DecisionMlp;
import org.dhsa.model.BoundaryPredictorWeights.LayerNorm;
import org.dhsa.model.BoundaryPredictorWeights.SelfAttention;
import org.dhsa.model.BoundaryPredictorWeights.Stack;
import org.dhsa.model.WeightTensor;
import org.dhsa.tensor.DType;

/// Loads a boundary predictor from `.safetensors` or from the authors' PyTorch `.pt`.
///
/// The architecture shows in the names of the state dict:
///
///     enc.mha.*, enc.norm.*                 attention   (BoundarySimilarityAttn)
///     enc.0.*, enc.2.*                      cnn         (BoundarySimilarity)
///     enc_ls.N.mha.*, enc_ls.N.norm.*, norm.*   stack   (BoundarySimilarityStack)
///     pool.gate.weight                      optional, attention and stack
///     mlp.0.*, mlp.2.*                      all three
///
/// A common prefix (`model_state_dict.`, `module.`) is recognised and dropped.
///
/// **Pitfall** two numbers are NOT in the weights of an attention or stack predictor: the number of heads (the same
/// shapes serve every count that divides C) and the window w. They come from the caller, else from a sidecar JSON
/// (`{"window": 4, "heads": 8}`), else from the file's own metadata; a wrong count computes something else without any
/// error. The published Gemma 2 set-up runs with 8 heads; the training default is 4. For a cnn the window is the width
/// of its kernel and there are no heads.
public final class BoundaryPredictorLoader {

    private static final String ANCHOR = "mlp.0.weight";

    private final Path file;
    private final Source source;
    private final String prefix;
    private final Set<String> names;
    private final Set<String> unused;
    private final OptionalInt heads;
    private final OptionalInt window;

    private BoundaryPredictorLoader(Path file, Source source, OptionalInt heads, OptionalInt window)
            throws WeightsFormatException {
        this.file = file;
        this.source = source;
        this.prefix = prefix(file, source.names());
        this.names = source.names().stream().filter(name -> name.startsWith(prefix))
                .map(name -> name.substring(prefix.length())).collect(Collectors.toCollection(TreeSet::new));
        this.unused = new TreeSet<>(names);
        this.heads = heads;
        this.window = window;
    }

    /// Heads are given; the window comes from a cnn's own weights, the sidecar or the file's metadata.
    public static BoundaryPredictorWeights load(Path file, int heads, Path sidecarOrNull)
            throws IOException, WeightsFormatException {
        return load(file, OptionalInt.of(heads), OptionalInt.empty(), sidecarOrNull);
    }

    /// What is not given comes from a sidecar beside the file (`name.json` for `name.safetensors` or `name.pt`), if there
    /// is one, else from the file's metadata.
    public static BoundaryPredictorWeights load(Path file, OptionalInt heads, OptionalInt window)
            throws IOException, WeightsFormatException {
        Path beside = file.resolveSibling(file.getFileName().toString().replaceFirst("\\.[^.]*$", "") + ".json");
        return load(file, heads, window, Files.isRegularFile(beside) ? beside : null);
    }

    /// The weights are copied to the heap, at most a few megabytes: nothing has to be closed.
    ///
    /// @throws WeightsFormatException if the file is malformed, a tensor is missing, unexpected or of the wrong shape, a
    ///                                value is not finite, or heads or window cannot be told
    public static BoundaryPredictorWeights load(Path file, OptionalInt heads, OptionalInt window, Path sidecarOrNull)
            throws IOException, WeightsFormatException {
        Json.requireFile(file);
        if (Files.size(file) > TorchCheckpoint.MAX_FILE_BYTES) {
            throw new WeightsFormatException(file, null, "has " + Files.size(file) + " bytes, too many for a boundary predictor");
        }
        OptionalInt h = heads;
        OptionalInt w = window;
        if (sidecarOrNull != null) {
            ObjectNode json = Json.readObject(sidecarOrNull);
            h = h.isPresent() ? h : fromJson(sidecarOrNull, json, "heads");
            w = w.isPresent() ? w : fromJson(sidecarOrNull, json, "window");
        }
        try (Source source = open(file)) {
            h = h.isPresent() ? h : fromMetadata(file, source.metadata(), "heads");
            w = w.isPresent() ? w : fromMetadata(file, source.metadata(), "window");
            return new BoundaryPredictorLoader(file, source, h, w).build();
        }
    }

    /// Either file format, as far as a predictor needs it. Tensors are on the heap and outlive the source.
    private interface Source extends AutoCloseable {

        List<String> names();

        WeightTensor tensor(String name) throws WeightsFormatException;

        Map<String, String> metadata();

        @Override
        void close();
    }

    private static Source open(Path file) throws IOException, WeightsFormatException {
        return TorchCheckpoint.looksLikeOne(file)
                ? new TorchSource(TorchCheckpoint.read(file))
                : new SafetensorsSource(SafetensorsFile.open(file));
    }

    private record TorchSource(TorchCheckpoint checkpoint) implements Source {

        @Override
        public List<String> names() {
            return checkpoint.names();
        }

        @Override
        public WeightTensor tensor(String name) throws WeightsFormatException {
            return checkpoint.tensor(name);
        }

        @Override
        public Map<String, String> metadata() {
            return Map.of();
        }

        @Override
        public void close() {}
    }

    private record SafetensorsSource(SafetensorsFile file) implements Source {

        @Override
        public List<String> names() {
            return file.names();
        }

        @Override
        public WeightTensor tensor(String name) throws WeightsFormatException {
            WeightTensor mapped = file.tensor(name);
            byte[] copy = mapped.bytes().toArray(ValueLayout.JAVA_BYTE);
            return new WeightTensor(name, mapped.dtype(), mapped.dims(), MemorySegment.ofArray(copy));
        }

        @Override
        public Map<String, String> metadata() {
            return file.metadata();
        }

        @Override
        public void close() {
            file.close();
        }
    }

    private static OptionalInt fromJson(Path sidecar, ObjectNode json, String field) throws WeightsFormatException {
        JsonNode value = json.path(field);
        if (value.isMissingNode() || value.isNull()) {
            return OptionalInt.empty();
        }
        if (!value.isInt() || value.intValue() <= 0) {
            throw new WeightsFormatException(sidecar, null, field + " must be a positive whole number, was "
                    + Printable.name(value.toString()));
        }
        return OptionalInt.of(value.intValue());
    }

    private static OptionalInt fromMetadata(Path file, Map<String, String> metadata, String field)
            throws WeightsFormatException {
        String value = metadata.get(field);
        if (value == null) {
            return OptionalInt.empty();
        }
        if (!value.matches("[1-9][0-9]{0,8}")) {
            throw new WeightsFormatException(file, null, "metadata " + field + " must be a positive whole number, was "
                    + Printable.name(value));
        }
        return OptionalInt.of(Integer.parseInt(value));
    }

    /// What stands before the names of the one state dict in the file; mostly nothing.
    private static String prefix(Path file, List<String> names) throws WeightsFormatException {
        List<String> prefixes = new ArrayList<>();
        for (String name : names) {
            if (name.equals(ANCHOR) || name.endsWith("." + ANCHOR)) {
                prefixes.add(name.substring(0, name.length() - ANCHOR.length()));
            }
        }
        if (prefixes.isEmpty()) {
            throw new WeightsFormatException(file, ANCHOR, "is missing, so this is no boundary predictor; the file holds "
                    + Printable.list(names, 5));
        }
        if (prefixes.size() > 1) {
            throw new WeightsFormatException(file, null, "holds " + prefixes.size() + " predictors, under "
                    + Printable.list(prefixes, 5) + ": save one of them alone");
        }
        return prefixes.getFirst();
    }

    private BoundaryPredictorWeights build() throws WeightsFormatException {
        try {
            BoundaryPredictorWeights weights = names.contains("enc.mha.in_proj_weight") ? attention()
                    : names.contains("enc_ls.0.mha.in_proj_weight") ? stack()
                    : names.contains("enc.0.weight") ? cnn()
                    : unknown();
            if (!unused.isEmpty()) {
                String first = unused.iterator().next();
                throw new WeightsFormatException(file, first, "is unexpected in a predictor of kind "
                        + weights.getClass().getSimpleName().toLowerCase(Locale.ROOT));
            }
            return weights;
        } catch (IllegalArgumentException e) {
            throw new WeightsFormatException(file, null, e.getMessage(), e);
        }
    }

    private BoundaryPredictorWeights unknown() throws WeightsFormatException {
        throw new WeightsFormatException(file, null, "is no known boundary predictor: expected enc.mha.in_proj_weight (attention), "
                + "enc.0.weight (cnn) or enc_ls.0.mha.in_proj_weight (stack), found " + Printable.list(names, 5));
    }

    private Attention attention() throws WeightsFormatException {
        return new Attention(window(), selfAttention("enc.mha."), layerNorm("enc.norm."), poolGate(), mlp());
    }

    private Stack stack() throws WeightsFormatException {
        List<Stack.Block> blocks = new ArrayList<>();
        for (int i = 0; names.contains("enc_ls." + i + ".mha.in_proj_weight"); i++) {
            blocks.add(new Stack.Block(selfAttention("enc_ls." + i + ".mha."), layerNorm("enc_ls." + i + ".norm.")));
        }
        return new Stack(window(), blocks, layerNorm("norm."), poolGate(), mlp());
    }

    private Cnn cnn() throws WeightsFormatException {
        WeightTensor depthwise = matrix("enc.0.weight", 3);
        int w = Math.toIntExact(depthwise.dim(2));
        if (window.isPresent() && window.getAsInt() != w) {
            throw new WeightsFormatException(file, depthwise.name(), "has a kernel of width " + w
                    + ", which is the window of a cnn, but window " + window.getAsInt() + " was asked for");
        }
        return new Cnn(w, depthwise, tensor("enc.0.bias"), matrix("enc.2.weight", 3), tensor("enc.2.bias"), mlp());
    }

    private SelfAttention selfAttention(String prefix) throws WeightsFormatException {
        WeightTensor out = matrix(prefix + "out_proj.weight", 2);
        if (heads.isEmpty()) {
            throw new WeightsFormatException(file, null, "the weights cannot tell the number of heads, since every divisor of "
                    + out.dim(0) + " fits them: state it (published Gemma 2 set-up: 8; the training default is 4; on the command line --predictor-heads 8), or put "
                    + "{\"heads\": 8} into a JSON file beside the weights");
        }
        return new SelfAttention(heads.getAsInt(), tensor(prefix + "in_proj_weight"), tensor(prefix + "in_proj_bias"),
                out, tensor(prefix + "out_proj.bias"));
    }

    private int window() throws WeightsFormatException {
        if (window.isEmpty()) {
            throw new WeightsFormatException(file, null, "the weights cannot tell the window w of an attention predictor: "
                    + "state it (published: 4; on the command line --predictor-window 4), or put {\"window\": 4} into a JSON file beside the weights");
        }
        return window.getAsInt();
    }

    private LayerNorm layerNorm(String prefix) throws WeightsFormatException {
        return new LayerNorm(tensor(prefix + "weight"), tensor(prefix + "bias"));
    }

    private Optional<WeightTensor> poolGate() throws WeightsFormatException {
        return names.contains("pool.gate.weight") ? Optional.of(tensor("pool.gate.weight")) : Optional.empty();
    }

    private DecisionMlp mlp() throws WeightsFormatException {
        return new DecisionMlp(matrix(ANCHOR, 2), tensor("mlp.0.bias"), matrix("mlp.2.weight", 2), tensor("mlp.2.bias"));
    }

    private WeightTensor matrix(String name, int rank) throws WeightsFormatException {
        WeightTensor t = tensor(name);
        if (t.rank() != rank) {
            throw new WeightsFormatException(file, name, "expected " + rank + " dimensions, got "
                    + Arrays.toString(t.dims()));
        }
        return t;
    }

    private WeightTensor tensor(String name) throws WeightsFormatException {
        if (!names.contains(name)) {
            throw new WeightsFormatException(file, name, NearNames.missing(name, names));
        }
        WeightTensor t = source.tensor(prefix + name);
        if (t.dtype() != DType.F32 && t.dtype() != DType.F64 && t.dtype() != DType.F16 && t.dtype() != DType.BF16) {
            throw new WeightsFormatException(file, name, "expected a floating type, got " + t.dtype());
        }
        WeightCheck.requireFinite(file, t);
        unused.remove(name);
        return t;
    }
}
